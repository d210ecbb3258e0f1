"""Collects the plans of a network, layer by layer."""

from __future__ import annotations

from collections.abc import Callable

from bitwright.errors import InputError, LoweringError
from bitwright.graph import Operation, TensorSpec
from bitwright.quantize.layout import Layout
from bitwright.quantize.plan import OperationPlan, Plan
from bitwright.quantize.value import IntegerValue, PaddedValue, RealFunction, RealInput, Reals, Value

MAX_INPUT_BITS = 8
"""Widest activations that a linear layer or convolution takes."""

QUANTIZE_FIRST = "put a quantizer before it, such as integer_input(8), BinaryInput() or integer_activation(bits)"


class Planner:
    """`plans` grows in topological order. `node` is always the name of the fx node that a plan stands for."""

    def __init__(self) -> None:
        """No plans; "input" is taken as a name."""
        self.plans: list[Plan] = []
        self.names = {"input"}

    def operation(
        self,
        node: str,
        operation: Operation,
        sources: tuple[IntegerValue, ...],
        layout: Callable[[tuple[int, ...]], Layout],
        real: RealFunction | None = None,
        slope: Reals | None = None,
        step: float | None = None,
    ) -> tuple[TensorSpec, Layout]:
        """Plan `operation` on `sources`; `layout` makes its output's layout from the shape. Returns what it gives."""
        try:
            spec = operation.infer(*(TensorSpec(source.shape, source.dtype) for source in sources))
        except InputError as error:
            raise LoweringError(operation.name, str(error), "use fewer bits, or other sizes") from error
        found = layout(spec.shape)
        self.plans.append(OperationPlan(operation.name, node, operation, found, real, slope, step))
        return spec, found

    def integers(self, name: str, value: Value) -> IntegerValue:
        """`value`, which must be a function of integers. Raises LoweringError otherwise."""
        if isinstance(value, RealInput):
            raise LoweringError(name, "sees the real input of the network", QUANTIZE_FIRST)
        if isinstance(value, PaddedValue):
            raise LoweringError(name, "sees padding", "pad directly before the convolution or pool")
        if not isinstance(value, IntegerValue):
            raise LoweringError(name, "does not follow scores but indices or numbers", "put it before them")
        return value

    def unique(self, name: str) -> str:
        """`name`, with a number when it is taken (a layer that is called twice)."""
        found, number = name, 1
        while found in self.names:
            found, number = f"{name}_{number}", number + 1
        self.names.add(found)
        return found
