// Where the windows of a convolution lie on images (frames, height, width, channels); signals have height 1.

#pragma once

#include <algorithm>
#include <cstdint>

namespace {

struct Geometry {
    int64_t channels, size[2], out[2], kernel[2], stride[2], before[2], dilation[2];

    explicit Geometry(const int64_t* values) : channels(values[0]) {
        int64_t* const fields[6] = {size, out, kernel, stride, before, dilation};
        for (int i = 0; i < 6; i++) std::copy(values + 1 + 2 * i, values + 3 + 2 * i, fields[i]);
    }

    int64_t positions() const { return out[0] * out[1]; }
    int64_t taps() const { return kernel[0] * kernel[1]; }
};

// Visits rows, which are the positions of the first frame, then those of the second, and so on.
class Walk {
  public:
    explicit Walk(const Geometry& geometry) : g(geometry) {}

    // Step to a row; the next one after the last costs no division.
    void go(int64_t target) {
        if (row >= 0 && target == row + 1) {
            if (++x == g.out[1]) {
                x = 0;
                if (++y == g.out[0]) y = 0, frame++;
            }
        } else if (target != row) {
            frame = target / g.positions();
            y = target % g.positions() / g.out[1];
            x = target % g.out[1];
        }
        row = target;
    }

    // visit(pixel, count) for runs of elements of the window, in C order: the number of the first pixel among those of
    // all frames, or -1 for padding, and how many elements lie side by side.
    template <typename Visit>
    void window(const Visit& visit) const {
        const int64_t top = y * g.stride[0] - g.before[0], left = x * g.stride[1] - g.before[1];
        const int64_t width = g.size[1], wide = g.kernel[1];
        for (int64_t k = 0; k < g.kernel[0]; k++) {
            const int64_t line = top + k * g.dilation[0];
            if (line < 0 || line >= g.size[0]) {
                visit(int64_t{-1}, wide);
                continue;
            }
            const int64_t start = (frame * g.size[0] + line) * width + left;
            if (g.dilation[1] == 1 || wide == 1) {
                const int64_t first = std::min(wide, std::max<int64_t>(0, -left));
                const int64_t last = std::max(first, std::min(wide, width - left));
                if (first > 0) visit(int64_t{-1}, first);
                if (last > first) visit(start + first, last - first);
                if (wide > last) visit(int64_t{-1}, wide - last);
                continue;
            }
            for (int64_t i = 0; i < wide; i++) {
                const int64_t place = left + i * g.dilation[1];
                visit(place >= 0 && place < width ? start + i * g.dilation[1] : -1, int64_t{1});
            }
        }
    }

    const Geometry g;

  private:
    int64_t row = -1, frame = 0, y = 0, x = 0;
};

}  // namespace
