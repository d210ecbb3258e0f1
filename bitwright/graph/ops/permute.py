"""Permute: the channels in another order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bitwright.graph.operation import Operation
from bitwright.graph.types import IntArray, TensorSpec


@dataclass(frozen=True, eq=False, kw_only=True)
class Permute(Operation):
    """`x[..., order]`, where `order` (n,) int64 is a permutation of the last axis."""

    order: IntArray

    kind: ClassVar[str] = "Permute"

    def __post_init__(self) -> None:
        super().__post_init__()
        order = self.constant("order", "int64", 1)
        if not np.array_equal(np.sort(order), np.arange(order.size)):
            raise self.error(f"order must hold each of 0 to {order.size - 1} once")

    def infer(self, *specs: TensorSpec) -> TensorSpec:
        """The same shape and type."""
        (spec,) = specs
        if self.channels(spec) != self.order.size:
            raise self.error(f"orders {self.order.size} channels, but tensor '{self.inputs[0]}' is {spec}")
        return spec

    def run(self, *values: IntArray) -> IntArray:
        """The definition."""
        (x,) = values
        return x[..., self.order]
