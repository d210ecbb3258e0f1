"""Multiplier, offset and shift that give exactly the same step function as a table of thresholds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bitwright.graph import IntArray
from bitwright.quantize.thresholds import StepFunction
from bitwright.quantize.value import Reals

MAX_SHIFT = 48

TRIED_FIRST = 8
"""Channels that rule out most shifts before all channels are looked at."""

UNBOUNDED = np.int64(1) << 61


@dataclass(frozen=True)
class RequantFit:
    """`clip((x * multiplier + offset) >> shift, lo, hi)`; multiplier and offset are (channels,)."""

    multiplier: IntArray
    offset: IntArray
    shift: int


def fit_requant(
    function: StepFunction, lo: IntArray, hi: IntArray, slope: Reals, out_lo: int, out_hi: int
) -> RequantFit | None:
    """The fit with the smallest shift that equals `function` on every integer of [lo, hi], or None.

    `slope` (channels,) is the change of the output for one step of the input, before rounding and clipping. Two
    monotone step functions are equal when their steps are at the same places: for a given multiplier each threshold
    bounds the offset from below (the level is reached there) and from above (it is not reached one earlier), and the
    fit is exact when the bounds leave room.
    """
    if out_hi == out_lo:
        return None
    moving = np.any((function.thresholds > lo[:, None]) & (function.thresholds <= hi[:, None]), axis=1)
    slope = np.where(moving, slope, 0.0)
    reach = max(1.0, float(np.abs(lo).max()), float(np.abs(hi).max())) + 1.0
    largest = float(max(abs(out_lo), abs(out_hi)) + 1)
    for shift in range(MAX_SHIFT + 1):
        scale = float(1 << shift)
        if (np.abs(slope).max() * reach + largest) * scale > float(UNBOUNDED):
            return None
        for channels in (slice(TRIED_FIRST), slice(None)):
            part = StepFunction(function.thresholds[channels], function.ascending[channels])
            fit = _fit_at(shift, part, lo[channels], hi[channels], slope[channels] * scale, out_lo, out_hi)
            if fit is None:
                break
        if fit is not None:
            return fit
    return None


def _fit_at(
    shift: int, function: StepFunction, lo: IntArray, hi: IntArray, scaled: Reals, out_lo: int, out_hi: int
) -> RequantFit | None:
    """The fit with a given shift, its multipliers next to `scaled`, or None."""
    multiplier = np.zeros(len(scaled), dtype=np.int64)
    offset = np.zeros(len(scaled), dtype=np.int64)
    found = np.zeros(len(scaled), dtype=bool)
    for candidate in (np.rint(scaled), np.floor(scaled), np.ceil(scaled)):
        tried = candidate.astype(np.int64)
        least, most = _offset_bounds(function, lo, hi, tried, shift, out_lo, out_hi)
        fits = (least <= most) & ~found & np.where(function.ascending, tried >= 0, tried <= 0)
        multiplier = np.where(fits, tried, multiplier)
        offset = np.where(fits, _between(least, most), offset)
        found |= fits
    return RequantFit(multiplier, offset, shift) if np.all(found) else None


def _offset_bounds(
    function: StepFunction,
    lo: IntArray,
    hi: IntArray,
    multiplier: IntArray,
    shift: int,
    out_lo: int,
    out_hi: int,
) -> tuple[IntArray, IntArray]:
    """Smallest and largest offset (channels,) for which every step is where it should be."""
    levels = np.arange(1, out_hi - out_lo + 1, dtype=np.int64)
    rising = function.ascending[:, None]
    at = function.thresholds
    border = np.where(rising, out_lo + levels, out_hi - levels + 1) << shift
    reached, before = border - at * multiplier[:, None], border - (at - 1) * multiplier[:, None]
    exists, inside = at <= hi[:, None], at > lo[:, None]
    # Rising: value(at) >= border > value(at - 1). Falling: value(at - 1) >= border > value(at).
    lower = np.where(rising, np.where(exists, reached, -UNBOUNDED), np.where(inside, before, -UNBOUNDED))
    upper = np.where(rising, np.where(inside, before - 1, UNBOUNDED), np.where(exists, reached - 1, UNBOUNDED))
    return lower.max(axis=1, initial=-UNBOUNDED), upper.min(axis=1, initial=UNBOUNDED)


def _between(least: IntArray, most: IntArray) -> IntArray:
    """The middle where both ends are given, else the allowed offset nearest to 0."""
    bounded = (least > -UNBOUNDED) & (most < UNBOUNDED)
    return np.where(bounded, (least + most) >> 1, np.clip(0, least, np.maximum(least, most)))
