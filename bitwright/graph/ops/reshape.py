"""Reshape: the same elements in other axes, C order."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from bitwright.graph.operation import Operation
from bitwright.graph.types import IntArray, TensorSpec


@dataclass(frozen=True, eq=False, kw_only=True)
class Reshape(Operation):
    """Reshape (batch, ...) to (batch, *shape) in C order."""

    shape: tuple[int, ...]

    kind: ClassVar[str] = "Reshape"

    def __post_init__(self) -> None:
        super().__post_init__()
        axes = len(self.shape) if isinstance(self.shape, (tuple, list)) else 0
        if not 1 <= axes <= 8:
            raise self.error(f"shape must be a tuple of 1 to 8 integers, not {self.shape!r:.60}")
        self.integers("shape", axes, ())

    def infer(self, *specs: TensorSpec) -> TensorSpec:
        """The shape, of as many elements as the input."""
        (spec,) = specs
        if math.prod(self.shape) != spec.size:
            raise self.error(f"makes {math.prod(self.shape)} elements, but tensor '{self.inputs[0]}' is {spec}")
        return TensorSpec(self.shape, spec.dtype, spec.scale)

    def run(self, *values: IntArray) -> IntArray:
        """The definition."""
        (x,) = values
        return x.reshape(len(x), *self.shape)
