"""What each layer of a module becomes."""

from __future__ import annotations

import sys

import numpy as np
from torch import fx, nn

from bitwright.errors import LoweringError
from bitwright.graph import BIPOLAR
from bitwright.quantize import layers, pooling, spatial_functions, views
from bitwright.quantize.arrangement import view
from bitwright.quantize.binary_activation import BinaryActivation
from bitwright.quantize.binary_input import BinaryInput
from bitwright.quantize.binary_linear import BinaryLinear
from bitwright.quantize.joins import repeat
from bitwright.quantize.plan import QuantizerReading
from bitwright.quantize.quantized_conv import QuantizedConv
from bitwright.quantize.quantizing import plan_quantizer
from bitwright.quantize.scope import Scope
from bitwright.quantize.sums import plan_sums
from bitwright.quantize.ternary_linear import TernaryLinear
from bitwright.quantize.thermometer_input import ThermometerInput
from bitwright.quantize.value import RealInput, Value


def layer_value(scope: Scope, node: fx.Node) -> Value:
    """The value behind a layer. Raises LoweringError for one that has no exact integer form."""
    name, layer = scope.name(node), scope.traced.layer(node)
    # Brevitas takes seconds to import; a module that holds its layers has imported it.
    if "brevitas.nn" in sys.modules:
        from bitwright.quantize.walk_brevitas import brevitas_value

        found = brevitas_value(scope, node, name, layer)
        if found is not None:
            return found
    return _plain_layer(scope, node, name, layer, single_input(scope, node, name))


def single_input(scope: Scope, node: fx.Node, name: str) -> Value:
    """The value of a layer's only argument."""
    if len(node.args) != 1 or node.kwargs or not isinstance(node.args[0], fx.Node):
        raise LoweringError(name, "is called with more than one input", "call it with one tensor")
    return scope.values[node.args[0]]


def _plain_layer(scope: Scope, node: fx.Node, name: str, layer: nn.Module, value: Value) -> Value:
    planner = scope.planner
    if isinstance(layer, layers.NOTHING):
        return value
    if isinstance(layer, views.VIEW_LAYERS):
        return view(planner, node.name, name, value, views.reshaped(scope.shape(node)))
    if isinstance(layer, BinaryLinear | TernaryLinear | QuantizedConv):
        return plan_sums(planner, node.name, name, value, layers.read_sums(layer))
    if isinstance(layer, BinaryActivation | BinaryInput):
        return plan_quantizer(planner, node.name, name, layer, value, layers.read_quantizer(layer))
    if isinstance(layer, ThermometerInput):
        return _thermometer(scope, node, name, layer, value)
    if isinstance(layer, pooling.POOLS):
        return pooling.pool_layer(planner, node.name, name, layer, value, scope.alone(node, value))
    if isinstance(layer, layers.PADS):
        return spatial_functions.pad(planner, name, value, layer.padding, getattr(layer, "value", 0.0))
    if isinstance(layer, nn.Upsample):
        size, factor = layer.size, layer.scale_factor
        return spatial_functions.upsample(planner, node.name, name, value, size, factor, layer.mode)
    if isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d):
        raise LoweringError(
            name,
            "its weights are real numbers",
            "use binary, ternary or integer layers such as BinaryConv2d and integer_linear(), or call "
            "post_training_quantize() first",
        )
    after = layers.after_layer(name, layer, planner.integers(name, value))
    if after is None:
        raise LoweringError(
            name,
            f"{type(layer).__name__} has no exact integer form here",
            "use the layers in docs/exactness.md, or take it out of the module",
        )
    return after


def _thermometer(scope: Scope, node: fx.Node, name: str, layer: ThermometerInput, value: Value) -> Value:
    planner = scope.planner
    if isinstance(value, RealInput):
        pixels = layers.read_pixels(layer)
        value = plan_quantizer(planner, node.name, f"{name}.pixels", layer, value, pixels, "before")
    copies = repeat(planner, node.name, name, [planner.integers(name, value)] * layer.levels)
    reading = QuantizerReading(dtype=BIPOLAR, scale=np.array(1.0), function=layer.compare)
    return plan_quantizer(planner, node.name, name, layer, copies, reading)
