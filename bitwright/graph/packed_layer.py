"""Linear, and Linear with its bipolar Threshold, on packed bits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitwright.graph.ops import Linear, Threshold
from bitwright.graph.packed import PackedWeights, Words, pack
from bitwright.graph.types import IntArray


@dataclass(frozen=True, eq=False)
class PackedLinear:
    """A Linear of bipolar inputs and bipolar or ternary weights: packed bits in, integers out."""

    weights: PackedWeights
    bias: IntArray | None

    @staticmethod
    def of(operation: Linear, weights: PackedWeights) -> PackedLinear:
        """For the operation, whose weights are given packed."""
        return PackedLinear(weights, operation.bias)

    def __call__(self, x: Words) -> IntArray:
        """(frames, words) to (frames, outputs)."""
        sums: IntArray = self.weights.accumulate(x)
        return sums if self.bias is None else sums + self.bias


@dataclass(frozen=True, eq=False)
class PackedThreshold:
    """A Linear and the bipolar Threshold behind it: packed bits in, packed bits out.

    With m products that are -1 among `nonzero`, the sum is `nonzero - 2 m + bias`; it reaches t just when
    `m <= floor((nonzero + bias - t) / 2)`. That limit is what the kernel compares with.
    """

    weights: PackedWeights
    limits: NDArray[np.int32]
    flips: Words

    @staticmethod
    def of(operation: Linear, threshold: Threshold, weights: PackedWeights) -> PackedThreshold:
        """For the two operations; the Linear's weights are given packed."""
        nonzero = weights.nonzero.tolist()
        outputs = len(nonzero)
        bias = [0] * outputs if operation.bias is None else operation.bias.tolist()
        rows = np.broadcast_to(threshold.thresholds[:, 0], (outputs,)).tolist()
        # Beyond [-1, nonzero] a limit says nothing more: never, or always.
        limits = [max(-1, min(n, (n + b - t) // 2)) for n, b, t in zip(nonzero, bias, rows, strict=True)]
        descending = np.broadcast_to(~threshold.ascending, (1, outputs))
        return PackedThreshold(weights, np.array(limits, dtype=np.int32), pack(descending.astype(np.int8))[0])

    def __call__(self, x: Words) -> Words:
        """(frames, words) to (frames, words of the outputs)."""
        return self.weights.threshold(x, self.limits, self.flips)
