"""The two ends of an integer network: real numbers to integers, and integers back to real numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bitwright.errors import InputError
from bitwright.graph.types import IntArray, IntType


@dataclass(frozen=True, kw_only=True)
class InputQuantizer:
    """Real inputs to integers of `dtype`, in float64.

    Kind "integer": `clip(round_half_even(x / scale) + zero_point, lo, hi)`. Kind "bipolar": +1 where
    `x >= threshold`, else -1. Integer arrays are taken to be quantized already and pass unchanged.
    """

    dtype: IntType
    scale: float = 1.0
    zero_point: int = 0
    kind: Literal["integer", "bipolar"] = "integer"
    threshold: float = 0.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.scale) and self.scale > 0):
            raise InputError(f"an input quantizer needs a finite scale above 0, not {self.scale}")
        if not math.isfinite(self.threshold):
            raise InputError(f"an input quantizer needs a finite threshold, not {self.threshold}")
        if self.kind not in ("integer", "bipolar") or (self.kind == "bipolar") != (self.dtype.kind == "bipolar"):
            raise InputError(f"an input quantizer of kind {self.kind!r} cannot give values of type {self.dtype}")

    def __call__(self, x: NDArray[Any]) -> IntArray:
        """The integers for `x`, same shape. Raises InputError for NaN, infinity and non-numbers."""
        values = np.asarray(x)
        if values.dtype.kind in "iu":
            return values
        if values.dtype.kind != "f":
            raise InputError(f"cannot quantize an array of {values.dtype}; give real numbers or integers")
        real = values.astype(np.float64)
        if not np.all(np.isfinite(real)):
            raise InputError("input holds NaN or infinite values; clean the data first")
        if self.kind == "bipolar":
            return np.where(real >= self.threshold, 1, -1).astype(np.int8)
        rounded = np.rint(real / self.scale) + float(self.zero_point)
        return np.clip(rounded, self.dtype.lo, self.dtype.hi).astype(self.dtype.numpy)


@dataclass(frozen=True, eq=False)
class OutputScale:
    """Integer outputs to real numbers: `y * scale + offset` in float64, scalars or one value for each channel."""

    scale: float | NDArray[np.float64] = 1.0
    offset: float | NDArray[np.float64] = 0.0

    def __post_init__(self) -> None:
        for field in ("scale", "offset"):
            values = np.array(getattr(self, field), dtype=np.float64)
            if values.ndim > 1 or not np.all(np.isfinite(values)):
                raise InputError(f"an output {field} must be finite, and a number or one number for each channel")
            values.flags.writeable = False
            object.__setattr__(self, field, float(values) if values.ndim == 0 else values)

    def __call__(self, y: IntArray) -> NDArray[np.float64]:
        """`y * scale + offset`, same shape as `y`."""
        return y.astype(np.float64) * self.scale + self.offset
