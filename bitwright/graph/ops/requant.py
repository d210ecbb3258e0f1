"""Requant: multiply, add, shift and clip, the integer form of a change of scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bitwright.graph.operation import Operation
from bitwright.graph.types import IntArray, IntType, TensorSpec

INT64_MAX = (1 << 63) - 1


@dataclass(frozen=True, eq=False, kw_only=True)
class Requant(Operation):
    """`clip((x * multiplier + offset) >> shift, lo, hi)` per channel of the last axis (Jacob et al., CVPR 2018).

    `multiplier` and `offset` (channels,) are int64, `shift` is 0 to 62 and arithmetic, so the quotient is rounded down;
    rounding half up is `2^(shift-1)` inside `offset`. With channels = 1 the one value serves all channels.
    """

    multiplier: IntArray
    offset: IntArray
    shift: int
    output_type: IntType

    kind: ClassVar[str] = "Requant"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.output_type, IntType) or self.output_type.kind == "bipolar":
            raise self.error(f"output_type must be an IntType that holds 0, not {self.output_type}")
        if not isinstance(self.shift, int) or isinstance(self.shift, bool) or not 0 <= self.shift <= 62:
            raise self.error(f"shift must be an integer from 0 to 62, not {self.shift!r}")
        multiplier = self.constant("multiplier", "int64", 1)
        if self.constant("offset", "int64", 1).shape != multiplier.shape:
            raise self.error(f"offset has {self.offset.size} values, multiplier {multiplier.size}; they must agree")

    def infer(self, *specs: TensorSpec) -> TensorSpec:
        """The same shape in the output type."""
        (spec,) = specs
        channels = self.channels(spec)
        if len(self.multiplier) not in (1, channels):
            raise self.error(f"has {len(self.multiplier)} multipliers, but tensor '{self.inputs[0]}' is {spec}")
        self._check_reach(max(abs(spec.dtype.lo), abs(spec.dtype.hi)))
        return TensorSpec(spec.shape, self.output_type)

    def product_type(self, input_type: IntType) -> IntType:
        """The exact worst case of `x * multiplier + offset` over all channels."""
        pairs = list(zip(self.multiplier.tolist(), self.offset.tolist(), strict=True))
        ends = [m * x + b for m, b in pairs for x in (input_type.lo, input_type.hi)]
        return IntType(min(ends), max(ends))

    def _check_reach(self, largest: int) -> None:
        for factor, offset in zip(self.multiplier.tolist(), self.offset.tolist(), strict=True):
            if abs(factor) * largest + abs(offset) > INT64_MAX:
                raise self.error("its products do not fit 64 bits; use a smaller multiplier and shift")

    def run(self, *values: IntArray) -> IntArray:
        """The definition in int64."""
        (x,) = values
        self._check_reach(max(abs(int(x.min())), abs(int(x.max()))) if x.size else 0)
        quotient = (x.astype(np.int64) * self.multiplier + self.offset) >> self.shift
        return np.asarray(np.clip(quotient, self.output_type.lo, self.output_type.hi), dtype=self.output_type.numpy)
