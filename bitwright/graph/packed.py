"""Bit-packed {-1, +1} tensors and their products with bipolar or ternary weights (XNOR and popcount).

A vector of n values takes ceil(n / 64) words; bit i of word k stands for value 64 k + i, 1 for +1; bits past the end
are 0. Of tensors with more axes the last one is packed. The compiled kernel does the work; without g++ the same
functions run in NumPy, slower and equally exact.
"""

from __future__ import annotations

import ctypes
import functools
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright.errors import ToolMissingError
from bitwright.graph.types import IntArray
from bitwright.native import load_kernel

Words = NDArray[np.uint64]

KERNEL = Path(__file__).parent / "kernels" / "popcount.cpp"
THREAD_WORK = 1 << 22
"""Words to compare that are worth a second thread (about 2 ms)."""


@functools.cache
def kernel() -> ctypes.CDLL | None:
    """The compiled kernel, or None where there is no g++."""
    try:
        library = load_kernel(KERNEL)
    except ToolMissingError:
        return None
    pointer, size = ctypes.c_void_p, ctypes.c_int64
    for name, arguments in {
        "bitwright_pack": [pointer, size, size, pointer],
        "bitwright_unpack": [pointer, size, size, pointer],
        "bitwright_accumulate": [*[pointer] * 4, *[size] * 4, pointer],
        "bitwright_threshold": [*[pointer] * 5, *[size] * 4, pointer],
        "bitwright_conv_accumulate": [*[pointer] * 6, *[size] * 4, pointer],
        "bitwright_conv_threshold": [*[pointer] * 7, *[size] * 4, pointer],
        "bitwright_windows": [pointer, pointer, size, size, pointer],
    }.items():
        function = getattr(library, name)
        function.argtypes = arguments
        function.restype = None
    return library


def pack(values: IntArray) -> Words:
    """Values (..., n) to words (..., ceil(n / 64)): bit 1 where the value is above 0."""
    *leading, size = values.shape
    library = kernel()
    if library is None or values.dtype != np.int8:
        padded = np.zeros((*leading, -(-size // 64) * 64), dtype=np.bool_)
        padded[..., :size] = values > 0
        return np.packbits(padded, axis=-1, bitorder="little").view("<u8").astype(np.uint64, copy=False)
    held = np.ascontiguousarray(values)
    words: Words = np.empty((*leading, -(-size // 64)), dtype=np.uint64)
    library.bitwright_pack(held.ctypes.data, math.prod(leading), size, words.ctypes.data)
    return words


def unpack(words: Words, size: int) -> NDArray[np.int8]:
    """The inverse of `pack` for values -1 and +1: (..., size) int8."""
    library = kernel()
    if library is None:
        little = np.ascontiguousarray(words, dtype="<u8").view(np.uint8)
        bits = np.unpackbits(little, axis=-1, count=size, bitorder="little")
        return 2 * bits.astype(np.int8) - 1
    held = np.ascontiguousarray(words)
    values = np.empty((*words.shape[:-1], size), dtype=np.int8)
    library.bitwright_unpack(held.ctypes.data, math.prod(words.shape[:-1]), size, values.ctypes.data)
    return values


@dataclass(frozen=True, eq=False)
class PackedWeights:
    """Weights (outputs, inputs) of -1, 0, +1 as sign bits, and where a 0 occurs a mask of the others."""

    signs: Words
    mask: Words | None
    nonzero: NDArray[np.int32]

    @staticmethod
    def of(weights: IntArray) -> PackedWeights:
        """Pack a matrix of -1, 0 and +1."""
        present = weights != 0
        return PackedWeights(
            signs=pack(weights),
            mask=None if present.all() else pack(present.astype(np.int8)),
            nonzero=np.count_nonzero(present, axis=1).astype(np.int32),
        )

    def accumulate(self, x: Words) -> NDArray[np.int32]:
        """Dot products (..., outputs) of packed vectors (..., words) with every row."""
        library = kernel()
        if library is None:
            return self.nonzero - 2 * self.mismatches(x)
        outputs, words = self.signs.shape
        vectors, held = math.prod(x.shape[:-1]), np.ascontiguousarray(x)
        sums = np.empty((*x.shape[:-1], outputs), dtype=np.int32)
        library.bitwright_accumulate(
            held.ctypes.data, self.signs.ctypes.data, pointer_to(self.mask), self.nonzero.ctypes.data,
            vectors, outputs, words, self.threads(vectors), sums.ctypes.data,
        )  # fmt: skip
        return sums

    def threshold(self, x: Words, limits: NDArray[np.int32], flips: Words) -> Words:
        """Packed outputs (..., words): `(products that are -1) <= limits`, inverted where `flips` has a 1."""
        library = kernel()
        outputs, words = self.signs.shape
        if library is None:
            return pack((self.mismatches(x) <= limits).astype(np.int8)) ^ flips
        vectors, held = math.prod(x.shape[:-1]), np.ascontiguousarray(x)
        bits: Words = np.empty((*x.shape[:-1], -(-outputs // 64)), dtype=np.uint64)
        library.bitwright_threshold(
            held.ctypes.data, self.signs.ctypes.data, pointer_to(self.mask), limits.ctypes.data, flips.ctypes.data,
            vectors, outputs, words, self.threads(vectors), bits.ctypes.data,
        )  # fmt: skip
        return bits

    def threads(self, vectors: int) -> int:
        """Threads that so many vectors are worth."""
        return min(2, os.cpu_count() or 1, 1 + vectors * self.signs.size // THREAD_WORK)

    def mismatches(self, x: Words) -> NDArray[np.int32]:
        """Products that are -1, (..., outputs), in NumPy."""
        counts = np.empty((*x.shape[:-1], len(self.signs)), dtype=np.int32)
        for output, row in enumerate(self.signs):
            differing = x ^ row if self.mask is None else (x ^ row) & self.mask[output]
            counts[..., output] = np.bitwise_count(differing).sum(axis=-1, dtype=np.int32)
        return counts


def pointer_to(words: NDArray[Any] | None) -> int | None:
    """The address of an array for the kernel; None stays None."""
    return None if words is None else words.ctypes.data
