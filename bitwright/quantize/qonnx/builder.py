"""Collects the operations of the network that an ONNX graph becomes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bitwright.errors import InputError
from bitwright.graph import BIPOLAR, InputQuantizer, IntArray, IntType, Linear, Operation, TensorSpec
from bitwright.quantize.planner import MAX_INPUT_BITS
from bitwright.quantize.qonnx.model import Node
from bitwright.quantize.qonnx.steps import step_operation
from bitwright.quantize.qonnx.ties import FloatTies, FloatTieWarning, find_close_steps
from bitwright.quantize.qonnx.value import (
    Columns,
    Constant,
    Padded,
    RealInput,
    Scaled,
    Softened,
    Unavailable,
    Value,
    on_grid,
)
from bitwright.quantize.value import RealFunction, Reals

QUANTIZE_FIRST = "put a Quant, BipolarQuant or MultiThreshold node before it (in Brevitas: a quantized activation)"


MAX_EXACT_BITS = 24
"""Widest integers that a product takes where executors do not round them."""


class Builder:
    """The operations so far, in order, and the network's input."""

    def __init__(self, input_name: str, batch: int = 1, drop_softmax: bool = False) -> None:
        """No operations; the input's type is not known yet."""
        self.input_name = input_name
        self.batch = batch
        self.drop_softmax = drop_softmax
        # Tensors whose integers grew by a bias since their ONNX tensors were read.
        self.shifted: dict[str, IntArray] = {}
        self.input_spec: TensorSpec | None = None
        self.input_quantizer: InputQuantizer | None = None
        self.operations: list[Operation] = []
        self.specs: dict[str, TensorSpec] = {}
        self.names = {input_name}
        self.ties: list[FloatTies] = []

    # Names and operations

    def unique(self, wanted: str) -> str:
        """`wanted` made printable and short, with a number when it is taken."""
        word = "".join(letter if letter.isprintable() else "_" for letter in wanted)[:180] or "tensor"
        found, number = word, 1
        while found in self.names:
            found, number = f"{word}_{number}", number + 1
        self.names.add(found)
        return found

    def emit(self, node: Node, make: Callable[[str, str], Operation], name: str = "", output: str = "") -> str:
        """Append `make(name, output tensor)`; gives the output tensor."""
        tensor = self.unique(output or node.outputs[0])
        # The operation's name and its output's may be the same word.
        operation_name = self.unique(name) if name and name != tensor else tensor
        try:
            operation = make(operation_name, tensor)
            spec = operation.infer(*(self.specs[source] for source in operation.inputs))
        except InputError as error:
            raise node.error(f"does not fit ({error})", "use fewer bits or fewer inputs") from error
        self.operations.append(operation)
        self.specs[tensor] = spec
        return tensor

    def append(self, operation: Operation) -> str:
        """Append an operation that is named already, under a name that is free; gives the output tensor."""
        name = self.unique(operation.name)
        operation = replace(operation, name=name, output=name)
        self.operations.append(operation)
        self.specs[name] = operation.infer(*(self.specs[source] for source in operation.inputs))
        return name

    def needed(self, outputs: Sequence[str]) -> tuple[Operation, ...]:
        """The operations that the outputs depend on."""
        wanted, kept = set(outputs), []
        for operation in reversed(self.operations):
            if operation.output in wanted:
                wanted.update(operation.inputs)
                kept.append(operation)
        return tuple(reversed(kept))

    # The input

    def set_input(self, node: Node, dtype: IntType, shape: tuple[int, ...], quantizer: InputQuantizer | None) -> None:
        """Fix type and quantizer of the network's input. Raises LoweringError when it has others already."""
        spec = TensorSpec(shape, dtype)
        if self.input_spec is not None and (self.input_spec != spec or self.input_quantizer != quantizer):
            raise node.error("quantizes the input another way than an earlier node", "quantize the input once, first")
        self.input_spec, self.input_quantizer = spec, quantizer
        self.specs[self.input_name] = spec

    # Values

    def integers(self, node: Node, value: Value) -> Scaled:
        """`value`, which must be a function of integers."""
        if isinstance(value, Scaled):
            return value
        if isinstance(value, RealInput):
            raise node.error("sees the real input of the graph", QUANTIZE_FIRST + ", or give input_type")
        if isinstance(value, Unavailable):
            raise node.error(f"reads {value.reason}", value.fix)
        if isinstance(value, Padded | Columns):
            raise node.error("follows a Pad or Im2Col", "only convolutions and pools take in what these make")
        word = {Constant: "a constant", Softened: "probabilities"}.get(type(value), "indices")
        raise node.error(f"works on {word}, not on a tensor of the network", "fold it, or take it out of the graph")

    def constant(self, node: Node, value: Value | None, what: str) -> Constant:
        """`value`, which must not depend on the input."""
        if not isinstance(value, Constant):
            raise node.error(f"has no constant {what}", f"give {what} as an initializer")
        return value

    # Operations

    def linear(
        self, node: Node, source: str, weights: IntArray, bias: IntArray | None = None
    ) -> tuple[str, tuple[IntArray, IntArray]]:
        """A Linear of integer weights (out, in); its output tensor and the interval of each channel."""
        tensor = self.emit(
            node,
            lambda name, output: Linear(
                name=name, inputs=(source,), output=output, weights=weights, weight_type=weight_type(weights), bias=bias
            ),
            name=node.name,
        )
        operation = self.operations[-1]
        assert isinstance(operation, Linear)
        lows, highs = operation.bounds(self.specs[source].dtype)
        return tensor, (np.array(lows, dtype=np.int64), np.array(highs, dtype=np.int64))

    def check_width(self, node: Node, value: Scaled) -> None:
        """Raise LoweringError when the integers are too wide for products: sums that are not quantized."""
        most = MAX_INPUT_BITS if value.terms else MAX_EXACT_BITS
        if value.dtype.width > most:
            raise node.error(f"multiplies integers of {value.dtype.width} bits, more than {most}", QUANTIZE_FIRST)

    def quantize(
        self,
        node: Node,
        value: Scaled,
        dtype: IntType,
        scale: Reals,
        integers: RealFunction,
        slope: Reals | None = None,
        output: str = "",
    ) -> Scaled:
        """The value behind a quantizer: `integers` takes reals (n, channels) to integers of `dtype` in float64.

        `scale` (channels,) is the step of the new value; `slope` is the change of its integer for one step of the old
        one, where it is not the ratio of their scales. `output` is a name for the new tensor, by default the node's.
        """
        if np.any(~np.isfinite(scale)) or np.any(scale <= 0):
            raise node.error("has a scale that is not above 0", "calibrate or train it")

        def function(points: NDArray[Any]) -> NDArray[Any]:
            return integers(value.real(points)).numpy()

        if slope is None and value.slope is not None:
            slope = value.slope / scale
        operation = step_operation(node, value.tensor, function, value.lo, value.hi, slope, dtype)
        tensor = value.tensor
        if operation is not None:
            made = operation
            tensor = self.emit(
                node,
                lambda name, tensor: replace(made, name=name, output=tensor),
                name="" if output else node.name,
                output=output,
            )
        close = find_close_steps(node.name, value, function, dtype)
        if close is not None:
            self.ties.append(close)
        result = on_grid(tensor, value.shape, dtype, scale, value.index)
        if operation is None:
            result = replace(result, dtype=self.specs[tensor].dtype, lo=value.lo, hi=value.hi)
        return result

    def materialized(self, node: Node, value: Scaled, uniform: bool = True) -> Scaled:
        """The value as integers times one scale, behind an operation of its own where steps are pending.

        Without `uniform` an affine value may keep scales that differ by channel.
        """
        step = value.uniform_slope
        if value.affine and (step is not None or not uniform):
            return value
        if step is None or value.slope is None:
            raise node.error("needs an input that is quantized to one scale for all channels", QUANTIZE_FIRST)
        step = abs(step)

        def on_steps(x: Tensor) -> Tensor:
            quotient = x.double() / step
            integers = torch.round(quotient)
            if bool(((quotient - integers).abs() > 2.0**-12).any()):
                raise node.error("needs an input that is quantized", QUANTIZE_FIRST)
            return integers

        ends = on_steps(value.real(np.stack([value.lo, value.hi])))
        dtype = IntType(int(ends.min()), int(ends.max()))
        scale = np.full(value.channels, step)
        return self.quantize(node, value, dtype, scale, on_steps, output=f"{value.tensor}_integers")

    def warn(self) -> None:
        """Warn where float32 rounding in the ONNX graph decides an integer."""
        if self.ties:
            first = self.ties[0]
            found = FloatTieWarning(first.layer, first.channel, first.what, len(self.ties) - 1)
            warnings.warn(found, stacklevel=4)


def weight_type(weights: IntArray) -> IntType:
    """The smallest type of the usual kinds that holds the weights."""
    lo, hi = int(weights.min()), int(weights.max())
    if lo >= -1 and hi <= 1:
        return BIPOLAR if np.all(weights != 0) else IntType(-1, 1, "ternary")
    bits = 1
    while not (IntType.signed_bits(bits).lo <= lo and hi <= IntType.signed_bits(bits).hi):
        bits += 1
    return IntType.signed_bits(bits)
