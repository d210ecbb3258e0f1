"""Upsample: every element several times along each spatial axis (nearest neighbour)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bitwright.graph.operation import Operation
from bitwright.graph.types import IntArray, TensorSpec

MOST = 1 << 31


@dataclass(frozen=True, eq=False, kw_only=True)
class Upsample(Operation):
    """Repeat every element `factors[axis]` times along each spatial axis of a signal or an image."""

    factors: tuple[int, ...]

    kind: ClassVar[str] = "Upsample"

    def __post_init__(self) -> None:
        super().__post_init__()
        axes = len(self.factors) if isinstance(self.factors, (tuple, list)) else 0
        if axes not in (1, 2):
            raise self.error(f"factors must be a tuple of 1 or 2 integers, not {self.factors!r:.60}")
        self.integers("factors", axes, ())

    def infer(self, *specs: TensorSpec) -> TensorSpec:
        """The spatial axes grow by their factors."""
        (spec,) = specs
        if len(spec.shape) != len(self.factors) + 1:
            raise self.error(f"has factors for {len(self.factors)} axes, but tensor '{self.inputs[0]}' is {spec}")
        if math.prod(self.factors) * spec.size > MOST:
            raise self.error(f"makes more than {MOST:,} elements of tensor '{self.inputs[0]}', {spec}")
        size = (n * factor for n, factor in zip(spec.shape, self.factors, strict=False))
        return TensorSpec((*size, spec.shape[-1]), spec.dtype, spec.scale)

    def run(self, *values: IntArray) -> IntArray:
        """The definition."""
        (x,) = values
        for axis, factor in enumerate(self.factors, start=1):
            x = np.repeat(x, factor, axis=axis)
        return x
