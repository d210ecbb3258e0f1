// Convolutions of images of 16-bit integers with 32-bit sums.

#include "integers.h"

#include "geometry.h"
#include "parts.h"

namespace {

// What a kernel sees of images in one group of channels. Behind the images there are SPARE elements to read.
struct Windows {
    const int16_t* images;
    Walk walk;
    int64_t first, channels;  // of the group
    int16_t pad;

    void operator()(int64_t row, int16_t* target) {
        const int64_t all = walk.g.channels;
        walk.go(row);
        walk.window([&](int64_t pixel, int64_t count) {
            if (pixel < 0)
                std::fill(target, target + count * channels, pad);
            else if (channels == all)
                copy(images + pixel * all, count * channels, target);
            else
                for (int64_t i = 0; i < count; i++)
                    copy(images + (pixel + i) * all + first, channels, target + i * channels);
            target += count * channels;
        });
    }

    // Up to 15 elements more than asked for, which the next copy overwrites.
    static void copy(const int16_t* source, int64_t count, int16_t* target) {
        for (int64_t i = 0; i < count; i += SPARE) std::memcpy(target + i, source + i, SPARE * sizeof *source);
    }
};

struct Job {
    const int64_t* geometry;
    int64_t groups, pad, outputs, pairs, threads, frames;
    const int16_t* weights;
    const int32_t* start;
};

// finish(row, first output, outputs, sums) for all rows and outputs.
template <typename Finish>
void convolve(const int16_t* images, const Job& job, const Finish& finish) {
    const Geometry g(job.geometry);
    const int64_t outputs = job.outputs / job.groups, channels = g.channels / job.groups;
    const int64_t lanes = (outputs + LANES - 1) / LANES * LANES;
    in_parts(job.frames * g.positions(), job.threads, [=](int64_t first, int64_t last) {
        for (int64_t group = 0; group < job.groups; group++) {
            const Windows rows{images, Walk(g), group * channels, channels, static_cast<int16_t>(job.pad)};
            dot_products(rows, job.weights + group * lanes * job.pairs * 2, job.start + group * lanes, first, last,
                         outputs, job.pairs, [&](int64_t row, int64_t o, int64_t size, const int32_t* sums) {
                             finish(row, group * outputs + o, size, sums);
                         });
        }
    });
}

template <typename T>
void sums_of(const int16_t* images, const Job& job, T* out) {
    const int64_t outputs = job.outputs;
    convolve(images, job, [=](int64_t row, int64_t o, int64_t size, const int32_t* sums) {
        T* const target = out + row * outputs + o;
        if (size == LANES)
            for (int64_t i = 0; i < LANES; i++) target[i] = static_cast<T>(sums[i]);
        else
            for (int64_t i = 0; i < size; i++) target[i] = static_cast<T>(sums[i]);
    });
}

// Bits of one group alone, since blocks of 16 outputs must not straddle words.
void bits_of(const int16_t* images, const Job& job, const int32_t* limits, const uint64_t* flips, uint64_t* out) {
    const int64_t words = (job.outputs + 63) / 64, outputs = job.outputs;
    convolve(images, job, [=](int64_t row, int64_t o, int64_t size, const int32_t* sums) {
        uint64_t bits = 0;
        int64_t i = 0;
#ifdef __AVX2__
        for (; i + 8 <= size; i += 8) {
            const __m256i below = _mm256_cmpgt_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(limits + o + i)),
                                                     _mm256_loadu_si256(reinterpret_cast<const __m256i*>(sums + i)));
            bits |= static_cast<uint64_t>(~_mm256_movemask_ps(_mm256_castsi256_ps(below)) & 255) << i;
        }
#endif
        for (; i < size; i++) bits |= static_cast<uint64_t>(sums[i] >= limits[o + i]) << i;
        uint64_t& word = out[row * words + o / 64];
        word = (o % 64 ? word : 0) | bits << (o % 64);
        if (o % 64 + LANES == 64 || o + size == outputs) word ^= flips[o / 64];
    });
}

inline void add_pixel(const int16_t* __restrict__ x, const int32_t* __restrict__ w, int64_t channels,
                         int32_t* __restrict__ sums) {
    for (int64_t c = 0; c < channels; c++) sums[c] += x[c] * w[c];
}

// One multiplication for each element of the kernel and channel: weights (taps, channels).
template <typename T>
void depthwise_of(const int16_t* images, const int64_t* geometry, int64_t pad, const int32_t* weights, const int32_t* start,
                  int64_t frames, int64_t threads, T* out) {
    const Geometry g(geometry);
    const int64_t channels = g.channels;
    in_parts(frames * g.positions(), threads, [=](int64_t first, int64_t last) {
        std::vector<int32_t> total(static_cast<size_t>(channels));
        int32_t* const sums = total.data();
        Walk walk(g);
        for (int64_t row = first; row < last; row++) {
            walk.go(row);
            std::copy(start, start + channels, sums);
            const int32_t* w = weights;
            walk.window([&](int64_t pixel, int64_t count) {
                for (int64_t i = 0; i < count; i++, w += channels) {
                    if (pixel < 0)
                        for (int64_t c = 0; c < channels; c++) sums[c] += static_cast<int32_t>(pad) * w[c];
                    else
                        add_pixel(images + (pixel + i) * channels, w, channels, sums);
                }
            });
            for (int64_t c = 0; c < channels; c++) out[row * channels + c] = static_cast<T>(sums[c]);
        }
    });
}

// call(T{}) with the integer type T of so many bytes.
template <typename Call>
void by_type(int64_t bytes, const Call& call) {
    if (bytes == 1)
        call(int8_t{});
    else if (bytes == 2)
        call(int16_t{});
    else
        call(int32_t{});
}

}  // namespace

extern "C" {

// Images (frames, *size, channels), with SPARE elements behind them; `geometry` are the fields of Geometry. The channels
// are split into groups; weights and start are those of dot_products, one group behind the other.
// out (frames, positions, outputs) of `bytes` an element.
void bitwright_integer_conv(const int16_t* images, const int64_t* geometry, int64_t groups, int64_t pad,
                            const int16_t* weights, const int32_t* start, int64_t frames, int64_t outputs,
                            int64_t pairs, int64_t threads, void* out, int64_t bytes) {
    const Job job{geometry, groups, pad, outputs, pairs, threads, frames, weights, start};
    by_type(bytes, [&](auto y) { sums_of(images, job, static_cast<decltype(y)*>(out)); });
}

// The same in one group with a threshold: out (frames, positions, ceil(outputs / 64)), packed bits
// (sum >= limits[o]) ^ flips bit o.
void bitwright_integer_conv_threshold(const int16_t* images, const int64_t* geometry, int64_t pad,
                                      const int16_t* weights, const int32_t* start, const int32_t* limits,
                                      const uint64_t* flips, int64_t frames, int64_t outputs, int64_t pairs,
                                      int64_t threads, uint64_t* out) {
    bits_of(images, {geometry, 1, pad, outputs, pairs, threads, frames, weights, start}, limits, flips, out);
}

// Depthwise: weights (taps, channels), start (channels); out (frames, positions, channels) of `bytes` an element.
void bitwright_depthwise_conv(const int16_t* images, const int64_t* geometry, int64_t pad, const int32_t* weights,
                              const int32_t* start, int64_t frames, int64_t threads, void* out, int64_t bytes) {
    by_type(bytes, [&](auto y) {
        depthwise_of(images, geometry, pad, weights, start, frames, threads, static_cast<decltype(y)*>(out));
    });
}

}  // extern "C"
