"""Threshold and Requant of signals and images in the compiled kernel: functions of an element and its channel."""

from __future__ import annotations

import ctypes
import functools
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bitwright.errors import ToolMissingError
from bitwright.graph.ops import Requant, Threshold
from bitwright.graph.types import IntArray, IntType, TensorSpec
from bitwright.native import load_kernel

KERNEL = Path(__file__).parent / "kernels" / "channelwise.cpp"

MANY_STEPS = 64
"""From this many thresholds on a binary search is quicker than comparing with all of them."""

THREAD_WORK = 1 << 20
"""Comparisons or products that are worth a second thread."""


@functools.cache
def kernel() -> ctypes.CDLL | None:
    """The compiled kernel, or None where there is no g++."""
    try:
        library = load_kernel(KERNEL)
    except ToolMissingError:
        return None
    pointer, size = ctypes.c_void_p, ctypes.c_int64
    for name, arguments in {
        "bitwright_count_thresholds": [
            pointer, *[size] * 3, pointer, size, size, pointer, pointer, size, pointer, size,
        ],
        "bitwright_requant": [pointer, *[size] * 3, pointer, pointer, *[size] * 5, pointer, size],
    }.items():  # fmt: skip
        function = getattr(library, name)
        function.argtypes = arguments
        function.restype = None
    return library


@dataclass(frozen=True, eq=False)
class ChannelThreshold:
    """A Threshold in int16 or int32: `base + unit * count(x >= t)` per channel.

    Thresholds are clipped to [lo, hi + 1] of the input, which changes no answer and lets them share its dtype.
    """

    library: ctypes.CDLL
    thresholds: IntArray
    search: bool
    base: IntArray
    unit: IntArray
    output_type: IntType

    @staticmethod
    def of(operation: Threshold, spec: TensorSpec, library: ctypes.CDLL) -> ChannelThreshold | None:
        """For inputs of the spec; None where an input or an output is too wide."""
        output = operation.output_type
        reach = max(abs(spec.dtype.lo), abs(spec.dtype.hi) + 1, abs(output.lo), abs(output.hi), 2 * operation.steps)
        dtype = np.dtype(np.int16) if reach < 1 << 15 else np.dtype(np.int32)
        if reach >= 1 << 31 or output.numpy.itemsize > 2:
            return None
        channels = spec.shape[-1]
        rows = np.clip(operation.thresholds, spec.dtype.lo, spec.dtype.hi + 1).astype(dtype)
        rows = np.broadcast_to(rows, (channels, operation.steps))
        search = operation.steps >= MANY_STEPS
        step = 2 if output.kind == "bipolar" else 1
        ascending = np.broadcast_to(operation.ascending, (channels,))
        return ChannelThreshold(
            library=library,
            thresholds=np.ascontiguousarray(rows if search else rows.T),
            search=search,
            base=np.where(ascending, output.lo, output.hi).astype(dtype),
            unit=np.where(ascending, step, -step).astype(dtype),
            output_type=output,
        )

    def __call__(self, x: IntArray) -> IntArray:
        """The operation's result, same shape."""
        held = np.ascontiguousarray(x, dtype=self.base.dtype)
        result: IntArray = np.empty(x.shape, dtype=self.output_type.numpy)
        channels, steps = len(self.base), self.thresholds.size // len(self.base)
        self.library.bitwright_count_thresholds(
            held.ctypes.data, held.itemsize, held.size // channels, channels, self.thresholds.ctypes.data, steps,
            int(self.search), self.base.ctypes.data, self.unit.ctypes.data, threads(held.size * steps),
            result.ctypes.data, result.itemsize,
        )  # fmt: skip
        return result


@dataclass(frozen=True, eq=False)
class ChannelRequant:
    """A Requant whose products are computed in int32 or int64."""

    library: ctypes.CDLL
    multiplier: IntArray
    offset: IntArray
    shift: int
    input_dtype: np.dtype[Any]
    output_type: IntType

    @staticmethod
    def of(operation: Requant, spec: TensorSpec, library: ctypes.CDLL) -> ChannelRequant | None:
        """For inputs of the spec; None where an input or an output is too wide."""
        output = operation.output_type
        if spec.dtype.numpy.itemsize > 4 or output.numpy.itemsize > 2:
            return None
        largest = max(abs(spec.dtype.lo), abs(spec.dtype.hi), 1)
        factors, offsets = (np.abs(values.astype(object)) for values in (operation.multiplier, operation.offset))
        narrow = int((factors * largest + offsets).max()) < 1 << 31 and operation.shift < 32
        wide = np.dtype(np.int32 if narrow else np.int64)
        channels = spec.shape[-1]
        multiplier, offset = (
            np.ascontiguousarray(np.broadcast_to(values, (channels,)), dtype=wide)
            for values in (operation.multiplier, operation.offset)
        )
        dtype = np.dtype(np.int16 if spec.dtype.numpy.itemsize <= 2 else np.int32)
        return ChannelRequant(library, multiplier, offset, operation.shift, dtype, output)

    def __call__(self, x: IntArray) -> IntArray:
        """The operation's result, same shape."""
        held = np.ascontiguousarray(x, dtype=self.input_dtype)
        result: IntArray = np.empty(x.shape, dtype=self.output_type.numpy)
        channels = len(self.multiplier)
        self.library.bitwright_requant(
            held.ctypes.data, held.itemsize, held.size // channels, channels, self.multiplier.ctypes.data,
            self.offset.ctypes.data, self.multiplier.itemsize, self.shift, self.output_type.lo, self.output_type.hi,
            threads(held.size), result.ctypes.data, result.itemsize,
        )  # fmt: skip
        return result


def threads(work: int) -> int:
    """Threads that so many comparisons or products are worth."""
    return min(2, os.cpu_count() or 1, 1 + work // THREAD_WORK)
