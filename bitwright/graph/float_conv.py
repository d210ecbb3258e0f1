"""Conv by floating-point matrix products of which no partial sum can round."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright.graph.matmul import exact_dtype
from bitwright.graph.ops import Conv, SlidingWindow
from bitwright.graph.types import IntArray, IntType, TensorSpec

BLOCK_BYTES = 1 << 22
"""What the kernel sees (im2col) of a block of frames, about."""


@dataclass(frozen=True, eq=False)
class FloatConv:
    """A Conv as matrix products of what its kernel sees, group by group, in a dtype that holds every partial sum."""

    window: SlidingWindow
    matrices: NDArray[Any]
    bias: NDArray[Any] | None
    pad_value: int
    output: np.dtype[Any]

    @staticmethod
    def of(operation: Conv, spec: TensorSpec) -> FloatConv:
        """Choose the dtype by the accumulator, which covers all partial sums in any order, and the operands."""
        sums = operation.accumulator_type(spec)
        ends = (spec.dtype.lo, spec.dtype.hi, operation.weight_type.lo, operation.weight_type.hi, operation.pad_value)
        dtype = exact_dtype(IntType(min(sums.lo, *ends), max(sums.hi, *ends)))
        outputs = len(operation.weights) // operation.groups
        rows = operation.weights.reshape(operation.groups, outputs, -1)
        return FloatConv(
            window=operation.window(spec),
            matrices=np.ascontiguousarray(rows.transpose(0, 2, 1), dtype=dtype),
            bias=None if operation.bias is None else operation.bias.astype(dtype),
            pad_value=operation.pad_value,
            output=operation.output_type(spec).numpy,
        )

    def __call__(self, x: IntArray) -> IntArray:
        """(frames, *size, channels) to (frames, *positions, outputs)."""
        groups, inputs, outputs = self.matrices.shape
        positions = math.prod(self.window.out)
        result: IntArray = np.empty((len(x), *self.window.out, groups * outputs), dtype=self.output)
        block = max(1, BLOCK_BYTES // (positions * groups * inputs * self.matrices.itemsize))
        for first in range(0, len(x), block):
            seen = self._seen(x[first : first + block])
            product = np.matmul(seen, self.matrices).transpose(1, 0, 2)
            some = result[first : first + block]
            sums = product.reshape(some.shape)
            some[...] = sums if self.bias is None else sums + self.bias
        return result

    def _seen(self, x: IntArray) -> NDArray[Any]:
        """What the kernel sees at each position, group by group: (groups, frames * positions, taps * channels)."""
        groups, inputs, _ = self.matrices.shape
        taps = math.prod(self.window.kernel)
        seen = np.empty((groups, len(x), *self.window.out, taps, inputs // taps), dtype=self.matrices.dtype)
        wide = x.astype(self.matrices.dtype)
        padded = self.window.pad(wide, self.pad_value) if self.window.padded else wide
        for tap, (_, view) in enumerate(self.window.views(padded)):
            parts = view.reshape(*view.shape[:-1], groups, inputs // taps)
            seen[..., tap, :] = np.moveaxis(parts, -2, 0)
        return seen.reshape(groups, -1, inputs)
