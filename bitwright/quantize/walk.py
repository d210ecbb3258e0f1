"""The walk over a traced module that decides what each layer becomes. It knows no data, only types and intervals."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import fx, nn

from bitwright.errors import LoweringError
from bitwright.graph import IntType
from bitwright.quantize import functions, joins, layers, pooling, spatial_functions, views
from bitwright.quantize.binary_activation import BinaryActivation
from bitwright.quantize.binary_input import BinaryInput
from bitwright.quantize.binary_linear import BinaryLinear
from bitwright.quantize.input_layout import input_layout
from bitwright.quantize.layout import Layout
from bitwright.quantize.plan import InputPlan, NetworkPlan
from bitwright.quantize.planner import Planner
from bitwright.quantize.quantized_conv import QuantizedConv
from bitwright.quantize.ternary_linear import TernaryLinear
from bitwright.quantize.tracing import TracedModule, real_tensor
from bitwright.quantize.value import (
    Constant,
    IndexValue,
    IntegerValue,
    PaddedValue,
    RealInput,
    TopKPair,
    Value,
    grid_value,
    uniform,
)

TENSORS = RealInput | IntegerValue | PaddedValue | IndexValue | TopKPair


def plan_network(traced: TracedModule, recorded: Mapping[str, Any], input_type: IntType | None) -> NetworkPlan:
    """The plans of all layers.

    `recorded` are the values of every fx node for an example batch (they give shapes, and Brevitas's metadata).
    `input_type` is the type of an integer input; None for a real one, which needs a quantizer.
    """
    return _Walk(traced, recorded, input_type).plan()


class _Walk:
    def __init__(self, traced: TracedModule, recorded: Mapping[str, Any], input_type: IntType | None) -> None:
        self.traced = traced
        self.recorded = recorded
        self.input_type = input_type
        self.values: dict[fx.Node, Value] = {}
        self.planner = Planner()
        self.outputs: tuple[IntegerValue | IndexValue, ...] = ()
        self.single_output = True
        self.input_layout = Layout.same(())

    def plan(self) -> NetworkPlan:
        handlers: dict[str, Callable[[fx.Node], Value | None]] = {
            "placeholder": self._placeholder,
            "get_attr": self._attribute,
            "call_module": self._module,
            "call_function": self._function,
            "call_method": self._function,
            "output": self._output,
        }
        for node in self.traced.graph.nodes:
            value = handlers[node.op](node)
            if value is not None:
                self.values[node] = value
        quantizers = [plan for plan in self.planner.plans if isinstance(plan, InputPlan)]
        if self.input_type is None and len(quantizers) != 1:
            where = type(self.traced.module).__name__
            raise LoweringError(where, f"its input meets {len(quantizers)} quantizers", "quantize it once, first")
        dtype = self.input_type or quantizers[0].quantizer.dtype
        return NetworkPlan(self.input_layout, dtype, tuple(self.planner.plans), self.outputs, self.single_output)

    # Ends of the graph

    def _placeholder(self, node: fx.Node) -> Value:
        self.input_layout = input_layout(self.traced, self.recorded)
        if self.input_type is None:
            return RealInput(self.input_layout)
        return grid_value("input", self.input_layout, self.input_type, uniform(1.0, self.input_layout.shape[-1]))

    def _attribute(self, node: fx.Node) -> Value:
        return Constant(self.recorded[node.name])

    def _output(self, node: fx.Node) -> None:
        returned = node.args[0]
        self.single_output = isinstance(returned, fx.Node)
        nodes = [returned] if isinstance(returned, fx.Node) else returned
        where = type(self.traced.module).__name__
        if not isinstance(nodes, list | tuple) or not nodes or not all(isinstance(one, fx.Node) for one in nodes):
            raise LoweringError(where, "returns something other than tensors", "return a tensor or a tuple of tensors")
        found: list[IntegerValue | IndexValue] = []
        for one in nodes:
            assert isinstance(one, fx.Node)
            value, name = self.values[one], self._name(one)
            if isinstance(value, RealInput):
                raise LoweringError(name, "returns the input as it came", "quantize it and add layers")
            if isinstance(value, TopKPair | Constant | PaddedValue):
                raise LoweringError(name, "returns something other than scores or indices", "return topk(...).indices")
            if isinstance(value, IntegerValue) and not value.affine:
                raise LoweringError(
                    name,
                    "the network ends in a function that is not affine and not quantized",
                    "leave it out of the module (scores keep their order), or put a quantizer behind it",
                )
            if isinstance(value, IntegerValue) and value.layout.axes is None:
                value = self.planner.arrange("output", name, value, Layout.same(value.layout.module_shape))
            if value.tensor in [earlier.tensor for earlier in found]:
                raise LoweringError(name, "returns the same integers twice", "return each tensor once")
            found.append(value)
        if not self.planner.plans or all(isinstance(plan, InputPlan) for plan in self.planner.plans):
            raise LoweringError(where, "has no layer that computes", "add a linear layer")
        self.outputs = tuple(found)

    # Layers

    def _module(self, node: fx.Node) -> Value:
        name, layer = self._name(node), self.traced.layer(node)
        if len(node.args) != 1 or node.kwargs or not isinstance(node.args[0], fx.Node):
            raise LoweringError(name, "is called with more than one input", "call it with one tensor")
        value = self.values[node.args[0]]
        if isinstance(layer, layers.NOTHING):
            return value
        if isinstance(layer, views.VIEW_LAYERS):
            return self._reshape(node, value)
        if isinstance(layer, BinaryLinear | TernaryLinear | QuantizedConv):
            return self.planner.sums(node.name, name, value, layers.read_sums(layer))
        if isinstance(layer, BinaryActivation | BinaryInput):
            return self.planner.quantize(node.name, name, layer, value, layers.read_quantizer(layer))
        brevitas_value = self._brevitas(node, name, layer, value)
        if brevitas_value is not None:
            return brevitas_value
        if isinstance(layer, pooling.POOLS):
            return pooling.pool_layer(self.planner, node.name, name, layer, value, self._replaceable(node, value))
        if isinstance(layer, layers.PADS):
            return spatial_functions.pad(self.planner, name, value, layer.padding, getattr(layer, "value", 0.0))
        if isinstance(layer, nn.Upsample):
            size, factor = layer.size, layer.scale_factor
            return spatial_functions.upsample(self.planner, node.name, name, value, size, factor, layer.mode)
        if isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d):
            raise LoweringError(
                name,
                "its weights are real numbers",
                "use binary, ternary or integer layers such as BinaryConv2d and integer_linear(), or call "
                "post_training_quantize() first",
            )
        after = layers.after_layer(name, layer, self.planner.integers(name, value))
        if after is None:
            raise LoweringError(
                name,
                f"{type(layer).__name__} has no exact integer form here",
                "use the layers in docs/exactness.md, or take it out of the module",
            )
        return after

    def _brevitas(self, node: fx.Node, name: str, layer: nn.Module, value: Value) -> Value | None:
        # Brevitas takes seconds to import; a module that holds its layers has imported it.
        if "brevitas.nn" not in sys.modules:
            return None
        from bitwright.quantize import brevitas_layers as read

        if read.is_activation(layer):
            if read.input_quantizer(layer) is not None:
                raise LoweringError(name, "quantizes its input as well", "leave out its input_quant")
            quantizer = read.read_activation(name, layer)
            if quantizer is not None:
                return self.planner.quantize(node.name, name, layer, value, quantizer)
            plain = read.unquantized(layer)
            return value if plain is None else layers.after_layer(name, plain, self.planner.integers(name, value))
        if not read.is_sums(layer):
            return None
        before = read.input_quantizer(layer)
        quantized_input = self._recorded_input(node)
        if before is not None:
            proxy = read.read_proxy(name, before)
            value = self.planner.quantize(node.name, f"{name}.input_quant", layer, value, proxy, "before")
            with torch.no_grad():
                quantized_input = before(quantized_input)
        result: Value = self.planner.sums(node.name, name, value, read.read_sums(name, layer, quantized_input))
        behind = read.output_quantizer(layer)
        if behind is not None:
            result = self.planner.quantize(
                node.name, f"{name}.output_quant", layer, result, read.read_proxy(name, behind), "behind"
            )
        return result

    # Functions and methods

    def _function(self, node: fx.Node) -> Value:
        target, name = node.target, self._name(node)
        keywords = {word: self._argument(argument) for word, argument in node.kwargs.items()}
        args = [keywords.pop("input")] if "input" in keywords and not node.args else []
        args += [self._argument(argument) for argument in node.args]
        sources = [self.values[source] for source in node.all_input_nodes]
        asks_shape = target == "size" or (target is getattr and args[1] == "shape")
        of_shape = asks_shape or any(isinstance(one, Constant) and one.of_shape for one in sources)
        if asks_shape or not any(isinstance(one, TENSORS) for one in sources):
            return Constant(self.recorded[node.name], of_shape)
        if target in functions.CONCATENATE:
            return self._concatenate(node, name, args, keywords)
        if not args or not isinstance(args[0], TENSORS | Constant | int | float):
            raise LoweringError(name, "combines several tensors", "join branches by + or torch.cat")
        if of_shape and target not in views.RESHAPE:
            raise LoweringError(name, "computes with the size of a batch", "use a constant number")
        first = args[0]
        if target in functions.NOTHING and not keywords.get("training", False):
            return self._value(name, first)
        rest = [one.held if isinstance(one, Constant) else one for one in args[1:]]
        plain = {word: one.held if isinstance(one, Constant) else one for word, one in keywords.items()}
        if target in views.RESHAPE or target in views.SQUEEZE:
            return self._reshape(node, self._value(name, first))
        if target in views.TRANSPOSE:
            change = views.moved(name, functions.call_of(target), rest, plain)
            return self.planner.view(node.name, name, self._value(name, first), change)
        if isinstance(first, TopKPair):
            return self._pick(node, name, first)
        if target in functions.ARITHMETIC:
            joined = [one for one in args if isinstance(one, IntegerValue)]
            if target in functions.ADD | functions.SUBTRACT and len(joined) == 2 == len(args) and not keywords:
                sign = -1 if target in functions.SUBTRACT else 1
                return joins.add(self.planner, node.name, name, joined[0], joined[1], sign)
            held = [one if isinstance(one, IntegerValue | Constant) else self._scalar(name, one) for one in args]
            return functions.after_arithmetic(name, target, tuple(held), keywords)
        if target in spatial_functions.SPATIAL or target in spatial_functions.REDUCE:
            found = self._value(name, first)
            replaceable = self._replaceable(node, found)
            return spatial_functions.spatial_function(
                self.planner, node.name, name, target, found, rest, plain, replaceable
            )
        value = self.planner.integers(name, self._value(name, first))
        if target in functions.CLIP:
            return functions.after_clip(name, target, value, rest, keywords)
        if target in functions.MONOTONE:
            return value.then_monotone(functions.call_of(target))
        if target in functions.ARGMAX:
            return self._arg_max(node, name, value, rest, keywords)
        if target in functions.TOPK:
            return self._top_k(node, name, value, rest, keywords)
        raise LoweringError(
            name,
            f"{getattr(target, '__name__', target)}() has no exact integer form here",
            "use layers and the functions in docs/exactness.md, or take it out of the module",
        )

    def _argument(self, argument: Any) -> Any:
        return self.values[argument] if isinstance(argument, fx.Node) else argument

    def _value(self, name: str, value: Any) -> Value:
        if not isinstance(value, TENSORS):
            raise LoweringError(name, "is not called on a tensor of the network", "call it on the layer's output")
        return value

    def _scalar(self, name: str, one: Any) -> Any:
        if isinstance(one, int | float) and not isinstance(one, bool):
            return Constant(one)
        raise LoweringError(name, f"does arithmetic on {self._word(one)}", "quantize first, and use constants")

    @staticmethod
    def _word(one: Any) -> str:
        return "the input before its quantizer" if isinstance(one, RealInput) else f"a {type(one).__name__}"

    def _reshape(self, node: fx.Node, value: Value) -> Value:
        return self.planner.view(node.name, self._name(node), value, views.reshaped(self._shape(node)))

    def _concatenate(self, node: fx.Node, name: str, args: list[Any], keywords: dict[str, Any]) -> Value:
        tensors = args[0] if args else keywords.get("tensors")
        dim = args[1] if len(args) > 1 else keywords.get("dim", keywords.get("axis", 0))
        if not isinstance(tensors, list | tuple) or not isinstance(dim, int):
            raise LoweringError(name, "joins something other than a list of tensors", "use torch.cat([x, y], 1)")
        values = [self.planner.integers(name, self._value(name, self._argument(one))) for one in tensors]
        return joins.concatenate(self.planner, node.name, name, values, dim)

    def _replaceable(self, node: fx.Node, value: Value) -> bool:
        """Whether only `node` reads what the layer that made `value`'s integers computes."""
        found = node.all_input_nodes[0]
        while isinstance(value, IntegerValue):
            if len(found.users) != 1:
                return False
            before = found.all_input_nodes
            held = self.values.get(before[0]) if len(before) == 1 else None
            if not isinstance(held, IntegerValue) or held.tensor != value.tensor:
                return True
            found = before[0]
        return False

    def _arg_max(
        self, node: fx.Node, name: str, value: IntegerValue, rest: list[Any], keywords: dict[str, Any]
    ) -> IndexValue:
        dim = rest[0] if rest else keywords.get("dim")
        if dim not in (1, -1) or keywords.get("keepdim", rest[1] if len(rest) > 1 else False):
            raise LoweringError(name, "is not over the last axis alone", "use argmax(dim=-1)")
        return self.planner.indices(node.name, name, value, None)

    def _top_k(
        self, node: fx.Node, name: str, value: IntegerValue, rest: list[Any], keywords: dict[str, Any]
    ) -> TopKPair:
        options = {**dict(zip(("k", "dim", "largest", "sorted"), rest, strict=False)), **keywords}
        if options.get("dim", -1) not in (1, -1) or not options.get("largest", True) or not options.get("sorted", True):
            raise LoweringError(name, "is not the sorted largest of the last axis", "use topk(k)")
        return TopKPair(self.planner.indices(node.name, name, value, int(options["k"])))

    def _pick(self, node: fx.Node, name: str, pair: TopKPair) -> Value:
        if node.args[1] in (1, "indices"):
            return pair.indices
        raise LoweringError(name, "returns the values of a top-k", "return topk(...).indices")

    # Names, shapes, recorded values

    def _name(self, node: fx.Node) -> str:
        return str(node.target) if node.op == "call_module" else node.name

    def _shape(self, node: fx.Node) -> tuple[int, ...]:
        shape = tuple(real_tensor(self.recorded[node.name]).shape)
        placeholder = next(iter(self.traced.graph.nodes))
        batch = real_tensor(self.recorded[placeholder.name]).shape[0]
        if len(shape) < 2 or shape[0] != batch:
            raise LoweringError(self._name(node), f"gives shape {shape}", "keep the batch of frames in axis 0")
        return shape[1:]

    def _recorded_input(self, node: fx.Node) -> Any:
        source = node.args[0]
        assert isinstance(source, fx.Node)
        return self.recorded[source.name]
