// Work in equal parts, one for each thread.

#pragma once

#include <algorithm>
#include <cstdint>
#include <thread>
#include <vector>

namespace {

// part(first, last) for all of [0, size), in `threads` parts at once.
template <typename Part>
void in_parts(int64_t size, int64_t threads, const Part& part) {
    threads = std::max<int64_t>(1, std::min(threads, size));
    std::vector<std::thread> others;
    for (int64_t t = 1; t < threads; t++) others.emplace_back(part, size * t / threads, size * (t + 1) / threads);
    part(0, size / threads);
    for (auto& other : others) other.join();
}

}  // namespace
