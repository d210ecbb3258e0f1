"""Plans to operations: here the real functions between two integer tensors become thresholds or multipliers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch

from bitwright.errors import LoweringError
from bitwright.graph import (
    ArgMax,
    IntArray,
    IntType,
    Operation,
    Requant,
    Threshold,
    TopK,
)
from bitwright.quantize.plan import InputPlan, NetworkPlan, OperationPlan, QuantizePlan
from bitwright.quantize.requant_fit import fit_requant
from bitwright.quantize.scores import order_scores
from bitwright.quantize.threads import torch_threads
from bitwright.quantize.thresholds import bisect_steps, first_difference

MAX_THRESHOLD_STEPS = 15
"""Outputs of up to 4 bits are always thresholds; wider ones are a Requant where that is exact."""

MAX_SUM = 1 << 53
"""Sums beyond this are not exact in float64, in PyTorch or here."""


@dataclass(frozen=True)
class Emitted:
    """Operations in order, and for each planned tensor the tensor of the network that holds it."""

    operations: tuple[Operation, ...]
    tensors: Mapping[str, str]


def emit(plan: NetworkPlan) -> Emitted:
    """The operations of all plans. Raises LoweringError where a chain is not a monotone step function."""
    operations: list[Operation] = []
    tensors = {"input": "input"}
    for one in plan.plans:
        if isinstance(one, InputPlan):
            continue
        made: Operation | None
        if isinstance(one, OperationPlan):
            made = replace(one.operation, inputs=tuple(tensors[tensor] for tensor in one.operation.inputs))
        elif isinstance(one, QuantizePlan):
            source = tensors[one.source.tensor]
            # Bisection is many small steps, which threads would only slow down.
            with torch_threads(1):
                made = quantizing_operation(one, source)
            if made is None:
                tensors[one.name] = source
                continue
        else:
            scores = tensors[one.source.tensor]
            ordered = order_scores(one, scores)
            if ordered is not None:
                operations.append(ordered)
                scores = ordered.output
            made = (
                ArgMax(name=one.name, inputs=(scores,), output=one.name)
                if one.k is None
                else TopK(name=one.name, inputs=(scores,), output=one.name, k=one.k)
            )
        operations.append(made)
        tensors[one.name] = made.output
    return Emitted(tuple(operations), tensors)


def quantizing_operation(plan: QuantizePlan, source: str) -> Operation | None:
    """The Threshold or Requant for a plan; None when the integers stay as they are."""
    value, dtype = plan.source, plan.reading.dtype
    lo, hi = value.lo, value.hi
    if max(-int(lo.min()), int(hi.max())) >= MAX_SUM:
        raise LoweringError(plan.name, "its sums exceed 2^53, where float64 is no longer exact", "use fewer bits")
    level = _level_function(plan)
    unit = 2 if dtype.kind == "bipolar" else 1
    if _is_identity(level, lo, hi, dtype):
        return None
    found = bisect_steps(level, lo, hi, (dtype.hi - dtype.lo) // unit)
    wrong = first_difference(level, found, lo, hi)
    if wrong is not None:
        raise LoweringError(
            plan.name,
            f"it is not monotone in channel {wrong[0]} near the integer {wrong[1]}",
            "use monotone activations such as ReLU, Hardtanh and quantizers",
        )
    if found.thresholds.shape[1] > MAX_THRESHOLD_STEPS and value.slope is not None:
        fit = fit_requant(found, lo, hi, value.slope / plan.reading.scale, dtype.lo, dtype.hi)
        if fit is not None:
            multiplier, offset = _merge_rows(fit.multiplier[:, None], fit.offset[:, None])
            return Requant(
                name=plan.name,
                inputs=(source,),
                output=plan.name,
                multiplier=multiplier[:, 0],
                offset=offset[:, 0],
                shift=fit.shift,
                output_type=dtype,
            )
    thresholds, ascending = _merge_rows(found.thresholds, found.ascending[:, None])
    return Threshold(
        name=plan.name,
        inputs=(source,),
        output=plan.name,
        thresholds=thresholds,
        ascending=ascending[:, 0],
        output_type=dtype,
    )


def _level_function(plan: QuantizePlan) -> Callable[[IntArray], IntArray]:
    dtype, scale = plan.reading.dtype, plan.reading.scale
    unit = 2 if dtype.kind == "bipolar" else 1
    function = plan.source.by_channel(plan.reading.function)

    def level(integers: IntArray) -> IntArray:
        with torch.no_grad():
            quotient = function(plan.source.real(integers)).numpy() / scale
        if not np.all(np.isfinite(quotient)):
            raise LoweringError(plan.name, "it gives NaN or infinity", "repair the layers before it")
        rounded = np.rint(quotient)
        if np.any(np.abs(quotient - rounded) > 2.0**-20):
            raise LoweringError(plan.name, "its values are no multiples of its scale", "use an integer quantizer")
        result: IntArray = (rounded.astype(np.int64) - dtype.lo) // unit
        if np.any(result < 0) or np.any(result > (dtype.hi - dtype.lo) // unit):
            raise LoweringError(plan.name, f"it gives values outside {dtype}", "use an integer quantizer")
        return result

    return level


def _is_identity(level: Callable[[IntArray], IntArray], lo: IntArray, hi: IntArray, dtype: IntType) -> bool:
    low, high = int(lo.min()), int(hi.max())
    if dtype.kind == "bipolar" or low < dtype.lo or high > dtype.hi:
        return False
    points = np.broadcast_to(np.arange(low, high + 1, dtype=np.int64)[:, None], (high - low + 1, lo.size))
    return bool(np.array_equal(level(points) + dtype.lo, points))


def _merge_rows(first: IntArray, second: IntArray) -> tuple[IntArray, IntArray]:
    """One row for all channels where all rows are the same."""
    if np.all(first == first[:1]) and np.all(second == second[:1]):
        return first[:1], second[:1]
    return first, second
