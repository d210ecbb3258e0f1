"""ArgMax: the class with the highest score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bitwright.graph.operation import Operation
from bitwright.graph.types import IntArray, IntType, TensorSpec


@dataclass(frozen=True, eq=False, kw_only=True)
class ArgMax(Operation):
    """Index of the largest value of the only axis, the lowest index on ties; (batch, n) becomes (batch,)."""

    kind: ClassVar[str] = "ArgMax"

    def infer(self, *specs: TensorSpec) -> TensorSpec:
        """A scalar in [0, n - 1]."""
        (spec,) = specs
        if len(spec.shape) != 1:
            raise self.error(f"needs a vector, but tensor '{self.inputs[0]}' is {spec}; put a Flatten before it")
        return TensorSpec((), IntType(0, self.channels(spec) - 1))

    def run(self, *values: IntArray) -> IntArray:
        """The definition."""
        (x,) = values
        return np.asarray(np.argmax(x, axis=-1))
