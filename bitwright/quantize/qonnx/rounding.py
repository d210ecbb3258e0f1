"""The quantizers of QONNX in float32, operation by operation as the `qonnx` package's executor computes them.

QONNX (Pappalardo et al., 2022) leaves the order of clipping and rounding to the executor; it clips first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Reals32 = NDArray[Any]

Rounding = Callable[[Reals32], Reals32]


def _away_from_zero(x: Reals32) -> Reals32:
    return np.sign(x) * np.ceil(np.abs(x))


def _half_up(x: Reals32) -> Reals32:
    return np.sign(x) * np.floor(np.abs(x) + np.float32(0.5))


def _half_down(x: Reals32) -> Reals32:
    return np.sign(x) * np.ceil(np.abs(x) - np.float32(0.5))


ROUNDINGS: dict[str, Rounding] = {
    "ROUND": np.round,
    "HALF_EVEN": np.round,
    "CEIL": np.ceil,
    "FLOOR": np.floor,
    "UP": _away_from_zero,
    "DOWN": np.fix,
    "HALF_UP": _half_up,
    "HALF_DOWN": _half_down,
}
"""Rounding modes by their names in QONNX; "half up" and "half down" are away from and towards zero."""


@dataclass(frozen=True)
class IntegerRange:
    """The integers of a Quant node: `bits`, `signed`, `narrow` (one value less)."""

    bits: int
    signed: bool
    narrow: bool

    @property
    def lo(self) -> int:
        """Smallest integer."""
        return -(1 << (self.bits - 1)) + self.narrow if self.signed else 0

    @property
    def hi(self) -> int:
        """Largest integer."""
        return (1 << (self.bits - 1)) - 1 if self.signed else (1 << self.bits) - 1 - self.narrow

    @property
    def bipolar(self) -> bool:
        """One signed bit stands for -1 and +1."""
        return self.bits == 1 and self.signed


def quant_integers(
    x: Reals32, scale: Reals32, zero_point: Reals32, integers: IntegerRange, rounding: Rounding
) -> Reals32:
    """The integers of Quant, zero point included, in float32."""
    y = x / scale + zero_point
    if integers.bipolar:
        return np.where(y >= 0, np.float32(1), np.float32(-1))
    y = np.where(y > integers.hi, np.float32(integers.hi), y)
    y = np.where(y < integers.lo, np.float32(integers.lo), y)
    return rounding(y)


def sign_integers(x: Reals32) -> Reals32:
    """The integers of BipolarQuant: +1 where x >= 0, else -1."""
    return np.where(x >= 0, np.float32(1), np.float32(-1))
