"""What the number in an accumulator register means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright.graph import BIPOLAR, IntType, TensorSpec


@dataclass(frozen=True, eq=False)
class Accumulator:
    """The value of channel c is `scale * register + offset[c]`, the register being of type `register`.

    A popcount register counts agreeing bits, so its value is 2 * count - inputs: the tail of the layer (threshold,
    requantization, output) takes scale and offset into its constants instead of spending adders on them.
    `offset` is int64 of shape (channels,).
    """

    register: IntType
    scale: int
    offset: NDArray[np.int64]

    @property
    def channels(self) -> int:
        """Number of output channels."""
        return len(self.offset)

    def threshold(self, values: NDArray[Any]) -> NDArray[np.int64]:
        """Value thresholds (channels, steps) as register thresholds: value >= t <=> register >= result.

        Thresholds that are always or never reached are clamped to register.lo and register.hi + 1.
        """
        offset = self.offset[:, None]
        lowest, highest = self.register.lo * self.scale + offset, self.register.hi * self.scale + offset
        distance = np.clip(values.astype(np.int64), lowest, highest + 1) - offset
        reached: NDArray[np.int64] = np.clip(-(-distance // self.scale), self.register.lo, self.register.hi + 1)
        return reached


def element_accumulator(spec: TensorSpec) -> Accumulator:
    """The elements of a tensor, as they travel in a stream, seen as accumulators: one channel per last-axis index."""
    channels = spec.shape[-1] if spec.shape else 1
    if spec.dtype == BIPOLAR:
        return Accumulator(IntType(0, 1), 2, np.full(channels, -1, dtype=np.int64))
    return Accumulator(IntType(spec.dtype.lo, spec.dtype.hi), 1, np.zeros(channels, dtype=np.int64))
