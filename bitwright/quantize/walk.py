"""The walk over a traced module that decides what each layer becomes. It knows no data, only types and intervals."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn

from bitwright.errors import InputError, LoweringError
from bitwright.graph import IntType, Linear, TensorSpec
from bitwright.quantize import functions, layers
from bitwright.quantize.binary_activation import BinaryActivation
from bitwright.quantize.binary_input import BinaryInput
from bitwright.quantize.binary_linear import BinaryLinear
from bitwright.quantize.input_quantizer import read_input_quantizer
from bitwright.quantize.plan import (
    FlattenPlan,
    IndexPlan,
    InputPlan,
    LinearPlan,
    LinearReading,
    NetworkPlan,
    Plan,
    QuantizePlan,
    QuantizerReading,
)
from bitwright.quantize.ternary_linear import TernaryLinear
from bitwright.quantize.tracing import TracedModule, real_tensor
from bitwright.quantize.value import (
    Constant,
    IndexValue,
    IntegerValue,
    RealInput,
    TopKPair,
    Value,
    grid_value,
    uniform,
)

TENSORS = RealInput | IntegerValue | IndexValue | TopKPair

MAX_INPUT_BITS = 8
"""Widest activations that a Linear takes."""

QUANTIZE_FIRST = "put a quantizer before it, such as integer_input(8), BinaryInput() or integer_activation(bits)"


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
        self.plans: list[Plan] = []
        self.names = {"input"}
        self.outputs: tuple[IntegerValue | IndexValue, ...] = ()
        self.single_output = True
        self.input_shape: tuple[int, ...] = ()

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
        quantizers = [plan for plan in self.plans if isinstance(plan, InputPlan)]
        if self.input_type is None and len(quantizers) != 1:
            where = type(self.traced.module).__name__
            raise LoweringError(where, f"its input meets {len(quantizers)} quantizers", "quantize it once, first")
        dtype = self.input_type or quantizers[0].quantizer.dtype
        return NetworkPlan(self.input_shape, dtype, tuple(self.plans), self.outputs, self.single_output)

    # Ends of the graph

    def _placeholder(self, node: fx.Node) -> Value:
        self.input_shape = self._shape(node)
        if self.input_type is None:
            return RealInput(self.input_shape)
        return grid_value("input", self.input_shape, self.input_type, uniform(1.0, self.input_shape[-1]))

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
            if isinstance(value, TopKPair | Constant):
                raise LoweringError(name, "returns something other than scores or indices", "return topk(...).indices")
            if isinstance(value, IntegerValue) and not value.affine:
                raise LoweringError(
                    name,
                    "the network ends in a function that is not affine and not quantized",
                    "leave it out of the module (scores keep their order), or put a quantizer behind it",
                )
            if value.tensor in [earlier.tensor for earlier in found]:
                raise LoweringError(name, "returns the same integers twice", "return each tensor once")
            found.append(value)
        if not self.plans or all(isinstance(plan, InputPlan) for plan in self.plans):
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
        if isinstance(layer, nn.Flatten):
            return self._reshape(node, value)
        if isinstance(layer, BinaryLinear | TernaryLinear):
            return self._linear(node, name, value, layers.read_linear(layer))
        if isinstance(layer, BinaryActivation | BinaryInput):
            return self._quantize(node, name, value, layers.read_quantizer(layer))
        brevitas_value = self._brevitas(node, name, layer, value)
        if brevitas_value is not None:
            return brevitas_value
        if isinstance(layer, nn.Linear):
            raise LoweringError(
                name,
                "its weights are real numbers",
                "use BinaryLinear, TernaryLinear or integer_linear(), or call post_training_quantize() first",
            )
        after = layers.after_layer(name, layer, self._integers(name, value))
        if after is None:
            raise LoweringError(
                name,
                f"{type(layer).__name__} has no exact integer form here",
                "use linear layers, BatchNorm1d, ReLU, Hardtanh and quantizers, or take it out of the module",
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
                return self._quantize(node, name, value, quantizer)
            plain = read.unquantized(layer)
            return value if plain is None else layers.after_layer(name, plain, self._integers(name, value))
        if not read.is_linear(layer):
            return None
        before = read.input_quantizer(layer)
        quantized_input = self._recorded_input(node)
        if before is not None:
            value = self._quantize(node, f"{name}.input_quant", value, read.read_proxy(name, before))
            with torch.no_grad():
                quantized_input = before(quantized_input)
        result: Value = self._linear(node, name, value, read.read_linear(name, layer, quantized_input))
        behind = read.output_quantizer(layer)
        if behind is not None:
            result = self._quantize(node, f"{name}.output_quant", result, read.read_proxy(name, behind))
        return result

    def _linear(self, node: fx.Node, name: str, value: Value, reading: LinearReading) -> IntegerValue:
        source, name = self._integers(name, value), self._unique(name)
        step = source.grid_step
        if step is None:
            raise LoweringError(
                name,
                "its input is not quantized to one scale for all channels",
                "put a quantizer with one scale directly before it, such as integer_activation(bits)",
            )
        if source.dtype.width > MAX_INPUT_BITS:
            raise LoweringError(
                name, f"its input has {source.dtype.width} bits, more than {MAX_INPUT_BITS}", QUANTIZE_FIRST
            )
        operation = Linear(
            name=name, inputs=(source.tensor,), output=name, weights=reading.weights, weight_type=reading.weight_type
        )
        spec = self._infer(name, operation, TensorSpec(source.shape, source.dtype))
        lows, highs = operation.bounds(source.dtype)

        def real(sums: Tensor) -> Tensor:
            return reading.real(sums, step)

        slope = np.array(reading.slope * step)
        self.plans.append(LinearPlan(name, node.name, source, step, reading.weights, reading.weight_type, slope, real))
        return IntegerValue(
            tensor=name,
            shape=spec.shape,
            dtype=spec.dtype,
            lo=np.array(lows, dtype=np.int64),
            hi=np.array(highs, dtype=np.int64),
            steps=(real,),
            slope=slope,
            offset=np.array(reading.bias),
        )

    def _infer(self, name: str, operation: Linear, spec: TensorSpec) -> TensorSpec:
        try:
            return operation.infer(spec)
        except InputError as error:
            raise LoweringError(name, str(error), "use fewer bits or fewer inputs") from error

    def _quantize(self, node: fx.Node, name: str, value: Value, reading: QuantizerReading) -> IntegerValue:
        name = name if isinstance(value, RealInput) else self._unique(name)
        if isinstance(value, RealInput):
            quantizer = read_input_quantizer(name, self.traced.layer(node), reading)
            self.plans.append(InputPlan(name, node.name, value.shape, quantizer, reading, value.flattened))
            tensor = "input"
            if value.flattened:
                tensor = self._unique("flatten")
                self.plans.append(FlattenPlan(tensor, node.name, "input"))
            shape = (int(np.prod(value.shape)),) if value.flattened else value.shape
        else:
            source = self._integers(name, value)
            if reading.scale.size not in (1, source.channels):
                raise LoweringError(
                    name, f"has {reading.scale.size} scales for {source.channels} channels", "use one for each channel"
                )
            self.plans.append(QuantizePlan(name, node.name, source, reading))
            tensor, shape = name, source.shape
        return grid_value(tensor, shape, reading.dtype, np.array(np.broadcast_to(reading.scale, shape[-1:])))

    # Functions and methods

    def _function(self, node: fx.Node) -> Value:
        target, name = node.target, self._name(node)
        keywords = {word: self._argument(argument) for word, argument in node.kwargs.items()}
        args = [keywords.pop("input")] if "input" in keywords and not node.args else []
        args += [self._argument(argument) for argument in node.args]
        tensors = [one for one in (*args, *keywords.values()) if isinstance(one, TENSORS)]
        if not tensors or target == "size" or (target is getattr and args[1] == "shape"):
            return Constant(self.recorded[node.name])
        if isinstance(args[0] if args else None, list | tuple):
            raise LoweringError(name, "combines several tensors", "branches and joins are not supported")
        first = args[0]
        if target in functions.NOTHING and not keywords.get("training", False):
            return self._value(name, first)
        if target in functions.RESHAPE:
            return self._reshape(node, self._value(name, first))
        if isinstance(first, TopKPair):
            return self._pick(node, name, first)
        if target in functions.ARITHMETIC:
            held = [one if isinstance(one, IntegerValue | Constant) else self._scalar(name, one) for one in args]
            return functions.after_arithmetic(name, target, tuple(held), keywords)
        value = self._integers(name, self._value(name, first))
        rest = [one.held if isinstance(one, Constant) else one for one in args[1:]]
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
        name, shape = self._name(node), self._shape(node)
        if not isinstance(value, RealInput | IntegerValue):
            raise LoweringError(name, "reshapes indices", "leave the indices as they are")
        flat = isinstance(value, RealInput) and value.flattened
        before = (int(np.prod(value.shape)),) if flat else value.shape
        if shape == before:
            return value
        if shape != (int(np.prod(before)),):
            raise LoweringError(name, f"reshapes {before} to {shape}", "only flatten, which keeps the batch axis")
        if isinstance(value, RealInput):
            return RealInput(value.shape, flattened=True)
        step = value.grid_step
        if step is None:
            raise LoweringError(name, "flattens before a quantizer", "flatten first, or quantize first")
        name = self._unique(name)
        self.plans.append(FlattenPlan(name, node.name, value.tensor))
        return grid_value(name, shape, value.dtype, uniform(step, shape[0]))

    def _arg_max(
        self, node: fx.Node, name: str, value: IntegerValue, rest: list[Any], keywords: dict[str, Any]
    ) -> IndexValue:
        dim = rest[0] if rest else keywords.get("dim")
        if dim not in (1, -1) or keywords.get("keepdim", rest[1] if len(rest) > 1 else False):
            raise LoweringError(name, "is not over the last axis alone", "use argmax(dim=-1)")
        return self._indices(node, name, value, None)

    def _top_k(
        self, node: fx.Node, name: str, value: IntegerValue, rest: list[Any], keywords: dict[str, Any]
    ) -> TopKPair:
        options = {**dict(zip(("k", "dim", "largest", "sorted"), rest, strict=False)), **keywords}
        if options.get("dim", -1) not in (1, -1) or not options.get("largest", True) or not options.get("sorted", True):
            raise LoweringError(name, "is not the sorted largest of the last axis", "use topk(k)")
        return TopKPair(self._indices(node, name, value, int(options["k"])))

    def _indices(self, node: fx.Node, name: str, value: IntegerValue, k: int | None) -> IndexValue:
        if len(value.shape) != 1:
            raise LoweringError(name, f"its input has shape {value.shape}", "flatten first")
        if not value.affine or value.uniform_slope is None:
            raise LoweringError(
                name,
                "its channels have different scales, so the order of the integers is not the order of the scores",
                "use one scale in the last layer (per_channel=False, no BatchNorm), or return the scores",
            )
        name = self._unique(name)
        self.plans.append(IndexPlan(name, node.name, value, k))
        return IndexValue(name)

    def _pick(self, node: fx.Node, name: str, pair: TopKPair) -> Value:
        if node.args[1] in (1, "indices"):
            return pair.indices
        raise LoweringError(name, "returns the values of a top-k", "return topk(...).indices")

    # Names, shapes, recorded values

    def _integers(self, name: str, value: Value) -> IntegerValue:
        if isinstance(value, RealInput):
            raise LoweringError(name, "sees the real input of the network", QUANTIZE_FIRST)
        if not isinstance(value, IntegerValue):
            raise LoweringError(name, "does not follow scores but indices or numbers", "put it before them")
        return value

    def _name(self, node: fx.Node) -> str:
        return str(node.target) if node.op == "call_module" else node.name

    def _unique(self, name: str) -> str:
        found, number = name, 1
        while found in self.names:
            found, number = f"{name}_{number}", number + 1
        self.names.add(found)
        return found

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
