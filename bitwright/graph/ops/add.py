"""Add: tensors of one shape, each times an integer, summed (the join of a residual block)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bitwright.graph.operation import Operation
from bitwright.graph.types import IntArray, IntType, TensorSpec

INT64_MAX = (1 << 63) - 1


@dataclass(frozen=True, eq=False, kw_only=True)
class Add(Operation):
    """`sum(multiplier * x)` over two or more inputs of one shape; `multipliers` (inputs,) is int64 and holds no 0.

    Branches with different scales are aligned by their multipliers: real values that are integer multiples of one
    step add up exactly.
    """

    multipliers: IntArray

    kind: ClassVar[str] = "Add"
    arity: ClassVar[tuple[int, int | None]] = (2, None)

    def __post_init__(self) -> None:
        super().__post_init__()
        multipliers = self.constant("multipliers", "int64", 1)
        if multipliers.size != len(self.inputs):
            raise self.error(f"has {multipliers.size} multipliers for {len(self.inputs)} inputs; give one for each")
        if not multipliers.all():
            raise self.error("a multiplier is 0; leave that input out")

    def infer(self, *specs: TensorSpec) -> TensorSpec:
        """The same shape, and the exact interval of the sum."""
        if len({spec.shape for spec in specs}) != 1:
            found = ", ".join(f"'{tensor}' is {spec}" for tensor, spec in zip(self.inputs, specs, strict=True))
            raise self.error(f"needs inputs of one shape, but {found}")
        products = self.product_types(*specs)
        if sum(max(abs(product.lo), abs(product.hi)) for product in products) > INT64_MAX:
            raise self.error("its sums do not fit 64 bits; use smaller multipliers")
        return TensorSpec(specs[0].shape, IntType(sum(p.lo for p in products), sum(p.hi for p in products)))

    def product_types(self, *specs: TensorSpec) -> tuple[IntType, ...]:
        """The exact interval of `multiplier * x` for each input."""
        pairs = zip(self.multipliers.tolist(), (spec.dtype for spec in specs), strict=True)
        ends = [sorted((m * dtype.lo, m * dtype.hi)) for m, dtype in pairs]
        return tuple(IntType(lo, hi) for lo, hi in ends)

    def run(self, *values: IntArray) -> IntArray:
        """The definition in int64."""
        pairs = list(zip(self.multipliers.tolist(), values, strict=True))
        if sum(abs(m) * max(abs(int(x.min())), abs(int(x.max()))) for m, x in pairs if x.size) > INT64_MAX:
            raise self.error("its sums do not fit 64 bits; use smaller multipliers")
        total = np.zeros(values[0].shape, dtype=np.int64)
        for multiplier, x in pairs:
            total += multiplier * x.astype(np.int64)
        return total
