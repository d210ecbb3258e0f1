"""Exact thresholds of a monotone step function, found by bisection of the function itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bitwright.graph import IntArray

LevelFunction = Callable[[IntArray], IntArray]
"""Integers (n, channels) to levels 0 to `steps`, the same shape."""

CHECKED_COMPARISONS = 1 << 25
"""How many comparisons the check of found thresholds may take."""


@dataclass(frozen=True)
class StepFunction:
    """A level for each integer: the count of thresholds reached, or `steps` minus it where not ascending.

    `thresholds` (channels, steps) are sorted, within [lo, hi + 1] of their channel: `lo` is always reached, `hi + 1`
    never. `ascending` is (channels,).
    """

    thresholds: IntArray
    ascending: IntArray

    def levels(self, x: IntArray) -> IntArray:
        """The levels of integers (n, channels), which must not fall along a channel."""
        # Between two steps in such a list the level stays: one mark for each step, and the sum of the marks so far.
        marks = np.zeros((len(x) + 1, x.shape[1]), dtype=np.int64)
        for channel, thresholds in enumerate(self.thresholds):
            np.add.at(marks[:, channel], np.searchsorted(x[:, channel], thresholds), 1)
        count = np.cumsum(marks[:-1], axis=0)
        return np.where(self.ascending, count, self.thresholds.shape[1] - count)


def bisect_steps(level: LevelFunction, lo: IntArray, hi: IntArray, steps: int) -> StepFunction:
    """The step function equal to `level` on [lo, hi] (channels,), if `level` is monotone in each channel.

    All channels and steps are bisected together, so `level` is called about log2(hi - lo) times. Channels that fall
    from `lo` to `hi` are descending; constant channels count as ascending.
    """
    ascending = level(hi[None])[0] >= level(lo[None])[0]
    wanted = np.arange(1, steps + 1, dtype=np.int64)[:, None]
    left = np.broadcast_to(lo, (steps, lo.size)).copy()
    right = np.broadcast_to(hi + 1, (steps, lo.size)).copy()
    while np.any(left < right):
        middle = (left + right) >> 1
        found = level(np.minimum(middle, hi))
        reached = np.where(ascending, found, steps - found) >= wanted
        open_ = left < right
        right = np.where(open_ & reached, middle, right)
        left = np.where(open_ & ~reached, middle + 1, left)
    return StepFunction(np.ascontiguousarray(left.T), ascending)


def first_difference(level: LevelFunction, found: StepFunction, lo: IntArray, hi: IntArray) -> tuple[int, int] | None:
    """A (channel, integer) where `found` is not `level`, or None.

    Looks at every integer of [lo, hi] where that is affordable; otherwise at the ends, at both sides of each
    threshold, and at evenly spaced integers.
    """
    channels, steps = found.thresholds.shape
    affordable = max(64, CHECKED_COMPARISONS // (channels * max(steps, 1)))
    span = int((hi - lo).max()) + 1
    if span <= affordable:
        spread = np.minimum(lo + np.arange(span, dtype=np.int64)[:, None], hi)
    else:
        fractions = np.linspace(0.0, 1.0, affordable)[:, None]
        spread = np.clip(lo + np.rint(fractions * (hi - lo)).astype(np.int64), lo, hi)
    edges = np.clip(found.thresholds.T, lo, hi)
    for points in (spread, edges, np.clip(found.thresholds.T - 1, lo, hi)):
        wrong = level(points) != found.levels(points)
        if np.any(wrong):
            place = np.argwhere(wrong)[0]
            return int(place[1]), int(points[place[0], place[1]])
    return None
