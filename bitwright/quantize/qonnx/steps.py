"""The Threshold or Requant that equals a monotone function from integers to integers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright.graph import IntArray, IntType, Operation, Requant, Threshold
from bitwright.quantize.emit import MAX_THRESHOLD_STEPS
from bitwright.quantize.qonnx.model import Node
from bitwright.quantize.requant_fit import fit_requant
from bitwright.quantize.thresholds import bisect_steps, first_difference
from bitwright.quantize.value import Reals

IntegerFunction = Callable[[NDArray[Any]], NDArray[Any]]
"""Integers, or reals next to them, (n, channels) to integers of the same shape."""

MAX_TABLE = 1 << 22
"""Steps of all channels together that are looked for."""


def step_operation(
    node: Node, source: str, function: IntegerFunction, lo: IntArray, hi: IntArray, slope: Reals | None, dtype: IntType
) -> Operation | None:
    """The operation for `function` on the integers [lo, hi] (channels,); None when it is the identity.

    `slope` (channels,) is the change of the result for one step of the integer, before rounding and clipping, where
    that is affine. Raises LoweringError when the function is not monotone in some channel, or leaves `dtype`.
    """
    unit = 2 if dtype.kind == "bipolar" else 1
    steps = (dtype.hi - dtype.lo) // unit

    def level(integers: IntArray) -> IntArray:
        found = function(integers)
        if not np.all(np.isfinite(found)):
            raise node.error("gives NaN or infinity", "repair the nodes before it")
        result: IntArray = (np.rint(found).astype(np.int64) - dtype.lo) // unit
        if np.any(result < 0) or np.any(result > steps):
            raise node.error(f"gives values outside {dtype}", "use an integer quantizer")
        return result

    if _is_identity(level, lo, hi, dtype):
        return None
    if steps == 0:
        return _requant(node, source, np.zeros((1, 1), dtype=np.int64), np.full((1, 1), dtype.lo), 0, dtype)
    if steps * lo.size > MAX_TABLE:
        raise node.error(
            f"quantizes {lo.size} channels to {steps + 1} levels, for which a table of steps is too large",
            "use fewer bits",
        )
    found = bisect_steps(level, lo, hi, steps)
    wrong = first_difference(level, found, lo, hi)
    if wrong is not None:
        raise node.error(
            f"is not monotone in channel {wrong[0]} near the integer {wrong[1]}",
            "use monotone activations such as Relu, Clip and quantizers",
        )
    if steps > MAX_THRESHOLD_STEPS and slope is not None:
        fit = fit_requant(found, lo, hi, slope, dtype.lo, dtype.hi)
        if fit is not None:
            multiplier, offset = _merged(fit.multiplier[:, None], fit.offset[:, None])
            return _requant(node, source, multiplier, offset, fit.shift, dtype)
    thresholds, ascending = _merged(found.thresholds, found.ascending[:, None])
    return Threshold(
        name=node.name,
        inputs=(source,),
        output=node.name,
        thresholds=thresholds,
        ascending=ascending[:, 0],
        output_type=dtype,
    )


def _requant(node: Node, source: str, multiplier: IntArray, offset: IntArray, shift: int, dtype: IntType) -> Requant:
    """A Requant with the rows of `multiplier` and `offset` (channels, 1)."""
    return Requant(
        name=node.name,
        inputs=(source,),
        output=node.name,
        multiplier=multiplier[:, 0],
        offset=offset[:, 0],
        shift=shift,
        output_type=dtype,
    )


def _is_identity(level: IntegerFunction, lo: IntArray, hi: IntArray, dtype: IntType) -> bool:
    low, high = int(lo.min()), int(hi.max())
    if dtype.kind == "bipolar" or low < dtype.lo or high > dtype.hi:
        return False
    points = np.clip(np.arange(low, high + 1, dtype=np.int64)[:, None], lo, hi)
    return bool(np.array_equal(level(points) + dtype.lo, points))


def _merged(first: IntArray, second: IntArray) -> tuple[IntArray, IntArray]:
    """One row for all channels where all rows are the same."""
    if np.all(first == first[:1]) and np.all(second == second[:1]):
        return first[:1], second[:1]
    return first, second
