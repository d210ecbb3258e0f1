"""Whether float32 sums are exact, in whatever order they are added."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bitwright.quantize.qonnx.model import Array
from bitwright.quantize.qonnx.value import Scaled

MANTISSA = 24
"""Bits of a float32 mantissa."""

WIDEST = 53
"""Bits of a float64 mantissa."""

TRIED = 1 << 12
"""Integers on which a value is compared with its slope and offset."""


def unit_exponent(values: Array) -> int:
    """The largest e such that all values (float32 or float64) are multiples of 2^e; 1023 for zeros."""
    nonzero = np.asarray(values, dtype=np.float64)
    nonzero = nonzero[nonzero != 0]
    if nonzero.size == 0:
        return 1023
    mantissa, exponent = np.frexp(nonzero)
    integers = np.abs((mantissa * 2.0**WIDEST).astype(np.int64))
    lowest = np.frexp((integers & -integers).astype(np.float64))[1] - 1
    return int((exponent - WIDEST + lowest).min())


def _unit_and_reach(value: Scaled) -> tuple[int, float] | None:
    """The exponent of the unit of which all reals are multiples, and the largest of them; None when they round."""
    if value.terms or not value.affine:
        return None
    slope, offset = value.parts()
    span = int((value.hi - value.lo).max())
    if span < TRIED:
        integers = np.minimum(value.lo + np.arange(span + 1)[:, None], value.hi)
    else:
        integers = value.lo + np.rint(np.linspace(0.0, 1.0, TRIED)[:, None] * (value.hi - value.lo)).astype(np.int64)
    if not np.array_equal(value.real(integers).double().numpy(), integers * slope + offset):
        return None
    ends = np.stack([value.lo, value.hi]) * slope + offset
    return unit_exponent(np.append(slope, offset)), float(np.abs(ends).max())


def exact_sums(value: Scaled, weights: Array, also: float = 0.0, largest: float | None = None) -> bool:
    """Whether products of the value and float32 weights (out, in), and their sums, are exact.

    `also` is a real that occurs in the place of a value (padding); `largest` is a bound on partial sums, where known.
    """
    known = _unit_and_reach(value)
    if known is None:
        return False
    unit = min(known[0], unit_exponent(np.array([also]))) + unit_exponent(weights)
    if largest is None or np.any(value.parts()[1]):
        total = np.abs(weights.astype(np.float64)).reshape(len(weights), -1).sum(axis=1)
        largest = float(total.max()) * max(known[1], abs(also))
    return largest <= 2.0 ** (MANTISSA + min(unit, 512))


def exact_additions(values: Sequence[Scaled]) -> bool:
    """Whether sums of one real of each value are exact."""
    known = [_unit_and_reach(one) for one in values]
    units = [one[0] for one in known if one is not None]
    reach = sum(one[1] for one in known if one is not None)
    return len(units) == len(values) and reach <= 2.0 ** (MANTISSA + min(min(units), 512))
