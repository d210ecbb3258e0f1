"""The walk over a traced module that decides what each layer becomes. It knows no data, only types and intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import fx

from bitwright.errors import LoweringError
from bitwright.graph import IntType
from bitwright.quantize.arrangement import arrange
from bitwright.quantize.input_layout import input_layout
from bitwright.quantize.layout import Layout
from bitwright.quantize.plan import InputPlan, NetworkPlan
from bitwright.quantize.scope import Scope
from bitwright.quantize.tracing import TracedModule
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
from bitwright.quantize.walk_functions import function_value
from bitwright.quantize.walk_layers import layer_value


def plan_network(traced: TracedModule, recorded: Mapping[str, Any], input_type: IntType | None) -> NetworkPlan:
    """The plans of all layers.

    `recorded` are the values of every fx node for an example batch (they give shapes, and Brevitas's metadata).
    `input_type` is the type of an integer input; None for a real one, which needs a quantizer.
    """
    return _Walk(traced, recorded, input_type).plan()


class _Walk:
    def __init__(self, traced: TracedModule, recorded: Mapping[str, Any], input_type: IntType | None) -> None:
        self.scope = Scope(traced, recorded)
        self.input_type = input_type
        self.outputs: tuple[IntegerValue | IndexValue, ...] = ()
        self.single_output = True
        self.input_layout = Layout.same(())

    def plan(self) -> NetworkPlan:
        handlers: dict[str, Callable[[fx.Node], Value | None]] = {
            "placeholder": self._placeholder,
            "get_attr": self._attribute,
            "call_module": lambda node: layer_value(self.scope, node),
            "call_function": lambda node: function_value(self.scope, node),
            "call_method": lambda node: function_value(self.scope, node),
            "output": self._output,
        }
        for node in self.scope.traced.graph.nodes:
            value = handlers[node.op](node)
            if value is not None:
                self.scope.values[node] = value
        quantizers = [plan for plan in self.scope.planner.plans if isinstance(plan, InputPlan)]
        if self.input_type is None and len(quantizers) != 1:
            where = type(self.scope.traced.module).__name__
            raise LoweringError(where, f"its input meets {len(quantizers)} quantizers", "quantize it once, first")
        dtype = self.input_type or quantizers[0].quantizer.dtype
        return NetworkPlan(self.input_layout, dtype, tuple(self.scope.planner.plans), self.outputs, self.single_output)

    # Ends of the graph

    def _placeholder(self, node: fx.Node) -> Value:
        self.input_layout = input_layout(self.scope.traced, self.scope.recorded)
        if self.input_type is None:
            return RealInput(self.input_layout)
        return grid_value("input", self.input_layout, self.input_type, uniform(1.0, self.input_layout.shape[-1]))

    def _attribute(self, node: fx.Node) -> Value:
        return Constant(self.scope.recorded[node.name])

    def _output(self, node: fx.Node) -> None:
        returned = node.args[0]
        self.single_output = isinstance(returned, fx.Node)
        nodes = [returned] if isinstance(returned, fx.Node) else returned
        where = type(self.scope.traced.module).__name__
        if not isinstance(nodes, list | tuple) or not nodes or not all(isinstance(one, fx.Node) for one in nodes):
            raise LoweringError(where, "returns something other than tensors", "return a tensor or a tuple of tensors")
        found: list[IntegerValue | IndexValue] = []
        for one in nodes:
            assert isinstance(one, fx.Node)
            value, name = self.scope.values[one], self.scope.name(one)
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
                value = arrange(self.scope.planner, "output", name, value, Layout.same(value.layout.module_shape))
            if value.tensor in [earlier.tensor for earlier in found]:
                raise LoweringError(name, "returns the same integers twice", "return each tensor once")
            found.append(value)
        if not self.scope.planner.plans or all(isinstance(plan, InputPlan) for plan in self.scope.planner.plans):
            raise LoweringError(where, "has no layer that computes", "add a linear layer")
        self.outputs = tuple(found)
