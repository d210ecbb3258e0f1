"""Integers in the order of the real scores, for arg-max and top-k."""

from __future__ import annotations

import numpy as np

from bitwright.errors import LoweringError
from bitwright.graph import IntArray, IntType, Requant
from bitwright.quantize.plan import IndexPlan
from bitwright.quantize.value import Reals

NOISE = 2.0**-48
"""Fractions of a step that are closer than this, relative to the scores, count as equal."""


def order_scores(plan: IndexPlan, source: str) -> Requant | None:
    """An operation whose outputs are ordered as the real scores are; None when the integers are so already.

    Scores are slope * integer + offset with one slope. In steps of the slope each offset is a whole number n and a
    fraction in [0, 1), so scores compare as (integer + n, fraction) does: multiply by the number of different
    fractions and add the fraction's rank.
    """
    value = plan.source
    slope = value.uniform_slope
    if slope is None or value.offset is None:
        raise LoweringError(plan.name, "its scores have different scales", "use one scale in the last layer")
    offset = value.offset / slope
    whole, ranks, count = _split(offset, float(max(abs(value.lo).max(), abs(value.hi).max())))
    sign = 1 if slope > 0 else -1
    if sign > 0 and count == 1 and np.all(whole == whole[0]):
        return None
    multiplier = np.full(value.channels, sign * count, dtype=np.int64)
    shift = sign * (whole * count + ranks)
    ends = np.concatenate([value.lo * multiplier + shift, value.hi * multiplier + shift])
    name = f"{plan.name}.scores"
    return Requant(
        name=name,
        inputs=(source,),
        output=name,
        multiplier=multiplier,
        offset=shift,
        shift=0,
        output_type=IntType(int(ends.min()), int(ends.max())),
    )


def _split(offset: Reals, largest: float) -> tuple[IntArray, IntArray, int]:
    """Whole parts, ranks of the fractions, and how many different fractions there are."""
    noise = NOISE * (largest + float(np.abs(offset).max()) + 1.0)
    whole = np.floor(offset + noise).astype(np.int64)
    fraction = offset - whole
    order = np.argsort(fraction, kind="stable")
    gaps = np.diff(fraction[order]) > noise
    ranks = np.empty(len(offset), dtype=np.int64)
    ranks[order] = np.concatenate([[0], np.cumsum(gaps)])
    return whole, ranks, int(ranks.max()) + 1
