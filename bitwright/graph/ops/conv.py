"""Conv: the integer convolution of signals and images."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bitwright.errors import InputError
from bitwright.graph.operation import Operation
from bitwright.graph.ops.sliding import Pads, SlidingWindow
from bitwright.graph.types import IntArray, IntType, TensorSpec

INT64_MAX = (1 << 63) - 1


@dataclass(frozen=True, eq=False, kw_only=True)
class Conv(Operation):
    """Cross-correlation of signals (length, channels) or images (height, width, channels), plus bias.

    `weights` (out, *kernel, in / groups), with one or two kernel axes, is kept in the smallest of int8, int16 and
    int32 that holds `weight_type`; `bias` (out,) is int64 or None. `stride`, `padding` (pairs (before, after)) and
    `dilation` have one entry for each spatial axis; left empty they are 1, none and 1. Channels are split into `groups`
    as in PyTorch: outputs `g * out / groups` on read inputs `g * in / groups` on. Padding takes part with `pad_value`
    as it is, inside the input's type or not: 0 in a bipolar tensor is a third value, -1 pads with the bit 0.
    """

    weights: IntArray
    weight_type: IntType
    bias: IntArray | None = None
    stride: tuple[int, ...] = ()
    padding: Pads = ()
    dilation: tuple[int, ...] = ()
    groups: int = 1
    pad_value: int = 0

    kind: ClassVar[str] = "Conv"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.weight_type, IntType):
            raise self.error(f"weight_type must be an IntType, not {type(self.weight_type).__name__}")
        dtype = self.weight_type.numpy
        if dtype.itemsize > 4:
            raise self.error(f"weights of type {self.weight_type} need more than 32 bits; use fewer bits")
        given = np.asarray(self.weights)
        if given.dtype.kind in "iu" and given.size and not self.weight_type.contains(given):
            raise self.error(f"weights have values outside their type {self.weight_type}; quantize them first")
        if given.ndim not in (3, 4):
            raise self.error(f"weights must have the axes (out, *kernel, in), 3 or 4 of them, not shape {given.shape}")
        weights = self.constant("weights", dtype, given.ndim)
        if self.bias is not None and self.constant("bias", "int64", 1).shape != weights.shape[:1]:
            raise self.error(f"bias has {np.size(self.bias)} values; expected one for each of {len(weights)} outputs")
        axes = given.ndim - 2
        self.integers("stride", axes, (1,) * axes)
        self.integers("dilation", axes, (1,) * axes)
        self.pads("padding", axes)
        if isinstance(self.groups, bool) or not isinstance(self.groups, int) or self.groups < 1:
            raise self.error(f"groups must be a positive integer, not {self.groups!r:.60}")
        if len(weights) % self.groups:
            raise self.error(f"has {len(weights)} outputs, which {self.groups} groups do not divide")
        value = self.pad_value
        if isinstance(value, bool) or not isinstance(value, int) or abs(value) > INT64_MAX:
            raise self.error(f"pad_value must be an integer of at most 64 bits, not {value!r:.60}")

    @property
    def kernel(self) -> tuple[int, ...]:
        """Elements of the kernel on each spatial axis."""
        return self.weights.shape[1:-1]

    def window(self, spec: TensorSpec) -> SlidingWindow:
        """Where the kernel lies on an input. Raises InputError when the input does not fit."""
        axes = len(self.kernel)
        if len(spec.shape) != axes + 1:
            words = "(length, channels)" if axes == 1 else "(height, width, channels)"
            raise self.error(f"needs an input {words}, but tensor '{self.inputs[0]}' is {spec}")
        if spec.shape[-1] != self.weights.shape[-1] * self.groups:
            wanted = self.weights.shape[-1] * self.groups
            raise self.error(f"has weights for {wanted} channels, but tensor '{self.inputs[0]}' is {spec}")
        try:
            return SlidingWindow(spec.shape[:-1], self.kernel, self.stride, self.padding, self.dilation)
        except InputError as error:
            raise self.error(str(error)) from error

    def bounds(self, spec: TensorSpec) -> tuple[list[int], list[int]]:
        """Exact smallest and largest output of each channel, over all positions and all inputs of the type."""
        pad = (self.pad_value, self.pad_value)
        bias = np.zeros(len(self.weights), dtype=np.int64) if self.bias is None else self.bias
        lows, highs = self._sums(self.window(spec), (spec.dtype.lo, spec.dtype.hi), pad)
        return (lows + bias).tolist(), (highs + bias).tolist()

    def output_type(self, spec: TensorSpec) -> IntType:
        """The exact worst case over all channels and positions, from the actual weights and bias."""
        lows, highs = self.bounds(spec)
        return IntType(min(lows), max(highs))

    def accumulator_type(self, spec: TensorSpec) -> IntType:
        """A type for the accumulator: it covers 0, the result, and every partial sum in any order, at every position.

        The partial sums are those of any subset of the products of one output, with or without the bias.
        """
        return self._accumulator(self.window(spec), spec.dtype)

    def _accumulator(self, window: SlidingWindow, dtype: IntType) -> IntType:
        pad = (min(self.pad_value, 0), max(self.pad_value, 0))
        lows, highs = self._sums(window, (min(dtype.lo, 0), max(dtype.hi, 0)), pad)
        if self.bias is not None:
            lows, highs = lows + np.minimum(self.bias, 0), highs + np.maximum(self.bias, 0)
        return IntType(min(0, *lows.tolist()), max(0, *highs.tolist()))

    def _sums(
        self, window: SlidingWindow, real: tuple[int, int], pad: tuple[int, int]
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Per channel, over the patterns of padding: least and largest sum of products, as Python integers."""
        wide = self.weights.astype(np.int64)
        ends = []
        parts = [np.where(keep, wide, 0).sum(axis=-1) for keep in (wide > 0, wide < 0)]
        inside = [window.sums(part).astype(object) for part in parts]
        outside = [
            part.reshape(len(part), -1).sum(axis=1).astype(object)[:, None] - within
            for part, within in zip(parts, inside, strict=True)
        ]
        # Positive weights take the one end of the interval, negative weights the other.
        for end, pick in ((0, min), (1, max)):
            total = inside[0] * real[end] + inside[1] * real[1 - end]
            total = total + outside[0] * pad[end] + outside[1] * pad[1 - end]
            ends.append(np.array([pick(row) for row in total.tolist()], dtype=object))
        return ends[0], ends[1]

    def infer(self, *specs: TensorSpec) -> TensorSpec:
        """(*size, in) becomes (*windows, out)."""
        (spec,) = specs
        window = self.window(spec)
        accumulator = self._accumulator(window, spec.dtype)
        if accumulator.width > 63:
            raise self.error(f"its sums need {accumulator.width} bits, more than 63; use fewer bits or split the layer")
        return TensorSpec((*window.out, len(self.weights)), self.output_type(spec))

    def run(self, *values: IntArray) -> IntArray:
        """The definition in int64: for each element of the kernel, what it sees times its weights."""
        (x,) = values
        largest = max(abs(int(x.min())), abs(int(x.max()))) if x.size else 0
        reach = IntType(-largest, largest)
        window = self.window(TensorSpec(x.shape[1:], reach))
        sums = self._accumulator(window, reach)
        if sums.hi > INT64_MAX or -sums.lo > INT64_MAX:
            raise self.error("its sums do not fit 64 bits; use fewer bits or split the layer")
        outputs, inputs = len(self.weights), x.shape[-1]
        # (out, *kernel, in / groups) to (*kernel, groups, in / groups, out / groups).
        grouped = self.weights.astype(np.int64).reshape(self.groups, outputs // self.groups, *self.weights.shape[1:])
        weights = np.moveaxis(np.moveaxis(grouped, 1, -1), 0, -3)
        total = np.zeros((len(x), *window.out, self.groups, outputs // self.groups), dtype=np.int64)
        for tap, seen in window.views(window.pad(x.astype(np.int64), self.pad_value)):
            parts = seen.reshape(*seen.shape[:-1], self.groups, inputs // self.groups)
            total += np.einsum("...gi,gio->...go", parts, weights[tap])
        result = total.reshape(len(x), *window.out, outputs)
        return result if self.bias is None else result + self.bias

    def macs(self, *specs: TensorSpec) -> int:
        """One for each weight and each window; those on padding count."""
        (spec,) = specs
        return int(self.weights.size) * math.prod(self.window(spec).out)

    @property
    def weight_bits(self) -> int:
        """Weights times the width of their type; the bias is not counted."""
        return int(self.weights.size) * self.weight_type.width
