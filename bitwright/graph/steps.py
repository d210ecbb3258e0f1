"""Fast exact forms of Threshold, Requant, Add and the pools."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright.graph.ops import Add, MaxPool, Requant, SumPool, Threshold
from bitwright.graph.types import IntArray, IntType, TensorSpec

FEW_STEPS = 16
"""Up to this many steps, a vectorised compare for each is quicker than anything else."""

TABLE_ENTRIES = 1 << 21
"""Entries (channels times input values) of a table of all answers that is worth its memory."""


@dataclass(frozen=True, eq=False)
class FastThreshold:
    """A Threshold for inputs of a known type, by compares, by a table of all answers, or by binary search.

    Thresholds are clipped to [lo, hi + 1] of the input, which changes no answer and lets them share its dtype.
    """

    rows: IntArray
    ascending: NDArray[np.bool_]
    output_type: IntType
    table: IntArray | None
    lowest: int

    @staticmethod
    def of(operation: Threshold, input_type: IntType) -> FastThreshold:
        """Prepare the operation for inputs of the type."""
        dtype = IntType(input_type.lo, input_type.hi + 1).numpy
        rows = np.clip(operation.thresholds, input_type.lo, input_type.hi + 1).astype(dtype)
        table = None
        span = input_type.hi - input_type.lo + 1
        if rows.shape[1] > FEW_STEPS and span * len(rows) <= TABLE_ENTRIES:
            inputs = np.arange(input_type.lo, input_type.hi + 1, dtype=np.int64)
            table = operation.run(np.repeat(inputs[:, None], len(rows), axis=1)).T.reshape(-1)
        return FastThreshold(rows, operation.ascending, operation.output_type, table, input_type.lo)

    def __call__(self, x: IntArray) -> IntArray:
        """The operation's result, same shape."""
        if self.table is not None:
            span = len(self.table) // len(self.rows)
            starts = np.arange(len(self.rows)) * span - self.lowest
            return self.table[x + starts]
        wide = x.astype(self.rows.dtype, copy=False)
        if self.rows.shape[1] == 1:
            return self._one_step(wide)
        count = self._count(wide)
        return np.where(self.ascending, self.output_type.lo + count, self.output_type.hi - count)

    def _one_step(self, x: IntArray) -> IntArray:
        bits: NDArray[np.int8] = ((x >= self.rows[:, 0]) == self.ascending).astype(np.int8)
        if self.output_type.kind == "bipolar":
            return np.asarray(2 * bits - 1)
        return np.asarray(bits.astype(self.output_type.numpy) + self.output_type.lo)

    def _count(self, x: IntArray) -> NDArray[Any]:
        steps = self.rows.shape[1]
        dtype = IntType(min(0, self.output_type.lo - steps), self.output_type.hi + steps).numpy
        count = np.zeros(x.shape, dtype=dtype)
        if steps <= FEW_STEPS:
            for step in range(steps):
                count += x >= self.rows[:, step]
        elif len(self.rows) == 1:
            count[...] = np.searchsorted(self.rows[0], x, side="right")
        else:
            for channel, row in enumerate(self.rows):
                count[..., channel] = np.searchsorted(row, x[..., channel], side="right")
        return count


def fast_requant(operation: Requant, input_type: IntType) -> Callable[[IntArray], IntArray]:
    """The operation's own `run`, or the same in int32 where every intermediate fits."""
    products = operation.product_type(input_type)
    largest = max(abs(input_type.lo), abs(input_type.hi))
    reach = max(abs(int(m)) for m in operation.multiplier) * max(largest, 1)
    reach = max(reach, max(abs(int(b)) for b in operation.offset), -products.lo, products.hi)
    bounds = (abs(operation.output_type.lo), abs(operation.output_type.hi))
    if max(reach, *bounds) >= 1 << 31 or operation.shift > 31:
        return operation.run
    multiplier, offset = operation.multiplier.astype(np.int32), operation.offset.astype(np.int32)
    lo, hi = np.int32(operation.output_type.lo), np.int32(operation.output_type.hi)

    def requant(x: IntArray) -> IntArray:
        quotient = (x.astype(np.int32) * multiplier + offset) >> np.int32(operation.shift)
        return np.asarray(np.clip(quotient, lo, hi))

    return requant


def fast_maxpool(operation: MaxPool, spec: TensorSpec) -> Callable[[IntArray], IntArray]:
    """The largest elements in the input's own dtype; padding is the least value of the type, which never wins."""
    window = operation.window(spec)

    def maxpool(x: IntArray) -> IntArray:
        views = window.views(window.pad(x, spec.dtype.lo) if window.padded else x)
        result: IntArray = np.full((len(x), *window.out, x.shape[-1]), spec.dtype.lo, dtype=x.dtype)
        for _, seen in views:
            np.maximum(result, seen, out=result)
        return result

    return maxpool


def fast_sumpool(operation: SumPool, spec: TensorSpec) -> Callable[[IntArray], IntArray]:
    """The sums in the smallest dtype that holds every partial sum."""
    window = operation.window(spec)
    dtype = operation.accumulator_type(spec).numpy

    def sumpool(x: IntArray) -> IntArray:
        result: IntArray = np.zeros((len(x), *window.out, x.shape[-1]), dtype=dtype)
        for _, seen in window.views(window.pad(x, 0) if window.padded else x):
            np.add(result, seen, out=result, casting="same_kind")
        return result

    return sumpool


def fast_add(operation: Add, specs: tuple[TensorSpec, ...]) -> Callable[..., IntArray]:
    """The sum in the smallest dtype that holds every operand, product and partial sum."""
    products = operation.product_types(*specs)
    ends = [abs(end) for dtype in (*products, *(spec.dtype for spec in specs)) for end in (dtype.lo, dtype.hi)]
    reach = max(*ends, sum(max(abs(p.lo), abs(p.hi)) for p in products), *map(abs, operation.multipliers.tolist()))
    dtype = IntType(-reach, reach).numpy
    multipliers = operation.multipliers.astype(dtype)

    def add(*values: IntArray) -> IntArray:
        total: IntArray = np.zeros(values[0].shape, dtype=dtype)
        for multiplier, x in zip(multipliers, values, strict=True):
            total += x if multiplier == 1 else x.astype(dtype) * multiplier
        return total

    return add
