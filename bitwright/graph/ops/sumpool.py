"""SumPool: the sum of each window."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bitwright.errors import InputError
from bitwright.graph.operation import Operation
from bitwright.graph.ops.sliding import Pads, SlidingWindow
from bitwright.graph.types import IntArray, IntType, TensorSpec

INT64_MAX = (1 << 63) - 1


@dataclass(frozen=True, eq=False, kw_only=True)
class SumPool(Operation):
    """The sum of each window and channel of signals (length, channels) or images (height, width, channels).

    `kernel`, `stride` and `padding` (pairs (before, after)) have one entry for each spatial axis; left empty, stride is
    the kernel and padding none. Padding counts as 0. An average is the sum and a Requant or Threshold behind it.
    """

    kernel: tuple[int, ...]
    stride: tuple[int, ...] = ()
    padding: Pads = ()

    kind: ClassVar[str] = "SumPool"

    def __post_init__(self) -> None:
        super().__post_init__()
        axes = len(self.kernel) if isinstance(self.kernel, (tuple, list)) else 0
        if axes not in (1, 2):
            raise self.error(f"kernel must be a tuple of 1 or 2 integers, not {self.kernel!r:.60}")
        self.integers("kernel", axes, ())
        self.integers("stride", axes, self.kernel)
        self.pads("padding", axes)

    def window(self, spec: TensorSpec) -> SlidingWindow:
        """Where the windows lie on an input. Raises InputError when the input does not fit."""
        if len(spec.shape) != len(self.kernel) + 1:
            words = "(length, channels)" if len(self.kernel) == 1 else "(height, width, channels)"
            raise self.error(f"needs an input {words}, but tensor '{self.inputs[0]}' is {spec}")
        try:
            return SlidingWindow(spec.shape[:-1], self.kernel, self.stride, self.padding, (1,) * len(self.kernel))
        except InputError as error:
            raise self.error(str(error)) from error

    def output_type(self, spec: TensorSpec) -> IntType:
        """The exact worst case over all windows; those at the border hold fewer elements."""
        counts = [ranges[:, 1] - ranges[:, 0] for ranges in self.window(spec).ranges]
        sizes = (math.prod(int(c.min()) for c in counts), math.prod(int(c.max()) for c in counts))
        ends = [n * value for n in sizes for value in (spec.dtype.lo, spec.dtype.hi)]
        return IntType(min(ends), max(ends))

    def accumulator_type(self, spec: TensorSpec) -> IntType:
        """A type for the accumulator: it covers 0, the result, and every partial sum in any order."""
        result = self.output_type(spec)
        return IntType(min(0, result.lo), max(0, result.hi))

    def infer(self, *specs: TensorSpec) -> TensorSpec:
        """(*size, channels) becomes (*windows, channels)."""
        (spec,) = specs
        return TensorSpec((*self.window(spec).out, spec.shape[-1]), self.output_type(spec), spec.scale)

    def run(self, *values: IntArray) -> IntArray:
        """The definition in int64."""
        (x,) = values
        largest = max(abs(int(x.min())), abs(int(x.max()))) if x.size else 0
        if largest * math.prod(self.kernel) > INT64_MAX:
            raise self.error("its sums do not fit 64 bits; use fewer bits or a smaller kernel")
        window = self.window(TensorSpec(x.shape[1:], IntType(-largest, largest)))
        result = np.zeros((len(x), *window.out, x.shape[-1]), dtype=np.int64)
        for _, seen in window.views(window.pad(x.astype(np.int64), 0)):
            result += seen
        return result
