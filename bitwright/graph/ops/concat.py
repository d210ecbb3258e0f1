"""Concat: the channels of several tensors side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bitwright.graph.operation import Operation
from bitwright.graph.types import IntArray, IntType, TensorSpec


@dataclass(frozen=True, eq=False, kw_only=True)
class Concat(Operation):
    """Two or more inputs one behind the other along the last axis; the other axes agree."""

    kind: ClassVar[str] = "Concat"
    arity: ClassVar[tuple[int, int | None]] = (2, None)

    def infer(self, *specs: TensorSpec) -> TensorSpec:
        """The last axes add up; inputs of one type keep it, else the type is the smallest interval around all."""
        channels = sum(self.channels(spec) for spec in specs)
        if len({spec.shape[:-1] for spec in specs}) != 1:
            found = ", ".join(f"'{tensor}' is {spec}" for tensor, spec in zip(self.inputs, specs, strict=True))
            raise self.error(f"needs inputs that differ in their last axis only, but {found}")
        dtypes = [spec.dtype for spec in specs]
        hull = IntType(min(dtype.lo for dtype in dtypes), max(dtype.hi for dtype in dtypes))
        dtype = dtypes[0] if len(set(dtypes)) == 1 else hull
        scale = specs[0].scale if len({spec.scale for spec in specs}) == 1 else None
        return TensorSpec((*specs[0].shape[:-1], channels), dtype, scale)

    def run(self, *values: IntArray) -> IntArray:
        """The definition."""
        return np.concatenate(values, axis=-1)
