"""What each Brevitas layer becomes. Imported only once a module made of them is at hand."""

from __future__ import annotations

import torch
from torch import fx, nn

from bitwright.errors import LoweringError
from bitwright.quantize import brevitas_layers as read
from bitwright.quantize import joins, layers, pooling
from bitwright.quantize.quantizing import plan_quantizer
from bitwright.quantize.scope import Scope
from bitwright.quantize.sums import plan_sums
from bitwright.quantize.value import Value


def brevitas_value(scope: Scope, node: fx.Node, name: str, layer: nn.Module) -> Value | None:
    """The value behind a Brevitas layer; None for a layer of another kind."""
    if read.is_add(layer):
        return _add(scope, node, name, layer)
    if len(node.args) != 1 or node.kwargs or not isinstance(node.args[0], fx.Node):
        return None
    value = scope.values[node.args[0]]
    if read.is_activation(layer):
        return _activation(scope, node, name, layer, value)
    if read.is_trunc_pool(layer):
        pooled = pooling.pool_layer(scope.planner, node.name, name, layer, value, False)
        trunc = read.read_trunc(name, layer, scope.recorded_input(node))
        return plan_quantizer(scope.planner, node.name, f"{name}.trunc", layer, pooled, trunc, "behind")
    return _sums(scope, node, name, layer, value) if read.is_sums(layer) else None


def _activation(scope: Scope, node: fx.Node, name: str, layer: nn.Module, value: Value) -> Value | None:
    if read.input_quantizer(layer) is not None:
        raise LoweringError(name, "quantizes its input as well", "leave out its input_quant")
    quantizer = read.read_activation(name, layer)
    if quantizer is not None:
        return plan_quantizer(scope.planner, node.name, name, layer, value, quantizer)
    plain = read.unquantized(layer)
    return value if plain is None else layers.after_layer(name, plain, scope.planner.integers(name, value))


def _sums(scope: Scope, node: fx.Node, name: str, layer: nn.Module, value: Value) -> Value:
    before = read.input_quantizer(layer)
    quantized_input = scope.recorded_input(node)
    if before is not None:
        proxy = read.read_proxy(name, before)
        value = plan_quantizer(scope.planner, node.name, f"{name}.input_quant", layer, value, proxy, "before")
        with torch.no_grad():
            quantized_input = before(quantized_input)
    result = plan_sums(scope.planner, node.name, name, value, read.read_sums(name, layer, quantized_input))
    return _behind(scope, node, name, layer, result)


def _add(scope: Scope, node: fx.Node, name: str, layer: nn.Module) -> Value:
    if len(node.args) != 2 or node.kwargs:
        raise LoweringError(name, "is not called with two tensors", "call it with two tensors")
    before = read.input_quantizer(layer)
    values = []
    for position, part in enumerate(node.args):
        value = scope.tensor(name, scope.argument(part))
        if before is not None:
            proxy = read.read_proxy(name, before)
            named = f"{name}.input_quant"
            value = plan_quantizer(scope.planner, node.name, named, layer, value, proxy, "before", position)
        values.append(scope.planner.integers(name, value))
    return _behind(scope, node, name, layer, joins.add(scope.planner, node.name, name, values[0], values[1]))


def _behind(scope: Scope, node: fx.Node, name: str, layer: nn.Module, value: Value) -> Value:
    behind = read.output_quantizer(layer)
    if behind is None:
        return value
    proxy = read.read_proxy(name, behind)
    return plan_quantizer(scope.planner, node.name, f"{name}.output_quant", layer, value, proxy, "behind")
