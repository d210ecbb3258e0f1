// Packed bits: packing, dot products of vectors and of the windows of images, and their thresholds.

#include "geometry.h"
#include "popcount.h"

namespace {

// Rows that lie one behind the other.
struct Vectors {
    const uint64_t* x;
    int64_t words;
    const uint64_t* operator()(int64_t row, uint64_t*) { return x + row * words; }
};

// What a kernel sees of packed images, whose pixels take whole words: the bits of its elements one behind the other.
// Padding is 0, as the bit of -1.
struct Windows {
    const uint64_t* images;
    Walk walk;

    const uint64_t* operator()(int64_t row, uint64_t* scratch) {
        const int64_t channels = walk.g.channels, words = (channels + 63) / 64;
        walk.go(row);
        if (channels % 64 == 0) {
            uint64_t* target = scratch;
            walk.window([&](int64_t pixel, int64_t count) {
                if (pixel < 0)
                    std::fill(target, target + count * words, 0);
                else
                    std::copy(images + pixel * words, images + (pixel + count) * words, target);
                target += count * words;
            });
            return scratch;
        }
        std::fill(scratch, scratch + (walk.g.taps() * channels + 63) / 64, 0);
        int64_t start = 0;
        walk.window([&](int64_t pixel, int64_t count) {
            for (int64_t i = 0; pixel >= 0 && i < count; i++)
                append(images + (pixel + i) * words, channels, start + i * channels, scratch);
            start += count * channels;
        });
        return scratch;
    }

    // The bits of one pixel to those of scratch from `start` on.
    static void append(const uint64_t* pixel, int64_t channels, int64_t start, uint64_t* scratch) {
        for (int64_t k = 0; 64 * k < channels; k++) {
            const int64_t place = start + 64 * k, end = std::min(place + 64, start + channels);
            scratch[place / 64] |= pixel[k] << (place % 64);
            if ((end - 1) / 64 > place / 64) scratch[place / 64 + 1] |= pixel[k] >> (64 - place % 64);
        }
    }
};

// Where `kinds` tells the kind of each position, position p takes row kinds[p] of a table (kinds, outputs).
struct Table {
    const int32_t* values;
    const int32_t* kinds;
    int64_t positions, outputs;
    const int32_t* operator()(int64_t row) const { return kinds ? values + kinds[row % positions] * outputs : values; }
};

template <typename Rows>
void accumulate(const Rows& rows, const uint64_t* w, const uint64_t* mask, const Table& base, int64_t size,
                int64_t words, int64_t threads, int32_t* out) {
    const int64_t outputs = base.outputs;
    split(rows, w, mask, size, outputs, words, threads,
          [=](int64_t row, int64_t o, int64_t count, const int32_t* counts) {
              const int32_t* start = base(row) + o;
              for (int64_t i = 0; i < count; i++) out[row * outputs + o + i] = start[i] - 2 * counts[i];
          });
}

template <typename Rows>
void threshold(const Rows& rows, const uint64_t* w, const uint64_t* mask, const Table& limits, const uint64_t* flips,
               int64_t size, int64_t words, int64_t threads, uint64_t* out) {
    const int64_t blocks = (limits.outputs + BLOCK - 1) / BLOCK;
    split(rows, w, mask, size, limits.outputs, words, threads,
          [=](int64_t row, int64_t o, int64_t count, const int32_t* counts) {
              out[row * blocks + o / BLOCK] = reached(counts, limits(row) + o, count) ^ flips[o / BLOCK];
          });
}

}  // namespace

extern "C" {

// x (frames, n) int8 to bits (frames, ceil(n / 64)): 1 where x > 0.
void bitwright_pack(const int8_t* x, int64_t frames, int64_t n, uint64_t* out) {
    const int64_t words = (n + 63) / 64;
    for (int64_t f = 0; f < frames; f++) {
        const int8_t* row = x + f * n;
        for (int64_t k = 0; k < words; k++) {
            uint64_t bits = 0;
            int64_t i = 0;
            const int64_t size = std::min<int64_t>(64, n - 64 * k);
#ifdef __AVX2__
            for (; i + 32 <= size; i += 32) {
                const __m256i v = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(row + 64 * k + i));
                const __m256i positive = _mm256_cmpgt_epi8(v, _mm256_setzero_si256());
                bits |= static_cast<uint64_t>(static_cast<uint32_t>(_mm256_movemask_epi8(positive))) << i;
            }
#endif
            for (; i < size; i++) bits |= static_cast<uint64_t>(row[64 * k + i] > 0) << i;
            out[f * words + k] = bits;
        }
    }
}

// The inverse: bits to -1 and +1.
void bitwright_unpack(const uint64_t* bits, int64_t frames, int64_t n, int8_t* out) {
    const int64_t words = (n + 63) / 64;
    for (int64_t f = 0; f < frames; f++)
        for (int64_t i = 0; i < n; i++)
            out[f * n + i] = static_cast<int8_t>(2 * static_cast<int>((bits[f * words + i / 64] >> (i % 64)) & 1) - 1);
}

// out (frames, outputs) = base - 2 * popcount((x ^ w) & mask); mask may be null.
void bitwright_accumulate(const uint64_t* x, const uint64_t* w, const uint64_t* mask, const int32_t* base,
                          int64_t frames, int64_t outputs, int64_t words, int64_t threads, int32_t* out) {
    accumulate(Vectors{x, words}, w, mask, Table{base, nullptr, 1, outputs}, frames, words, threads, out);
}

// out (frames, ceil(outputs / 64)), packed: bit o = (popcount((x ^ w) & mask) <= limits[o]) ^ flips bit o.
void bitwright_threshold(const uint64_t* x, const uint64_t* w, const uint64_t* mask, const int32_t* limits,
                         const uint64_t* flips, int64_t frames, int64_t outputs, int64_t words, int64_t threads,
                         uint64_t* out) {
    threshold(Vectors{x, words}, w, mask, Table{limits, nullptr, 1, outputs}, flips, frames, words, threads, out);
}

// The same for every window of packed images, with a base for each kind of position; `geometry` are the fields of
// Geometry. out (frames, positions, outputs).
void bitwright_conv_accumulate(const uint64_t* images, const int64_t* geometry, const uint64_t* w, const uint64_t* mask,
                               const int32_t* base, const int32_t* kinds, int64_t frames, int64_t outputs,
                               int64_t words, int64_t threads, int32_t* out) {
    const Geometry g(geometry);
    const Table table{base, kinds, g.positions(), outputs};
    accumulate(Windows{images, Walk(g)}, w, mask, table, frames * g.positions(), words, threads, out);
}

// out (frames, positions, ceil(outputs / 64)), packed.
void bitwright_conv_threshold(const uint64_t* images, const int64_t* geometry, const uint64_t* w, const uint64_t* mask,
                              const int32_t* limits, const int32_t* kinds, const uint64_t* flips, int64_t frames,
                              int64_t outputs, int64_t words, int64_t threads, uint64_t* out) {
    const Geometry g(geometry);
    const Table table{limits, kinds, g.positions(), outputs};
    threshold(Windows{images, Walk(g)}, w, mask, table, flips, frames * g.positions(), words, threads, out);
}

// The windows of packed images themselves: out (frames, positions, ceil(taps * channels / 64)).
void bitwright_windows(const uint64_t* images, const int64_t* geometry, int64_t frames, int64_t words, uint64_t* out) {
    Windows rows{images, Walk(Geometry(geometry))};
    for (int64_t row = 0; row < frames * rows.walk.g.positions(); row++) rows(row, out + row * words);
}

}  // extern "C"
