// Dot products of small integers: rows and weights of 16 bits, sums of 32 bits that the caller knows to suffice.
//
// Weights are `(blocks, pairs, 16 outputs, 2 inputs)`, so that one multiply-add of 16-bit pairs (vpmaddwd) serves 8
// outputs. Four rows share each load of weights; rows go through in tiles, and the inputs of a row in strips, so that
// strips of rows and of weights stay in the first-level cache.

#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#ifdef __AVX2__
#include <immintrin.h>
#endif

namespace {

constexpr int64_t LANES = 16;   // outputs of a block
constexpr int64_t GROUP = 4;    // rows that share a load of weights, as many as registers are enough for
constexpr int64_t BATCH = 48;   // rows of a tile
constexpr int64_t STRIP = 128;  // pairs of inputs of a strip
constexpr int64_t SPARE = 16;   // inputs that may be written behind those of a row

#ifdef __AVX2__

// total += x * w by pairs. In assembly, since the compiler puts all products first and then lacks registers.
inline void add_products(__m256i& total, __m256i x, __m256i w) {
    __m256i product;
    __asm__("vpmaddwd %[w], %[x], %[product]\n\tvpaddd %[product], %[total], %[total]"
            : [total] "+x"(total), [product] "=&x"(product)
            : [x] "x"(x), [w] "x"(w));
}

inline __m256i twice(const int16_t* pair) {
    int32_t both;
    std::memcpy(&both, pair, sizeof both);
    return _mm256_set1_epi32(both);
}

#endif

// sums[r][o] = (start ? start[o] : sums[r][o]) + sum of x[r][k] * w[k][o] over `pairs` pairs of inputs, for GROUP rows
// `stride` apart.
inline void multiply(const int16_t* x, int64_t stride, const int16_t* w, int64_t pairs, const int32_t* start,
                     int32_t (*sums)[LANES]) {
#ifdef __AVX2__
    const auto load = [](const void* place) { return _mm256_loadu_si256(static_cast<const __m256i*>(place)); };
    const auto from = [&](int r, int half) { return load((start ? start : sums[r]) + 8 * half); };
    const int16_t *x0 = x, *x1 = x + stride, *x2 = x + 2 * stride, *x3 = x + 3 * stride;
    __m256i a0 = from(0, 0), a1 = from(1, 0), a2 = from(2, 0), a3 = from(3, 0);
    __m256i b0 = from(0, 1), b1 = from(1, 1), b2 = from(2, 1), b3 = from(3, 1);
    for (int64_t p = 0; p < pairs; p++) {
        const __m256i low = load(w + p * 2 * LANES), high = load(w + p * 2 * LANES + LANES);
        const __m256i y0 = twice(x0 + 2 * p), y1 = twice(x1 + 2 * p), y2 = twice(x2 + 2 * p), y3 = twice(x3 + 2 * p);
        add_products(a0, y0, low), add_products(b0, y0, high);
        add_products(a1, y1, low), add_products(b1, y1, high);
        add_products(a2, y2, low), add_products(b2, y2, high);
        add_products(a3, y3, low), add_products(b3, y3, high);
    }
    const __m256i totals[GROUP][2] = {{a0, b0}, {a1, b1}, {a2, b2}, {a3, b3}};
    std::memcpy(sums, totals, sizeof totals);
#else
    for (int r = 0; r < GROUP; r++) {
        if (start) std::copy(start, start + LANES, sums[r]);
        for (int64_t p = 0; p < pairs; p++)
            for (int64_t o = 0; o < LANES; o++) {
                const int16_t* line = w + (p * LANES + o) * 2;
                const int16_t* pair = x + r * stride + 2 * p;
                sums[r][o] += pair[0] * line[0] + pair[1] * line[1];
            }
    }
#endif
}

// finish(row, first output, outputs, sums) for every row of [first, last) and block of outputs. `rows(row, target)`
// writes the inputs of a row, of which there are 2 * pairs, or one less, since the weights of the last one may be all 0;
// it may write up to SPARE more behind. `start` holds what sums start from, for whole blocks of outputs.
template <typename Rows, typename Finish>
void dot_products(Rows rows, const int16_t* w, const int32_t* start, int64_t first, int64_t last, int64_t outputs,
                  int64_t pairs, const Finish& finish) {
    std::vector<int16_t> inputs(static_cast<size_t>(BATCH * 2 * pairs + SPARE));
    alignas(32) int32_t sums[BATCH][LANES];
    for (int64_t tile = first; tile < last; tile += BATCH) {
        const int64_t count = std::min(BATCH, last - tile);
        for (int64_t r = 0; r < count; r++) rows(tile + r, inputs.data() + r * 2 * pairs);
        for (int64_t o = 0; o < outputs; o += LANES) {
            const int64_t size = std::min(LANES, outputs - o);
            for (int64_t p = 0; p < pairs; p += STRIP) {
                const int64_t some = std::min(STRIP, pairs - p);
                const int16_t* strip = w + (o / LANES * pairs + p) * 2 * LANES;
                // The last group may hold rows of an earlier tile, whose sums nobody reads.
                for (int64_t r = 0; r < count; r += GROUP)
                    multiply(inputs.data() + (r * pairs + p) * 2, 2 * pairs, strip, some, p ? nullptr : start + o,
                             sums + r);
            }
            for (int64_t r = 0; r < count; r++) finish(tile + r, o, size, sums[r]);
        }
    }
}

}  // namespace
