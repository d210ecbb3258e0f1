"""Collects the plans of a network, layer by layer, and says what each layer's value then is."""

from __future__ import annotations

import numpy as np
from torch import Tensor, nn

from bitwright.errors import InputError, LoweringError
from bitwright.graph import Linear, TensorSpec
from bitwright.quantize.input_quantizer import read_input_quantizer
from bitwright.quantize.plan import (
    FlattenPlan,
    IndexPlan,
    InputPlan,
    LinearPlan,
    LinearReading,
    Plan,
    QuantizePlan,
    QuantizerReading,
)
from bitwright.quantize.value import IndexValue, IntegerValue, RealInput, Value, grid_value, uniform

MAX_INPUT_BITS = 8
"""Widest activations that a Linear takes."""

QUANTIZE_FIRST = "put a quantizer before it, such as integer_input(8), BinaryInput() or integer_activation(bits)"


class Planner:
    """`plans` grows in topological order. `node` is always the name of the fx node that a plan stands for."""

    def __init__(self) -> None:
        """No plans; "input" is taken as a name."""
        self.plans: list[Plan] = []
        self.names = {"input"}

    def linear(self, node: str, name: str, value: Value, reading: LinearReading) -> IntegerValue:
        """The value behind an integer linear layer."""
        source, name = self.integers(name, value), self.unique(name)
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
        self.plans.append(LinearPlan(name, node, source, step, reading.weights, reading.weight_type, slope, real))
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

    def quantize(self, node: str, name: str, layer: nn.Module, value: Value, reading: QuantizerReading) -> IntegerValue:
        """The value behind a quantizer: the network's input type for a RealInput, else one operation."""
        # No operation stands for the input's quantizer, so it may be called like the input itself.
        name = name if isinstance(value, RealInput) and name == "input" else self.unique(name)
        if isinstance(value, RealInput):
            quantizer = read_input_quantizer(name, layer, reading)
            self.plans.append(InputPlan(name, node, value.shape, quantizer, reading, value.flattened))
            tensor = "input"
            if value.flattened:
                tensor = self.unique("flatten")
                self.plans.append(FlattenPlan(tensor, node, "input"))
            shape = (int(np.prod(value.shape)),) if value.flattened else value.shape
        else:
            source = self.integers(name, value)
            if reading.scale.size not in (1, source.channels):
                raise LoweringError(
                    name, f"has {reading.scale.size} scales for {source.channels} channels", "use one for each channel"
                )
            self.plans.append(QuantizePlan(name, node, source, reading))
            tensor, shape = name, source.shape
        return grid_value(tensor, shape, reading.dtype, np.array(np.broadcast_to(reading.scale, shape[-1:])))

    def indices(self, node: str, name: str, value: IntegerValue, k: int | None) -> IndexValue:
        """The value behind an arg-max (`k` is None) or top-k."""
        if len(value.shape) != 1:
            raise LoweringError(name, f"its input has shape {value.shape}", "flatten first")
        if not value.affine or value.uniform_slope is None:
            raise LoweringError(
                name,
                "its channels have different scales, so the order of the integers is not the order of the scores",
                "use one scale in the last layer (per_channel=False, no BatchNorm), or return the scores",
            )
        name = self.unique(name)
        self.plans.append(IndexPlan(name, node, value, k))
        return IndexValue(name)

    def flatten(self, node: str, name: str, value: Value, shape: tuple[int, ...]) -> Value:
        """The value after a reshape to `shape`, which must be the same shape or a flat one."""
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
        name = self.unique(name)
        self.plans.append(FlattenPlan(name, node, value.tensor))
        return grid_value(name, shape, value.dtype, uniform(step, shape[0]))

    def integers(self, name: str, value: Value) -> IntegerValue:
        """`value`, which must be a function of integers. Raises LoweringError otherwise."""
        if isinstance(value, RealInput):
            raise LoweringError(name, "sees the real input of the network", QUANTIZE_FIRST)
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
