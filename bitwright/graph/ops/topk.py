"""TopK: the k classes with the highest scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bitwright.graph.operation import Operation
from bitwright.graph.types import IntArray, IntType, TensorSpec


@dataclass(frozen=True, eq=False, kw_only=True)
class TopK(Operation):
    """Indices of the `k` largest values, largest first, lower index first on ties; (batch, n) becomes (batch, k)."""

    k: int

    kind: ClassVar[str] = "TopK"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.k, int) or isinstance(self.k, bool) or self.k < 1:
            raise self.error(f"k must be a positive integer, not {self.k!r}")

    def infer(self, *specs: TensorSpec) -> TensorSpec:
        """k values in [0, n - 1]."""
        (spec,) = specs
        if len(spec.shape) != 1:
            raise self.error(f"needs a vector, but tensor '{self.inputs[0]}' is {spec}; put a Flatten before it")
        if self.k > self.channels(spec):
            raise self.error(f"k is {self.k}, but tensor '{self.inputs[0]}' has only {spec.shape[0]} values")
        return TensorSpec((self.k,), IntType(0, spec.shape[0] - 1))

    def run(self, *values: IntArray) -> IntArray:
        """The definition."""
        (x,) = values
        # A stable ascending sort of the mirrored vector, mirrored back, is descending with lower indices first.
        backwards = np.argsort(x[..., ::-1], axis=-1, kind="stable")[..., ::-1]
        return np.asarray(x.shape[-1] - 1 - backwards[..., : self.k])
