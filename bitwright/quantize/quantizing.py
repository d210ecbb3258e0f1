"""Quantizers, and the orders of scores."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from torch import nn

from bitwright.errors import LoweringError
from bitwright.quantize.arrangement import arrange, flatten
from bitwright.quantize.input_quantizer import read_input_quantizer
from bitwright.quantize.layout import Layout
from bitwright.quantize.plan import IndexPlan, InputPlan, QuantizePlan, QuantizerReading, Stage
from bitwright.quantize.planner import Planner
from bitwright.quantize.value import IndexValue, IntegerValue, RealInput, Reals, Value, grid_value


def plan_quantizer(
    planner: Planner,
    node: str,
    name: str,
    layer: nn.Module,
    value: Value,
    reading: QuantizerReading,
    stage: Stage = "node",
    argument: int = 0,
) -> IntegerValue:
    """The value behind a quantizer: the network's input type for a RealInput, else one operation."""
    # No operation stands for the input's quantizer, so it may be called like the input itself.
    name = name if isinstance(value, RealInput) and name == "input" else planner.unique(name)
    if isinstance(value, RealInput):
        quantizer = read_input_quantizer(name, layer, reading, value)
        if not any(isinstance(one, InputPlan) and one.quantizer == quantizer for one in planner.plans):
            planner.plans.append(InputPlan(name, node, quantizer, reading, value.layout, stage, argument))
        scale = np.broadcast_to(reading.scale, value.layout.shape[-1:])
        return flatten(planner, node, "flatten", grid_value("input", value.layout, reading.dtype, np.array(scale)))
    source = planner.integers(name, value)
    scale = _channel_scale(name, source, reading)
    reading = replace(reading, scale=scale)
    planner.plans.append(QuantizePlan(name, node, source, reading, stage, argument))
    return grid_value(name, source.layout, reading.dtype, np.array(np.broadcast_to(scale, source.shape[-1:])))


def _channel_scale(name: str, source: IntegerValue, reading: QuantizerReading) -> Reals:
    if reading.scale.size == 1:
        return reading.scale
    axis = source.layout.channel_axis
    if axis is None or axis - len(source.layout.module_shape) != reading.scale_axis:
        raise LoweringError(name, "has a scale for each position", "use one for the tensor, or for each channel")
    if reading.scale.size != source.channels:
        raise LoweringError(
            name, f"has {reading.scale.size} scales for {source.channels} channels", "use one for each channel"
        )
    return source.layout.channel_values(reading.scale)


def plan_indices(planner: Planner, node: str, name: str, value: IntegerValue, k: int | None) -> IndexValue:
    """The value behind an arg-max (`k` is None) or top-k."""
    if len(value.layout.module_shape) != 1:
        raise LoweringError(name, f"its input has shape {value.layout.module_shape}", "flatten first")
    if not value.affine or value.uniform_slope is None:
        raise LoweringError(
            name,
            "its channels have different scales, so the order of the integers is not the order of the scores",
            "use one scale in the last layer (per_channel=False, no BatchNorm), or return the scores",
        )
    value = arrange(planner, node, name, value, Layout.same(value.layout.module_shape))
    name = planner.unique(name)
    planner.plans.append(IndexPlan(name, node, value, k))
    return IndexValue(name)
