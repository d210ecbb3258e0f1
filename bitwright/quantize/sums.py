"""Linear layers and convolutions: sums of integers times integers."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from bitwright.errors import InputError, LoweringError
from bitwright.graph import Conv, IntArray, Linear, Operation, TensorSpec
from bitwright.quantize.arrangement import channels_first, channels_last
from bitwright.quantize.layout import Layout
from bitwright.quantize.plan import OperationPlan, SumsReading
from bitwright.quantize.planner import MAX_INPUT_BITS, QUANTIZE_FIRST, Planner
from bitwright.quantize.value import IntegerValue, PaddedValue, Reals, Value
from bitwright.quantize.window import Window


def plan_sums(planner: Planner, node: str, name: str, value: Value, reading: SumsReading) -> IntegerValue:
    """The value behind an integer linear layer or convolution."""
    padded, name = value, planner.unique(name)
    source = planner.integers(name, value.inner if isinstance(value, PaddedValue) else value)
    steps = _output_steps(name, source, reading)
    if source.dtype.width > MAX_INPUT_BITS:
        raise LoweringError(
            name, f"its input has {source.dtype.width} bits, more than {MAX_INPUT_BITS}", QUANTIZE_FIRST
        )
    if reading.window is None:
        source = channels_last(planner, node, name, planner.integers(name, padded))
        operation, lows, highs = _linear(name, source, reading)
    else:
        source = channels_first(planner, node, name, source)
        window = merge_pads(name, padded, reading.window)
        operation, lows, highs = _conv(name, source, reading, window, steps)

    step: float | Tensor = float(steps[0]) if np.all(steps == steps[0]) else torch.from_numpy(steps)

    def real(sums: Tensor) -> Tensor:
        return reading.real(sums, step if isinstance(step, float) else step.to(sums.dtype))

    slope = np.array(reading.slope * steps)
    behind = Layout.same if reading.window is None else Layout.channels_first
    spec, layout = planner.operation(node, operation, (source,), behind, real, slope)
    return IntegerValue(
        tensor=name,
        layout=layout,
        dtype=spec.dtype,
        lo=lows,
        hi=highs,
        steps=(real,),
        slope=slope,
        offset=np.array(reading.bias),
        rising=np.sign(slope).astype(np.int64),
    )


def _output_steps(name: str, source: IntegerValue, reading: SumsReading) -> Reals:
    """The real step of each output's input: one for all, or one for each group of a convolution."""
    steps, out = source.grid_steps, len(reading.weights)
    groups = 1 if reading.window is None else reading.window.groups
    if steps is not None and source.layout.channel_order is None and steps.size % groups == 0:
        each = steps.reshape(groups, -1)
        if np.all(each == each[:, :1]):
            return np.repeat(each[:, 0], out // groups)
    if steps is not None and np.all(steps == steps[0]):
        return np.full(out, steps[0])
    raise LoweringError(
        name,
        "its input is not quantized to one scale for all channels",
        "put a quantizer with one scale directly before it, such as integer_activation(bits)",
    )


def _linear(name: str, source: IntegerValue, reading: SumsReading) -> tuple[Operation, IntArray, IntArray]:
    weights = reading.weights
    if len(source.shape) == 1 and weights.shape[1] == source.channels:
        # A flattened image arrives channels last; the weights follow it.
        weights = weights[:, source.layout.inverse]
    operation = Linear(
        name=name, inputs=(source.tensor,), output=name, weights=weights, weight_type=reading.weight_type
    )
    lows, highs = operation.bounds(source.dtype)
    return operation, np.array(lows, dtype=np.int64), np.array(highs, dtype=np.int64)


def _conv(
    name: str, source: IntegerValue, reading: SumsReading, window: Window, steps: Reals
) -> tuple[Operation, IntArray, IntArray]:
    try:
        operation = Conv(
            name=name,
            inputs=(source.tensor,),
            output=name,
            weights=reading.weights,
            weight_type=reading.weight_type,
            stride=window.stride,
            padding=window.padding,
            dilation=window.dilation,
            groups=window.groups,
            pad_value=_integer_pad(name, window, steps),
        )
        lows, highs = operation.bounds(TensorSpec(source.shape, source.dtype))
    except InputError as error:
        raise LoweringError(name, str(error), "use another kernel, padding or size") from error
    return operation, np.array(lows, dtype=np.int64), np.array(highs, dtype=np.int64)


def negate_weights(planner: Planner, tensor: str, signs: IntArray) -> bool:
    """Negate the channels of the sum `tensor` where `signs` (channels,) is -1; False where weights cannot do it.

    The real values that PyTorch gives stay what they are.
    """
    place = next((i for i, one in enumerate(planner.plans) if one.name == tensor), None)
    plan = None if place is None else planner.plans[place]
    if place is None or not isinstance(plan, OperationPlan) or not isinstance(plan.operation, Linear | Conv):
        return False
    assert plan.real is not None
    assert plan.slope is not None
    operation, first, reals = plan.operation, plan.real, signs.astype(np.float64)
    weights = operation.weights.astype(np.int64) * signs.reshape(-1, *(1,) * (operation.weights.ndim - 1))
    if not operation.weight_type.contains(weights):
        return False

    def real(sums: Tensor) -> Tensor:
        return first(sums * sums.new_tensor(reals))

    planner.plans[place] = replace(
        plan, operation=replace(operation, weights=weights), real=real, slope=plan.slope * reals
    )
    return True


def merge_pads(name: str, value: Value, window: Window) -> Window:
    """`window` with the padding that stands before its layer."""
    if not isinstance(value, PaddedValue):
        return window
    if window.is_padded and window.pad_value != value.value:
        raise LoweringError(name, "pads with another value than the padding before it", "pad once")
    if len(value.pads) != len(window.kernel):
        raise LoweringError(name, f"has padding on {len(value.pads)} axes before it", "pad its spatial axes")
    return replace(window.padded(value.pads), pad_value=value.value)


def _integer_pad(name: str, window: Window, steps: Reals) -> int:
    if not window.is_padded:
        return 0
    integer = int(np.rint(window.pad_value / steps[0])) if math.isfinite(window.pad_value) else 0
    if np.any(integer * steps != window.pad_value):
        raise LoweringError(
            name,
            f"pads with {window.pad_value}, no multiple of its input's scale {steps[0]}",
            "pad with 0 or a multiple",
        )
    return integer
