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
from bitwright.graph import BIPOLAR, Flatten, InputQuantizer, IntArray, IntType, Linear, Operation, Permute, TensorSpec
from bitwright.quantize.planner import MAX_INPUT_BITS
from bitwright.quantize.qonnx.model import Array, Node
from bitwright.quantize.qonnx.steps import step_operation
from bitwright.quantize.qonnx.ties import FloatTies, FloatTieWarning, find_close_steps
from bitwright.quantize.qonnx.value import (
    Constant,
    RealInput,
    Scaled,
    Softened,
    Unavailable,
    Value,
    on_grid,
    plain_index,
)
from bitwright.quantize.value import RealFunction, Reals

QUANTIZE_FIRST = "put a Quant, BipolarQuant or MultiThreshold node before it (in Brevitas: a quantized activation)"


class Builder:
    """The operations so far, in order, and the network's input."""

    def __init__(self, input_name: str, batch: int = 1, drop_softmax: bool = False) -> None:
        """No operations; the input's type is not known yet."""
        self.input_name = input_name
        self.batch = batch
        self.drop_softmax = drop_softmax
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
        word = {Constant: "a constant", Softened: "probabilities"}.get(type(value), "indices")
        raise node.error(f"works on {word}, not on a tensor of the network", "fold it, or take it out of the graph")

    def constant(self, node: Node, value: Value | None, what: str) -> Constant:
        """`value`, which must not depend on the input."""
        if not isinstance(value, Constant):
            raise node.error(f"has no constant {what}", f"give {what} as an initializer")
        return value

    def flatten(self, node: Node, value: Scaled) -> Scaled:
        """The same reals behind a Flatten operation; each element becomes a channel."""
        if len(value.shape) == 1:
            return value
        places = value.index.size // value.channels
        tensor = self.emit(
            node,
            lambda name, output: Flatten(name=name, inputs=(value.tensor,), output=output),
            output=f"{value.tensor}_flat",
        )
        channels = value.channels

        def spread(step: RealFunction) -> RealFunction:
            return lambda x: step(x.reshape(-1, channels)).reshape(x.shape)

        return replace(
            value,
            tensor=tensor,
            shape=(value.index.size,),
            lo=np.tile(value.lo, places),
            hi=np.tile(value.hi, places),
            steps=tuple(spread(step) for step in value.steps),
            slope=None if value.slope is None else np.tile(value.slope, places),
            offset=None if value.offset is None else np.tile(value.offset, places),
        )

    def permute(self, node: Node, value: Scaled, order: IntArray) -> Scaled:
        """The same reals behind a Permute operation, which gives channel order[i] place i."""
        if np.array_equal(order, np.arange(order.size)):
            return value
        inverse = np.argsort(order)
        tensor = self.emit(
            node,
            lambda name, output: Permute(name=name, inputs=(value.tensor,), output=output, order=order),
            output=f"{value.tensor}_permuted",
        )

        def moved(step: RealFunction) -> RealFunction:
            return lambda x: step(x[..., inverse])[..., order]

        position = np.arange(value.index.size).reshape(-1, value.channels)
        place = position[:, inverse].reshape(-1)
        return replace(
            value,
            tensor=tensor,
            index=place[value.index],
            lo=value.lo[order],
            hi=value.hi[order],
            steps=tuple(moved(step) for step in value.steps),
            slope=None if value.slope is None else value.slope[order],
            offset=None if value.offset is None else value.offset[order],
        )

    def arranged(self, node: Node, value: Scaled) -> Scaled:
        """The same reals with the integer tensor in the ONNX tensor's order, flat."""
        value = self.flatten(node, value)
        return self.permute(node, value, value.index.reshape(-1))

    def per_channel(self, node: Node, value: Scaled, constant: Array, what: str) -> tuple[Scaled, Array]:
        """A constant that broadcasts to the ONNX tensor as one element for each channel; (channels,).

        Where it differs inside a channel, the value is flattened first, so that every element is a channel.
        """
        try:
            full = np.broadcast_to(constant, value.index.shape)
        except ValueError:
            raise node.error(
                f"has {what} of shape {np.shape(constant)} for a tensor of shape {value.index.shape}",
                "use one number, or one for each channel",
            ) from None
        flat = np.empty(full.size, dtype=full.dtype)
        flat[value.index.reshape(-1)] = full.reshape(-1)
        rows = flat.reshape(-1, value.channels)
        if not np.array_equal(rows, np.broadcast_to(rows[:1], rows.shape)):
            return self.flatten(node, value), flat
        return value, rows[0]

    # Operations

    def linear(
        self, node: Node, source: str, weights: IntArray, bias: IntArray | None = None
    ) -> tuple[str, IntArray, IntArray]:
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
        return tensor, np.array(lows, dtype=np.int64), np.array(highs, dtype=np.int64)

    def check_width(self, node: Node, value: Scaled) -> None:
        """Raise LoweringError when the integers are too wide for products."""
        if value.dtype.width > MAX_INPUT_BITS:
            raise node.error(
                f"multiplies integers of {value.dtype.width} bits, more than {MAX_INPUT_BITS}", QUANTIZE_FIRST
            )

    def quantize(self, node: Node, value: Scaled, dtype: IntType, scale: Reals, integers: RealFunction) -> Scaled:
        """The value behind a quantizer: `integers` takes reals (n, channels) to integers of `dtype` in float64.

        `scale` (channels,) is the step of the new value.
        """
        if np.any(~np.isfinite(scale)) or np.any(scale <= 0):
            raise node.error("has a scale that is not above 0", "calibrate or train it")

        def function(points: NDArray[Any]) -> NDArray[Any]:
            return integers(value.real(points)).numpy()

        slope = None if value.slope is None else value.slope / scale
        operation = step_operation(node, value.tensor, function, value.lo, value.hi, slope, dtype)
        tensor = value.tensor
        if operation is not None:
            made = operation
            tensor = self.emit(node, lambda name, output: replace(made, name=name, output=output), name=node.name)
        close = find_close_steps(node.name, value, function, dtype)
        if close is not None:
            self.ties.append(close)
        result = on_grid(tensor, value.shape, dtype, scale, value.index)
        if operation is None:
            result = replace(result, dtype=self.specs[tensor].dtype, lo=value.lo, hi=value.hi)
        return result

    def materialized(self, node: Node, value: Scaled) -> Scaled:
        """The value as integers times one scale, behind an operation of its own where steps are pending."""
        step = value.uniform_slope
        if value.affine and step is not None:
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
        return self.quantize(node, value, dtype, np.full(value.channels, step), on_steps)

    def warn(self) -> None:
        """Warn where float32 rounding in the ONNX graph decides an integer."""
        if self.ties:
            warnings.warn(FloatTieWarning(self.ties), stacklevel=4)


def weight_type(weights: IntArray) -> IntType:
    """The smallest type of the usual kinds that holds the weights."""
    lo, hi = int(weights.min()), int(weights.max())
    if lo >= -1 and hi <= 1:
        return BIPOLAR if np.all(weights != 0) else IntType(-1, 1, "ternary")
    bits = 1
    while not (IntType.signed_bits(bits).lo <= lo and hi <= IntType.signed_bits(bits).hi):
        bits += 1
    return IntType.signed_bits(bits)


def real_input(shape: tuple[int, ...]) -> RealInput:
    """The graph's input of `shape` (without batch), in the network's own order of axes."""
    return RealInput(shape, plain_index(shape))
