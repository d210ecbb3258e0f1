"""MaxPool: the largest element of each window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bitwright.errors import InputError
from bitwright.graph.operation import Operation
from bitwright.graph.ops.sliding import Pads, SlidingWindow
from bitwright.graph.types import IntArray, IntType, TensorSpec

LOWEST = -(1 << 63)
ANY = IntType(LOWEST, -LOWEST - 1)


@dataclass(frozen=True, eq=False, kw_only=True)
class MaxPool(Operation):
    """The largest element of each window and channel of signals (length, channels) or images (height, width, channels).

    `kernel`, `stride`, `padding` (pairs (before, after)) and `dilation` have one entry for each spatial axis; left
    empty, stride is the kernel, padding none and dilation 1. Padding never wins: every window must hold an element
    that is no padding. On a bipolar tensor this is the OR of bits.
    """

    kernel: tuple[int, ...]
    stride: tuple[int, ...] = ()
    padding: Pads = ()
    dilation: tuple[int, ...] = ()

    kind: ClassVar[str] = "MaxPool"

    def __post_init__(self) -> None:
        super().__post_init__()
        axes = len(self.kernel) if isinstance(self.kernel, (tuple, list)) else 0
        if axes not in (1, 2):
            raise self.error(f"kernel must be a tuple of 1 or 2 integers, not {self.kernel!r:.60}")
        self.integers("kernel", axes, ())
        self.integers("stride", axes, self.kernel)
        self.integers("dilation", axes, (1,) * axes)
        self.pads("padding", axes)

    def window(self, spec: TensorSpec) -> SlidingWindow:
        """Where the windows lie on an input. Raises InputError when the input does not fit."""
        if len(spec.shape) != len(self.kernel) + 1:
            words = "(length, channels)" if len(self.kernel) == 1 else "(height, width, channels)"
            raise self.error(f"needs an input {words}, but tensor '{self.inputs[0]}' is {spec}")
        try:
            window = SlidingWindow(spec.shape[:-1], self.kernel, self.stride, self.padding, self.dilation)
        except InputError as error:
            raise self.error(str(error)) from error
        if any(bool((ranges[:, 0] == ranges[:, 1]).any()) for ranges in window.ranges):
            raise self.error("has windows of padding alone; use less padding")
        return window

    def infer(self, *specs: TensorSpec) -> TensorSpec:
        """(*size, channels) becomes (*windows, channels) of the same type."""
        (spec,) = specs
        return TensorSpec((*self.window(spec).out, spec.shape[-1]), spec.dtype, spec.scale)

    def run(self, *values: IntArray) -> IntArray:
        """The definition."""
        (x,) = values
        window = self.window(TensorSpec(x.shape[1:], ANY))
        result = np.full((len(x), *window.out, x.shape[-1]), LOWEST)
        for _, seen in window.views(window.pad(x.astype(np.int64), LOWEST)):
            result = np.maximum(result, seen)
        return result
