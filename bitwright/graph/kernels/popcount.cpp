// Matrix products of {-1, +1} vectors, packed 64 to a word: bit 1 stands for +1, bits past the end are 0.
//
// With p = popcount((x ^ w) & mask), the number of products that are -1, a dot product is `base - 2 * p`, where base
// counts the products that are not 0 (Rastegari et al., XNOR-Net, 2016). The popcount of 256 bits is Mula's: two
// 16-entry table lookups by vpshufb, bytes summed by vpsadbw (Mula, Kurz, Lemire, 2016). Outputs go in groups of 64
// so that their weights stay in the first-level cache while all frames pass by.

#include <algorithm>
#include <cstdint>
#include <thread>
#include <vector>

#ifdef __AVX2__
#include <immintrin.h>
#endif

namespace {

constexpr int64_t GROUP = 64;

#ifdef __AVX2__
// Byte-wise popcounts of v, each 0 to 8.
inline __m256i byte_counts(__m256i v) {
    const __m256i table = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4,
                                           0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
    const __m256i low = _mm256_set1_epi8(15);
    const __m256i a = _mm256_shuffle_epi8(table, _mm256_and_si256(v, low));
    const __m256i b = _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16(v, 4), low));
    return _mm256_add_epi8(a, b);
}
#endif

// out[0..3] = popcount((x ^ w) & mask) for four rows of weights that lie `words` apart.
template <bool MASKED>
inline void mismatches4(const uint64_t* x, const uint64_t* w, const uint64_t* mask, int64_t words, int32_t* out) {
    int64_t k = 0;
#ifdef __AVX2__
    const __m256i zero = _mm256_setzero_si256();
    __m256i sum[4] = {zero, zero, zero, zero};
    const int64_t whole = words / 4 * 4;
    while (k < whole) {
        // A byte holds up to 255: 31 additions of at most 8.
        const int64_t end = std::min(whole, k + 4 * 31);
        __m256i bytes[4] = {zero, zero, zero, zero};
        for (; k < end; k += 4) {
            const __m256i vx = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x + k));
            for (int r = 0; r < 4; r++) {
                __m256i v = _mm256_xor_si256(
                    vx, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(w + r * words + k)));
                if (MASKED)
                    v = _mm256_and_si256(
                        v, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(mask + r * words + k)));
                bytes[r] = _mm256_add_epi8(bytes[r], byte_counts(v));
            }
        }
        for (int r = 0; r < 4; r++) sum[r] = _mm256_add_epi64(sum[r], _mm256_sad_epu8(bytes[r], zero));
    }
    // Sums are below 2^32, so two rows share the 64-bit lanes of one vector.
    const __m256i s01 = _mm256_or_si256(sum[0], _mm256_slli_epi64(sum[1], 32));
    const __m256i s23 = _mm256_or_si256(sum[2], _mm256_slli_epi64(sum[3], 32));
    const __m256i pairs = _mm256_add_epi32(_mm256_unpacklo_epi64(s01, s23), _mm256_unpackhi_epi64(s01, s23));
    const __m128i total = _mm_add_epi32(_mm256_castsi256_si128(pairs), _mm256_extracti128_si256(pairs, 1));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out), total);
#else
    for (int r = 0; r < 4; r++) out[r] = 0;
#endif
    for (; k < words; k++)
        for (int r = 0; r < 4; r++) {
            uint64_t v = x[k] ^ w[r * words + k];
            if (MASKED) v &= mask[r * words + k];
            out[r] += __builtin_popcountll(v);
        }
}

template <bool MASKED>
inline int32_t mismatches1(const uint64_t* x, const uint64_t* w, const uint64_t* mask, int64_t words) {
    int32_t sum = 0;
    for (int64_t k = 0; k < words; k++) {
        uint64_t v = x[k] ^ w[k];
        if (MASKED) v &= mask[k];
        sum += __builtin_popcountll(v);
    }
    return sum;
}

// counts[0..size) = mismatches of one frame with `size` <= GROUP rows.
template <bool MASKED>
inline void mismatches(const uint64_t* x, const uint64_t* w, const uint64_t* mask, int64_t words, int64_t size,
                       int32_t* counts) {
    int64_t o = 0;
    for (; o + 4 <= size; o += 4)
        mismatches4<MASKED>(x, w + o * words, MASKED ? mask + o * words : nullptr, words, counts + o);
    for (; o < size; o++)
        counts[o] = mismatches1<MASKED>(x, w + o * words, MASKED ? mask + o * words : nullptr, words);
}

// Bit o is set where counts[o] <= limits[o].
inline uint64_t reached(const int32_t* counts, const int32_t* limits, int64_t size) {
    uint64_t bits = 0;
    int64_t o = 0;
#ifdef __AVX2__
    for (; o + 8 <= size; o += 8) {
        const __m256i over = _mm256_cmpgt_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(counts + o)),
                                                _mm256_loadu_si256(reinterpret_cast<const __m256i*>(limits + o)));
        bits |= static_cast<uint64_t>(~_mm256_movemask_ps(_mm256_castsi256_ps(over)) & 255) << o;
    }
#endif
    for (; o < size; o++) bits |= static_cast<uint64_t>(counts[o] <= limits[o]) << o;
    return bits;
}

template <bool MASKED>
void accumulate(const uint64_t* x, const uint64_t* w, const uint64_t* mask, const int32_t* base, int64_t first,
                int64_t last, int64_t outputs, int64_t words, int32_t* out) {
    int32_t counts[GROUP];
    for (int64_t o = 0; o < outputs; o += GROUP) {
        const int64_t size = std::min(GROUP, outputs - o);
        for (int64_t f = first; f < last; f++) {
            mismatches<MASKED>(x + f * words, w + o * words, MASKED ? mask + o * words : nullptr, words, size, counts);
            for (int64_t i = 0; i < size; i++) out[f * outputs + o + i] = base[o + i] - 2 * counts[i];
        }
    }
}

template <bool MASKED>
void threshold(const uint64_t* x, const uint64_t* w, const uint64_t* mask, const int32_t* limits,
               const uint64_t* flips, int64_t first, int64_t last, int64_t outputs, int64_t words, uint64_t* out) {
    int32_t counts[GROUP];
    const int64_t groups = (outputs + GROUP - 1) / GROUP;
    for (int64_t g = 0; g < groups; g++) {
        const int64_t o = g * GROUP;
        const int64_t size = std::min(GROUP, outputs - o);
        for (int64_t f = first; f < last; f++) {
            mismatches<MASKED>(x + f * words, w + o * words, MASKED ? mask + o * words : nullptr, words, size, counts);
            out[f * groups + g] = reached(counts, limits + o, size) ^ flips[g];
        }
    }
}

// Call work(first, last) for `threads` equal parts of the frames at once.
template <typename Work>
void split(int64_t frames, int64_t threads, const Work& work) {
    threads = std::max<int64_t>(1, std::min(threads, frames));
    std::vector<std::thread> others;
    for (int64_t t = 1; t < threads; t++)
        others.emplace_back(work, frames * t / threads, frames * (t + 1) / threads);
    work(0, frames / threads);
    for (auto& other : others) other.join();
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
    split(frames, threads, [=](int64_t first, int64_t last) {
        if (mask)
            accumulate<true>(x, w, mask, base, first, last, outputs, words, out);
        else
            accumulate<false>(x, w, mask, base, first, last, outputs, words, out);
    });
}

// out (frames, ceil(outputs / 64)), packed: bit o = (popcount((x ^ w) & mask) <= limits[o]) ^ flips bit o.
void bitwright_threshold(const uint64_t* x, const uint64_t* w, const uint64_t* mask, const int32_t* limits,
                         const uint64_t* flips, int64_t frames, int64_t outputs, int64_t words, int64_t threads,
                         uint64_t* out) {
    split(frames, threads, [=](int64_t first, int64_t last) {
        if (mask)
            threshold<true>(x, w, mask, limits, flips, first, last, outputs, words, out);
        else
            threshold<false>(x, w, mask, limits, flips, first, last, outputs, words, out);
    });
}

}  // extern "C"
