// Functions of one element and its channel: thresholds and requantization of tensors (rows, channels).

#include <algorithm>
#include <cstdint>

#include "parts.h"

namespace {

// call(T{}, U{}) with the types of inputs of 2 or 4 bytes and of outputs of 1 or 2.
template <typename Call>
void by_types(int64_t x_bytes, int64_t out_bytes, const Call& call) {
    if (x_bytes == 2)
        out_bytes == 1 ? call(int16_t{}, int8_t{}) : call(int16_t{}, int16_t{});
    else
        out_bytes == 1 ? call(int32_t{}, int8_t{}) : call(int32_t{}, int16_t{});
}

constexpr int64_t BYTES = 32;
template <typename T>
struct Vector {
    typedef T type __attribute__((vector_size(BYTES), aligned(1), may_alias));
};

// counts of thresholds (steps, channels) that the elements of a row reach, then out = base + unit * count.
template <typename T, typename U>
void count_row(const T* x, int64_t channels, const T* thresholds, int64_t steps, const T* base, const T* unit, U* out) {
    using V = typename Vector<T>::type;
    constexpr int64_t lanes = BYTES / static_cast<int64_t>(sizeof(T));
    const auto at = [](const T* place) -> const V& { return *reinterpret_cast<const V*>(place); };
    int64_t c = 0;
    for (; c + lanes <= channels; c += lanes) {
        const V values = at(x + c);
        V count = {};
        // A comparison that holds is -1.
        for (int64_t s = 0; s < steps; s++) count -= values >= at(thresholds + s * channels + c);
        const V result = at(base + c) + at(unit + c) * count;
        for (int64_t i = 0; i < lanes; i++) out[c + i] = static_cast<U>(result[i]);
    }
    for (; c < channels; c++) {
        T count = 0;
        for (int64_t s = 0; s < steps; s++) count = static_cast<T>(count + (x[c] >= thresholds[s * channels + c]));
        out[c] = static_cast<U>(base[c] + unit[c] * count);
    }
}

// The same by binary search, with thresholds (channels, steps).
template <typename T, typename U>
void search_row(const T* x, int64_t channels, const T* thresholds, int64_t steps, const T* base, const T* unit,
                U* out) {
    for (int64_t c = 0; c < channels; c++) {
        const T* row = thresholds + c * steps;
        int64_t count = 0, left = steps;
        while (left > 0) {
            const int64_t half = (left + 1) / 2;
            count += x[c] >= row[count + half - 1] ? half : 0;
            left -= half;
        }
        out[c] = static_cast<U>(base[c] + unit[c] * count);
    }
}

template <typename T, typename U, typename Wide>
void requant_row(const T* __restrict__ x, int64_t channels, const Wide* __restrict__ multiplier,
                 const Wide* __restrict__ offset, int64_t shift, Wide low, Wide high, U* __restrict__ out) {
    for (int64_t c = 0; c < channels; c++) {
        const Wide quotient = (static_cast<Wide>(x[c]) * multiplier[c] + offset[c]) >> shift;
        out[c] = static_cast<U>(std::min(std::max(quotient, low), high));
    }
}

template <typename T, typename U, typename Wide>
void requant_all(const T* x, int64_t rows, int64_t channels, const void* multiplier, const void* offset, int64_t shift,
                 int64_t low, int64_t high, int64_t threads, U* out) {
    in_parts(rows, threads, [=](int64_t first, int64_t last) {
        for (int64_t r = first; r < last; r++)
            requant_row(x + r * channels, channels, static_cast<const Wide*>(multiplier),
                        static_cast<const Wide*>(offset), shift, static_cast<Wide>(low), static_cast<Wide>(high),
                        out + r * channels);
    });
}

}  // namespace

extern "C" {

// x (rows, channels), thresholds, base and unit (channels) of x_bytes an element, 2 or 4; thresholds are (steps,
// channels), or (channels, steps) where `search` is 1. out (rows, channels) of out_bytes an element, 1 or 2.
void bitwright_count_thresholds(const void* x, int64_t x_bytes, int64_t rows, int64_t channels, const void* thresholds,
                                int64_t steps, int64_t search, const void* base, const void* unit, int64_t threads,
                                void* out, int64_t out_bytes) {
    by_types(x_bytes, out_bytes, [=](auto input, auto output) {
        using T = decltype(input);
        using U = decltype(output);
        const T* const values = static_cast<const T*>(x);
        const T* const limits = static_cast<const T*>(thresholds);
        const T *const from = static_cast<const T*>(base), *const step = static_cast<const T*>(unit);
        U* const target = static_cast<U*>(out);
        in_parts(rows, threads, [=](int64_t first, int64_t last) {
            for (int64_t r = first; r < last; r++)
                (search ? search_row<T, U> : count_row<T, U>)(values + r * channels, channels, limits, steps, from,
                                                              step, target + r * channels);
        });
    });
}

// out = clip((x * multiplier + offset) >> shift, low, high) for x (rows, channels) of x_bytes an element, 2 or 4;
// multiplier and offset (channels) of wide_bytes an element, 4 or 8, in which all is computed; out of out_bytes, 1 or 2.
void bitwright_requant(const void* x, int64_t x_bytes, int64_t rows, int64_t channels, const void* multiplier,
                       const void* offset, int64_t wide_bytes, int64_t shift, int64_t low, int64_t high,
                       int64_t threads, void* out, int64_t out_bytes) {
    by_types(x_bytes, out_bytes, [=](auto input, auto output) {
        using T = decltype(input);
        using U = decltype(output);
        (wide_bytes == 4 ? requant_all<T, U, int32_t> : requant_all<T, U, int64_t>)(
            static_cast<const T*>(x), rows, channels, multiplier, offset, shift, low, high, threads,
            static_cast<U*>(out));
    });
}

}  // extern "C"
