// Matrix products of {-1, +1} vectors, packed 64 to a word: bit 1 stands for +1, bits past the end are 0.
//
// With p = popcount((x ^ w) & mask), the number of products that are -1, a dot product is `base - 2 * p`, where base
// counts the products that are not 0 (Rastegari et al., XNOR-Net, 2016). Outputs go in blocks of 64 so that their
// weights stay in the first-level cache while all rows pass by.
//
// A row is a frame, or what a convolution's kernel sees at one position of one. Rows come from a function object
// `rows(row, scratch)`, which returns a pointer to the words of a row, in `scratch` if they must be put together first;
// each thread has its own copy of it.
//
// A few rows, and processors without AVX2, count words one by one. For many frames the popcount is a table lookup
// turned inside out: vpshufb looks 32 outputs' nibbles of weights up in the table of one nibble of x, "how many of
// these four differ", and the bytes that come out are added, so that nothing is ever summed across a vector (the
// lookup is that of Mula, Kurz and Lemire, 2016; tables by activation as in T-MAC, Wei et al., 2024).

#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

#include "parts.h"

#ifdef __AVX2__
#include <immintrin.h>
#endif

namespace {

constexpr int64_t BLOCK = 64;

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

// Word by word: finish(row, first output, outputs, counts of mismatches) for every row and block of outputs.
template <bool MASKED, typename Rows, typename Finish>
void by_words(Rows rows, const uint64_t* w, const uint64_t* mask, int64_t first, int64_t last, int64_t outputs,
              int64_t words, const Finish& finish) {
    int32_t counts[BLOCK];
    std::vector<uint64_t> scratch(static_cast<size_t>(words));
    for (int64_t o = 0; o < outputs; o += BLOCK) {
        const int64_t size = std::min(BLOCK, outputs - o);
        for (int64_t f = first; f < last; f++) {
            const uint64_t* x = rows(f, scratch.data());
            for (int64_t i = 0; i < size; i++)
                counts[i] = mismatches1<MASKED>(x, w + (o + i) * words,
                                                MASKED ? mask + (o + i) * words : nullptr, words);
            finish(f, o, size, counts);
        }
    }
}

#ifdef __AVX2__

constexpr int64_t TILE = 1024;  // rows whose nibbles are unfolded at a time
constexpr int64_t QUAD = 4;     // rows that share a load of weights
constexpr int64_t MANY = 32;    // rows from which on unfolding the weights pays
constexpr int64_t FLUSH = 63;   // additions of at most 4 to a byte
constexpr int64_t LONGEST = 1 << 9;  // words in a row, so that 16 bits hold every count

// table[n][p], twice over: bits set in n ^ p, or in n & p.
struct Tables {
    alignas(32) uint8_t differ[16][32];
    alignas(32) uint8_t both[16][32];
    Tables() {
        for (int n = 0; n < 16; n++)
            for (int p = 0; p < 32; p++) {
                differ[n][p] = static_cast<uint8_t>(__builtin_popcount(n ^ (p & 15)));
                both[n][p] = static_cast<uint8_t>(__builtin_popcount(n & (p & 15)));
            }
    }
};
const Tables tables;

// The 16 nibbles of a word, lowest first.
inline __m128i nibbles(uint64_t word) {
    const __m128i v = _mm_cvtsi64_si128(static_cast<int64_t>(word));
    const __m128i low = _mm_set1_epi8(15);
    return _mm_unpacklo_epi8(_mm_and_si128(v, low), _mm_and_si128(_mm_srli_epi16(v, 4), low));
}

// offsets[g][f] of QUAD frames' words x[f] ^ flip: nibble g times the 32 bytes of a table row.
inline void unfold_frames(const uint64_t* const x[QUAD], uint64_t flip, int64_t words, uint16_t* offsets) {
    for (int64_t k = 0; k < words; k++) {
        const __m128i a = nibbles(x[0][k] ^ flip), b = nibbles(x[1][k] ^ flip);
        const __m128i c = nibbles(x[2][k] ^ flip), d = nibbles(x[3][k] ^ flip);
        const __m128i ac[2] = {_mm_unpacklo_epi8(a, c), _mm_unpackhi_epi8(a, c)};
        const __m128i bd[2] = {_mm_unpacklo_epi8(b, d), _mm_unpackhi_epi8(b, d)};
        for (int h = 0; h < 4; h++) {
            const __m128i abcd =
                h % 2 ? _mm_unpackhi_epi8(ac[h / 2], bd[h / 2]) : _mm_unpacklo_epi8(ac[h / 2], bd[h / 2]);
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(offsets + (16 * k + 4 * h) * QUAD),
                                _mm256_slli_epi16(_mm256_cvtepu8_epi16(abcd), 5));
        }
    }
}

// weights[g][i] = nibble g of row i; rows past `size` are 0. With a mask, only bits of the mask that differ from w.
template <bool MASKED>
inline void unfold_weights(const uint64_t* w, const uint64_t* mask, int64_t size, int64_t words, uint8_t* weights) {
    for (int64_t i = 0; i < BLOCK; i += 16)
        for (int64_t k = 0; k < words; k++) {
            __m128i v[16], t[16];
            for (int64_t r = 0; r < 16; r++) {
                uint64_t word = 0;
                if (i + r < size) word = w[(i + r) * words + k];
                if (MASKED && i + r < size) word = mask[(i + r) * words + k] & ~word;
                v[r] = nibbles(word);
            }
            // Four perfect shuffles transpose 16 x 16 bytes.
            for (int round = 0; round < 4; round++) {
                for (int r = 0; r < 8; r++) {
                    t[2 * r] = _mm_unpacklo_epi8(v[r], v[r + 8]);
                    t[2 * r + 1] = _mm_unpackhi_epi8(v[r], v[r + 8]);
                }
                std::copy(t, t + 16, v);
            }
            for (int64_t n = 0; n < 16; n++)
                _mm_store_si128(reinterpret_cast<__m128i*>(weights + (16 * k + n) * BLOCK + i), v[n]);
        }
}

// counts[f][o] = sum over g of table[nibble g of frame f][weight nibble g of output o]. `offsets` (groups, QUAD) are
// nibbles times the 32 bytes of a table row; `weights` (groups, BLOCK) are nibbles.
inline void lookup(const uint8_t* table, const uint16_t* offsets, const uint8_t* weights, int64_t groups,
                   int32_t counts[QUAD][BLOCK]) {
    alignas(32) uint16_t sums[QUAD][BLOCK] = {};
    for (int64_t start = 0; start < groups; start += FLUSH) {
        const int64_t end = std::min(groups, start + FLUSH);
        __m256i bytes[QUAD][2];
        for (int f = 0; f < QUAD; f++) bytes[f][0] = bytes[f][1] = _mm256_setzero_si256();
        for (int64_t g = start; g < end; g++) {
            __m256i w0 = _mm256_load_si256(reinterpret_cast<const __m256i*>(weights + g * BLOCK));
            __m256i w1 = _mm256_load_si256(reinterpret_cast<const __m256i*>(weights + g * BLOCK + 32));
            // Holds the two in registers; the compiler would load them anew for each frame.
            __asm__("" : "+x"(w0), "+x"(w1));
            for (int f = 0; f < QUAD; f++) {
                const __m256i row =
                    _mm256_load_si256(reinterpret_cast<const __m256i*>(table + offsets[g * QUAD + f]));
                bytes[f][0] = _mm256_add_epi8(bytes[f][0], _mm256_shuffle_epi8(row, w0));
                bytes[f][1] = _mm256_add_epi8(bytes[f][1], _mm256_shuffle_epi8(row, w1));
            }
        }
        for (int f = 0; f < QUAD; f++)
            for (int h = 0; h < 4; h++) {
                const __m128i half = h % 2 ? _mm256_extracti128_si256(bytes[f][h / 2], 1)
                                           : _mm256_castsi256_si128(bytes[f][h / 2]);
                __m256i* sum = reinterpret_cast<__m256i*>(sums[f] + 16 * h);
                _mm256_store_si256(sum, _mm256_add_epi16(_mm256_load_si256(sum), _mm256_cvtepu8_epi16(half)));
            }
    }
    for (int f = 0; f < QUAD; f++)
        for (int64_t o = 0; o < BLOCK; o++) counts[f][o] = sums[f][o];
}

// As by_words. With a mask, mismatches are counted where w is +1 and x is not, then where w is -1 and x is +1.
template <bool MASKED, typename Rows, typename Finish>
void by_nibbles(Rows get, const uint64_t* w, const uint64_t* mask, int64_t first, int64_t last,
                int64_t outputs, int64_t words, const Finish& finish) {
    const int64_t half = 16 * words;
    const int64_t groups = MASKED ? 2 * half : half;
    const uint8_t* table = MASKED ? tables.both[0] : tables.differ[0];
    std::vector<uint16_t> offsets(static_cast<size_t>(groups * (std::min(TILE, last - first) + QUAD)));
    std::unique_ptr<uint8_t[], decltype(&std::free)> unfolded(
        static_cast<uint8_t*>(std::aligned_alloc(64, static_cast<size_t>(groups * BLOCK))), &std::free);
    uint8_t* weights = unfolded.get();
    int32_t counts[QUAD][BLOCK];
    std::vector<uint64_t> scratch(static_cast<size_t>(QUAD * words));
    for (int64_t tile = first; tile < last; tile += TILE) {
        const int64_t end = std::min(last, tile + TILE);
        for (int64_t f = tile; f < end; f += QUAD) {
            // A last quad that is not full repeats the last row.
            const uint64_t* rows[QUAD];
            for (int64_t q = 0; q < QUAD; q++)
                rows[q] = get(std::min(f + q, end - 1), scratch.data() + q * words);
            uint16_t* target = offsets.data() + (f - tile) * groups;
            unfold_frames(rows, MASKED ? ~uint64_t{0} : 0, words, target);
            if (MASKED) unfold_frames(rows, 0, words, target + half * QUAD);
        }
        for (int64_t o = 0; o < outputs; o += BLOCK) {
            const int64_t size = std::min(BLOCK, outputs - o);
            unfold_weights<false>(w + o * words, nullptr, size, words, weights);
            if (MASKED) unfold_weights<true>(w + o * words, mask + o * words, size, words, weights + half * BLOCK);
            for (int64_t f = tile; f < end; f += QUAD) {
                lookup(table, offsets.data() + (f - tile) * groups, weights, groups, counts);
                for (int64_t q = 0; q < std::min(QUAD, end - f); q++) finish(f + q, o, size, counts[q]);
            }
        }
    }
}

#endif

template <bool MASKED, typename Rows, typename Finish>
void count(const Rows& rows, const uint64_t* w, const uint64_t* mask, int64_t first, int64_t last, int64_t outputs,
           int64_t words, const Finish& finish) {
#ifdef __AVX2__
    if (last - first >= MANY && words <= LONGEST)
        return by_nibbles<MASKED>(rows, w, mask, first, last, outputs, words, finish);
#endif
    by_words<MASKED>(rows, w, mask, first, last, outputs, words, finish);
}

// Count for all rows, in `threads` equal parts at once.
template <typename Rows, typename Finish>
void split(const Rows& rows, const uint64_t* w, const uint64_t* mask, int64_t size, int64_t outputs, int64_t words,
           int64_t threads, const Finish& finish) {
    in_parts(size, threads, [=](int64_t first, int64_t last) {
        if (mask)
            count<true>(rows, w, mask, first, last, outputs, words, finish);
        else
            count<false>(rows, w, mask, first, last, outputs, words, finish);
    });
}

}  // namespace
