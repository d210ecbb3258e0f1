"""Conv of small integers in the compiled kernels: 16-bit operands, 32-bit sums, and depthwise ones."""

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
from bitwright.graph.ops import Conv, SlidingWindow, Threshold
from bitwright.graph.packed import Words, pack
from bitwright.graph.packed_conv import geometry
from bitwright.graph.types import IntArray, IntType, TensorSpec
from bitwright.native import load_kernel

KERNEL = Path(__file__).parent / "kernels" / "integers.cpp"
LANES = 16
"""Outputs that the kernel makes at once."""

SPARE = 16
"""Elements behind an image that the kernel may read, and does not use."""

THREAD_WORK = 1 << 22
"""Multiply-accumulates that are worth a second thread (about a tenth of a millisecond)."""

INT16 = IntType.signed_bits(16)
LARGEST_SUM = (1 << 31) - 2


@functools.cache
def kernel() -> ctypes.CDLL | None:
    """The compiled kernel, or None where there is no g++."""
    try:
        library = load_kernel(KERNEL)
    except ToolMissingError:
        return None
    pointer, size = ctypes.c_void_p, ctypes.c_int64
    for name, arguments in {
        "bitwright_integer_conv": [pointer, pointer, size, size, pointer, pointer, *[size] * 4, pointer, size],
        "bitwright_integer_conv_threshold": [pointer, pointer, size, *[pointer] * 4, *[size] * 4, pointer],
        "bitwright_depthwise_conv": [pointer, pointer, size, pointer, pointer, size, size, pointer, size],
    }.items():
        function = getattr(library, name)
        function.argtypes = arguments
        function.restype = None
    return library


def is_small(operation: Conv, spec: TensorSpec) -> bool:
    """Whether the operands of a Conv fit 16 bits and all its partial sums 32."""
    sums = operation.accumulator_type(spec)
    ends = (spec.dtype.lo, spec.dtype.hi, operation.pad_value, operation.weight_type.lo, operation.weight_type.hi)
    return all(INT16.lo <= v <= INT16.hi for v in ends) and max(sums.hi, -sums.lo) <= LARGEST_SUM


def is_depthwise(operation: Conv) -> bool:
    """Whether each output reads one channel."""
    return operation.weights.shape[-1] == 1 and operation.groups > 1


@dataclass(frozen=True, eq=False)
class IntegerConv:
    """A Conv for which `is_small` holds, in the kernel: integers in, sums or packed bits out."""

    library: ctypes.CDLL
    window: SlidingWindow
    geometry: NDArray[np.int64]
    weights: NDArray[np.int16]
    start: NDArray[np.int32]
    outputs: int
    groups: int
    pairs: int
    pad_value: int
    output: np.dtype[Any]

    @staticmethod
    def of(operation: Conv, spec: TensorSpec, library: ctypes.CDLL) -> IntegerConv:
        """Lay out the weights as (groups, blocks, pairs of inputs, 16 outputs, 2), filled up with zeros.

        The bias is laid out as (groups, blocks, 16 outputs).
        """
        window = operation.window(spec)
        groups, outputs = operation.groups, len(operation.weights) // operation.groups
        rows = operation.weights.reshape(groups, outputs, -1)
        blocks, pairs = -(-outputs // LANES), -(-rows.shape[2] // 2)
        filled = np.zeros((groups, blocks * LANES, pairs * 2), dtype=np.int16)
        filled[:, :outputs, : rows.shape[2]] = rows
        start = np.zeros((groups, blocks * LANES), dtype=np.int32)
        start[:, :outputs] = starts(operation).reshape(groups, outputs)
        laid = filled.reshape(groups, blocks, LANES, pairs, 2).transpose(0, 1, 3, 2, 4)
        return IntegerConv(
            library=library,
            window=window,
            geometry=geometry(window, spec.shape[-1]),
            weights=np.ascontiguousarray(laid),
            start=np.ascontiguousarray(start),
            outputs=len(operation.weights),
            groups=groups,
            pairs=pairs,
            pad_value=operation.pad_value,
            output=operation.output_type(spec).numpy,
        )

    def __call__(self, x: IntArray) -> IntArray:
        """(frames, *size, channels) to (frames, *positions, outputs)."""
        held = operand(x)
        sums: IntArray = np.empty((len(x), *self.window.out, self.outputs), dtype=self.output)
        self.library.bitwright_integer_conv(
            held.ctypes.data, self.geometry.ctypes.data, self.groups, self.pad_value,
            self.weights.ctypes.data, self.start.ctypes.data, len(x), self.outputs, self.pairs, self._threads(x),
            sums.ctypes.data, sums.itemsize,
        )  # fmt: skip
        return sums

    def threshold(self, x: IntArray, limits: NDArray[np.int32], flips: Words) -> Words:
        """Packed bits (frames, *positions, words): `sum >= limits`, inverted where flips are 1; for one group."""
        held = operand(x)
        outputs = self.outputs
        bits: Words = np.empty((len(x), *self.window.out, -(-outputs // 64)), dtype=np.uint64)
        self.library.bitwright_integer_conv_threshold(
            held.ctypes.data, self.geometry.ctypes.data, self.pad_value, self.weights.ctypes.data,
            self.start.ctypes.data, limits.ctypes.data, flips.ctypes.data, len(x), outputs, self.pairs,
            self._threads(x), bits.ctypes.data,
        )  # fmt: skip
        return bits

    def _threads(self, x: IntArray) -> int:
        return threads(len(x) * math.prod(self.window.out) * self.weights.size)


@dataclass(frozen=True, eq=False)
class IntegerConvThreshold:
    """A Conv of one group and the bipolar Threshold behind it: integers in, packed bits out."""

    conv: IntegerConv
    limits: NDArray[np.int32]
    flips: Words

    @staticmethod
    def of(conv: IntegerConv, threshold: Threshold) -> IntegerConvThreshold:
        """For a Conv and the Threshold that alone reads it."""
        outputs = conv.outputs
        rows = np.broadcast_to(threshold.thresholds[:, 0], (outputs,))
        limits = np.clip(rows, -LARGEST_SUM - 1, LARGEST_SUM + 1).astype(np.int32)
        descending = np.broadcast_to(~threshold.ascending, (outputs,))
        return IntegerConvThreshold(conv, limits, pack(descending.astype(np.int8)))

    def __call__(self, x: IntArray) -> Words:
        """(frames, *size, channels) to (frames, *positions, words)."""
        return self.conv.threshold(x, self.limits, self.flips)


@dataclass(frozen=True, eq=False)
class DepthwiseConv:
    """A Conv for which `is_depthwise` and `is_small` hold, in the kernel."""

    library: ctypes.CDLL
    window: SlidingWindow
    geometry: NDArray[np.int64]
    weights: NDArray[np.int32]
    start: NDArray[np.int32]
    copies: int
    pad_value: int
    output: np.dtype[Any]

    @staticmethod
    def of(operation: Conv, spec: TensorSpec, library: ctypes.CDLL) -> DepthwiseConv:
        """Lay out the weights as (taps, outputs)."""
        window = operation.window(spec)
        outputs = len(operation.weights)
        return DepthwiseConv(
            library=library,
            window=window,
            geometry=geometry(window, outputs),
            weights=np.ascontiguousarray(operation.weights.reshape(outputs, -1).T, dtype=np.int32),
            start=starts(operation),
            copies=outputs // operation.groups,
            pad_value=operation.pad_value,
            output=operation.output_type(spec).numpy,
        )

    def __call__(self, x: IntArray) -> IntArray:
        """(frames, *size, channels) to (frames, *positions, outputs)."""
        held = operand(x if self.copies == 1 else np.repeat(x, self.copies, axis=-1))
        sums: IntArray = np.empty((len(x), *self.window.out, len(self.start)), dtype=self.output)
        self.library.bitwright_depthwise_conv(
            held.ctypes.data, self.geometry.ctypes.data, self.pad_value, self.weights.ctypes.data,
            self.start.ctypes.data, len(x), threads(4 * sums.size * len(self.weights)), sums.ctypes.data,
            sums.itemsize,
        )  # fmt: skip
        return sums


def starts(operation: Conv) -> NDArray[np.int32]:
    """What the sums of each output start from: the bias."""
    outputs = len(operation.weights)
    return np.zeros(outputs, np.int32) if operation.bias is None else operation.bias.astype(np.int32)


def operand(x: IntArray) -> IntArray:
    """Images as the kernels take them: flat, int16, with some elements to spare behind them."""
    flat = np.empty(x.size + SPARE, dtype=np.int16)
    flat[: x.size].reshape(x.shape)[...] = x
    flat[x.size :] = 0
    return flat


def threads(work: int) -> int:
    """Threads that so many multiply-accumulates are worth."""
    return min(2, os.cpu_count() or 1, 1 + work // THREAD_WORK)
