"""Small constant tables over counters, as comparisons with the places where the values change."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from amaranth.hdl import Const, Mux, Shape, Value
from numpy.typing import NDArray


def runs(rows: NDArray[np.int64]) -> list[int]:
    """The first index of every run of equal rows (axis 0)."""
    changes = np.any(rows[1:] != rows[:-1], axis=tuple(range(1, rows.ndim))) if rows.ndim > 1 else rows[1:] != rows[:-1]
    return [0, *(int(index) + 1 for index in np.flatnonzero(changes))]


def run_table(counter: Value, values: Sequence[int]) -> Value:
    """`values[counter]`, one comparison for every change of value along the way."""
    array = np.asarray(values, dtype=np.int64)
    shape = Shape.cast(range(min(0, int(array.min())), int(array.max()) + 1))
    starts = runs(array)
    result: Value = Const(int(array[-1]), shape)
    for start, following in zip(reversed(starts[:-1]), reversed(starts[1:]), strict=True):
        result = Mux(counter < following, Const(int(array[start]), shape), result)
    return result


def grid_table(row: Value, column: Value, values: NDArray[np.int64]) -> Value:
    """`values[row, column]`, a `run_table` over columns for every run of equal rows."""
    starts = runs(values)
    result = run_table(column, values[-1].tolist())
    for start, following in zip(reversed(starts[:-1]), reversed(starts[1:]), strict=True):
        result = Mux(row < following, run_table(column, values[start].tolist()), result)
    return result
