"""Where float32 rounding in the ONNX graph decides an integer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright.graph import IntArray, IntType
from bitwright.quantize.qonnx.steps import IntegerFunction
from bitwright.quantize.qonnx.value import Scaled
from bitwright.quantize.thresholds import bisect_steps
from bitwright.quantize.ties import RoundingTieWarning

SIGMAS = 4.0
"""How many standard deviations of the rounding noise of a sum count as possible."""

ALIKE = 36.0
"""What roundings that are the same in every product, of the input and of the weights, add to the number of terms."""

ROUNDED_OPERATIONS = 2.0
"""What scaling and shifting a sum adds to its noise, in roundings of the result."""

EPSILON = 2.0**-25
"""Standard deviation, at most, of one float32 rounding relative to the result."""


@dataclass(frozen=True)
class FloatTies:
    """Decisions of node `layer` that lie within float32 rounding: the first in `channel`, and what it is."""

    layer: str
    channel: int
    what: str


class FloatTieWarning(RoundingTieWarning):
    """Executors of the ONNX graph may round a sum up or down, and some step of a quantizer lies that close to it.

    The integer network stands with exact sums. `layer` and `channel` are the first place; no frame is known.
    """

    def __init__(self, layer: str, channel: int, what: str, others: int = 0) -> None:
        """`what` is uncertain there, and in so many `others` nodes."""
        where = f" (and so in {others} other nodes)" if others else ""
        UserWarning.__init__(
            self,
            f"rounding tie at node '{layer}', channel {channel}: {what} by the float32 rounding of "
            f"whatever executes the graph{where}; the integer network follows exact sums",
        )
        self.layer = layer
        self.frame = -1
        self.channel = channel
        self.frames = ()


def noise(value: Scaled, integers: NDArray[Any]) -> NDArray[np.float64]:
    """How far rounding may move the integers (..., channels), in steps of theirs.

    Each of `terms` float32 additions rounds a partial sum, which may be a quarter of the largest sum of all while the
    result is small; and a few operations round what is then scaled and shifted.
    """
    reach = np.maximum(np.abs(value.lo), np.abs(value.hi)).astype(np.float64)
    root = np.sqrt(value.terms + ALIKE)
    walk = root * np.maximum(np.abs(integers), reach / 4.0)
    shift, largest = value.shifts()
    shifted = ROUNDED_OPERATIONS * np.maximum(largest, np.abs(integers + shift))
    return np.asarray(SIGMAS * EPSILON * (walk + shifted))


def find_close_steps(layer: str, value: Scaled, function: IntegerFunction, dtype: IntType) -> FloatTies | None:
    """The steps of `function`, of the integers of `value`, that rounding may move; None without any."""
    if value.terms == 0:
        return None
    unit = 2 if dtype.kind == "bipolar" else 1
    steps = (dtype.hi - dtype.lo) // unit

    def level(integers: NDArray[Any]) -> IntArray:
        found: IntArray = (function(integers).astype(np.int64) - dtype.lo) // unit
        return found

    found = bisect_steps(level, value.lo, value.hi, steps).thresholds.T
    inside = (found > value.lo) & (found <= value.hi)
    close = np.zeros(found.shape, dtype=bool)
    for points in (np.clip(found, value.lo, value.hi), np.clip(found - 1, value.lo, value.hi)):
        here, blur = level(points), noise(value, points)
        close |= (level(points - blur) != here) | (level(points + blur) != here)
    close &= inside
    if not np.any(close):
        return None
    step, channel = (int(place) for place in np.argwhere(close)[0])
    return FloatTies(
        layer,
        channel,
        f"the step at sum {found[step, channel]}, and {int(close.sum()) - 1} more of {int(inside.sum())}, fall",
    )
