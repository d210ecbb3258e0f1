"""Linear: the integer matrix-vector product of a fully connected layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bitwright.graph.operation import Operation
from bitwright.graph.types import IntArray, IntType, TensorSpec

INT64_MAX = (1 << 63) - 1


@dataclass(frozen=True, eq=False, kw_only=True)
class Linear(Operation):
    """`x @ weights.T + bias` over the last axis.

    `weights` (out, in) is kept in the smallest of int8, int16 and int32 that holds `weight_type` (BIPOLAR, TERNARY or
    an interval); `bias` (out,) is int64 or None.
    """

    weights: IntArray
    weight_type: IntType
    bias: IntArray | None = None

    kind: ClassVar[str] = "Linear"

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
        weights = self.constant("weights", dtype, 2)
        if self.bias is not None and self.constant("bias", "int64", 1).shape != weights.shape[:1]:
            raise self.error(f"bias has {np.size(self.bias)} values; expected one for each of {len(weights)} outputs")

    def bounds(self, input_type: IntType) -> tuple[list[int], list[int]]:
        """Exact smallest and largest output of each channel over all inputs of the type."""
        return self._sums(input_type, include_zero=False)

    def output_type(self, input_type: IntType) -> IntType:
        """The exact worst case over all channels, from the actual weights and bias."""
        lows, highs = self.bounds(input_type)
        return IntType(min(lows), max(highs))

    def accumulator_type(self, input_type: IntType) -> IntType:
        """A type for the accumulator: it covers 0, the result, and every partial sum in any order.

        The partial sums are those of any subset of the products of one channel, with or without the bias.
        """
        lows, highs = self._sums(input_type, include_zero=True)
        return IntType(min(0, *lows), max(0, *highs))

    def _sums(self, input_type: IntType, include_zero: bool) -> tuple[list[int], list[int]]:
        # Per channel: sums of the negative and of the positive weights, as Python integers, cannot overflow.
        wide = self.weights.astype(np.int64)
        positive = np.where(wide > 0, wide, 0).sum(axis=1).tolist()
        negative = np.where(wide < 0, wide, 0).sum(axis=1).tolist()
        bias = [0] * len(wide) if self.bias is None else self.bias.tolist()
        lo, hi = input_type.lo, input_type.hi
        if include_zero:
            lo, hi = min(lo, 0), max(hi, 0)
            low_bias, high_bias = [min(b, 0) for b in bias], [max(b, 0) for b in bias]
        else:
            low_bias = high_bias = bias
        lows = [p * lo + n * hi + b for p, n, b in zip(positive, negative, low_bias, strict=True)]
        highs = [p * hi + n * lo + b for p, n, b in zip(positive, negative, high_bias, strict=True)]
        return lows, highs

    def infer(self, *specs: TensorSpec) -> TensorSpec:
        """(..., in) becomes (..., out)."""
        (spec,) = specs
        outputs, inputs = self.weights.shape
        if self.channels(spec) != inputs:
            raise self.error(f"has weights for {inputs} inputs, but tensor '{self.inputs[0]}' is {spec}")
        accumulator = self.accumulator_type(spec.dtype)
        if accumulator.width > 63:
            raise self.error(f"its sums need {accumulator.width} bits, more than 63; use fewer bits or split the layer")
        return TensorSpec((*spec.shape[:-1], outputs), self.output_type(spec.dtype))

    def run(self, *values: IntArray) -> IntArray:
        """`x @ weights.T + bias` in int64."""
        (x,) = values
        largest = max(abs(int(x.min())), abs(int(x.max()))) if x.size else 0
        reach = self.accumulator_type(IntType(-largest, largest))
        if reach.hi > INT64_MAX or -reach.lo > INT64_MAX:
            raise self.error("its sums do not fit 64 bits; use fewer bits or split the layer")
        product: IntArray = x.astype(np.int64) @ self.weights.astype(np.int64).T
        return product if self.bias is None else product + self.bias

    def macs(self, *specs: TensorSpec) -> int:
        """One for each weight and each position of the leading axes."""
        (spec,) = specs
        return int(self.weights.size) * (spec.size // spec.shape[-1])

    @property
    def weight_bits(self) -> int:
        """Weights times the width of their type; the bias is not counted."""
        return int(self.weights.size) * self.weight_type.width
