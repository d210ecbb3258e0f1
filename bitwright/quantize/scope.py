"""What the walk over a traced module knows at a node: the values so far, names, shapes, and the plans."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import fx

from bitwright.errors import LoweringError
from bitwright.quantize.planner import Planner
from bitwright.quantize.tracing import TracedModule, real_tensor
from bitwright.quantize.value import IndexValue, IntegerValue, PaddedValue, RealInput, TopKPair, Value

TENSORS = RealInput | IntegerValue | PaddedValue | IndexValue | TopKPair


@dataclass(frozen=True)
class Scope:
    """`recorded` are the values of every fx node for an example batch; `values` grow with the walk."""

    traced: TracedModule
    recorded: Mapping[str, Any]
    planner: Planner = field(default_factory=Planner)
    values: dict[fx.Node, Value] = field(default_factory=dict)

    @staticmethod
    def name(node: fx.Node) -> str:
        """What errors and operations call a node: the layer's path, or the function."""
        return str(node.target) if node.op == "call_module" else node.name

    def argument(self, argument: Any) -> Any:
        """The value of an argument that is a node; anything else as it is."""
        return self.values[argument] if isinstance(argument, fx.Node) else argument

    @staticmethod
    def tensor(name: str, value: Any) -> Value:
        """`value`, which must be a tensor of the network."""
        if not isinstance(value, TENSORS):
            raise LoweringError(name, "is not called on a tensor of the network", "call it on the layer's output")
        return value

    def shape(self, node: fx.Node) -> tuple[int, ...]:
        """The shape that a node's tensor has in the module, without batch."""
        shape = tuple(real_tensor(self.recorded[node.name]).shape)
        placeholder = next(iter(self.traced.graph.nodes))
        batch = real_tensor(self.recorded[placeholder.name]).shape[0]
        if len(shape) < 2 or shape[0] != batch:
            raise LoweringError(self.name(node), f"gives shape {shape}", "keep the batch of frames in axis 0")
        return shape[1:]

    def recorded_input(self, node: fx.Node) -> Any:
        """What the first argument of a node was on the example."""
        source = node.args[0]
        assert isinstance(source, fx.Node)
        return self.recorded[source.name]

    def alone(self, node: fx.Node, value: Value) -> bool:
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
