"""Duplicate: some channels a second time behind the others (what outlier channel splitting needs)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bitwright.graph.operation import Operation
from bitwright.graph.types import IntArray, TensorSpec


@dataclass(frozen=True, eq=False, kw_only=True)
class Duplicate(Operation):
    """`concat(x, x[..., copies])` along the last axis; `copies` (m,) int64 holds indices (Zhao et al., ICML 2019)."""

    copies: IntArray

    kind: ClassVar[str] = "Duplicate"

    def __post_init__(self) -> None:
        super().__post_init__()
        if int(self.constant("copies", "int64", 1).min()) < 0:
            raise self.error("copies must be indices from 0 on")

    def infer(self, *specs: TensorSpec) -> TensorSpec:
        """The last axis grows by m."""
        (spec,) = specs
        channels = self.channels(spec)
        if int(self.copies.max()) >= channels:
            raise self.error(f"copies channel {self.copies.max()}, but tensor '{self.inputs[0]}' is {spec}")
        return TensorSpec((*spec.shape[:-1], channels + self.copies.size), spec.dtype, spec.scale)

    def run(self, *values: IntArray) -> IntArray:
        """The definition."""
        (x,) = values
        return np.concatenate((x, x[..., self.copies]), axis=-1)
