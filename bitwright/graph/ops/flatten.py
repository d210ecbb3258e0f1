"""Flatten: all axes of a frame in one, C order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bitwright.graph.operation import Operation
from bitwright.graph.types import IntArray, TensorSpec


@dataclass(frozen=True, eq=False, kw_only=True)
class Flatten(Operation):
    """Reshape (batch, ...) to (batch, size) in C order."""

    kind: ClassVar[str] = "Flatten"

    def infer(self, *specs: TensorSpec) -> TensorSpec:
        """The shape becomes (size,)."""
        (spec,) = specs
        return TensorSpec((spec.size,), spec.dtype, spec.scale)

    def run(self, *values: IntArray) -> IntArray:
        """The definition."""
        (x,) = values
        size = 1
        for length in x.shape[1:]:
            size *= length
        return x.reshape(len(x), size)
