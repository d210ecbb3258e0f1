"""Whether float32 sums are exact, in whatever order they are added."""

from __future__ import annotations

import numpy as np

from bitwright.quantize.qonnx.model import Array
from bitwright.quantize.qonnx.value import Scaled

MANTISSA = 24
"""Bits of a float32 mantissa."""


def unit_exponent(values: Array) -> int:
    """The largest e such that all float32 values are multiples of 2^e."""
    nonzero = values[values != 0].astype(np.float32)
    if nonzero.size == 0:
        return 127
    mantissa, exponent = np.frexp(nonzero)
    integers = np.abs((mantissa * 2.0**MANTISSA).astype(np.int64))
    lowest = np.log2((integers & -integers).astype(np.float64)).astype(np.int64)
    return int((exponent - MANTISSA + lowest).min())


def input_reals(value: Scaled) -> Array:
    """What the value's integers stand for: float32 (levels, channels) over all integers of all channels."""
    lo, hi = int(value.lo.min()), int(value.hi.max())
    integers = np.clip(np.arange(lo, hi + 1)[:, None], value.lo, value.hi)
    reals: Array = value.real(integers).numpy()
    return reals


def exact_sums(value: Scaled, weights: Array, also: float = 0.0) -> bool:
    """Whether products of the value (narrow integers) and float32 weights (out, in), and their sums, are exact.

    `also` is a real that occurs in the place of a value (padding).
    """
    if value.terms or value.slope is None or value.offset is None:
        return False
    reals = np.append(input_reals(value), np.float32(also))
    unit = unit_exponent(np.unique(reals)) + unit_exponent(np.unique(weights))
    reach = np.abs(weights.astype(np.float64)).reshape(len(weights), -1).sum(axis=1) * float(np.abs(reals).max())
    # Besides, the reals must be what slope and offset say.
    lo, hi = int(value.lo.min()), int(value.hi.max())
    integers = np.clip(np.arange(lo, hi + 1)[:, None], value.lo, value.hi)
    affine = np.array_equal(input_reals(value).astype(np.float64), integers * value.slope + value.offset)
    return affine and float(reach.max()) <= 2.0 ** (MANTISSA + unit)
