// Verilator counts ones with shifts and masks; the processor has an instruction for it. Included before each translated
// file, after Verilator's own definitions.
#pragma once
#include "verilated.h"

inline IData bitwright_popcount_wide(int words, WDataInP const value) {
    IData count = 0;
    for (int i = 0; i < words; ++i) count += static_cast<IData>(__builtin_popcount(value[i]));
    return count;
}

#define VL_COUNTONES_I(value) static_cast<IData>(__builtin_popcount(value))
#define VL_COUNTONES_E(value) static_cast<IData>(__builtin_popcount(value))
#define VL_COUNTONES_Q(value) static_cast<IData>(__builtin_popcountll(value))
#define VL_COUNTONES_W(words, value) bitwright_popcount_wide(words, value)
