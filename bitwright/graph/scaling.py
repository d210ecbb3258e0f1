"""The two ends of an integer network: real numbers to integers, and integers back to real numbers."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bitwright.errors import InputError
from bitwright.graph.types import IntArray, IntType


@dataclass(frozen=True, kw_only=True)
class InputQuantizer:
    """Real inputs to integers of `dtype`.

    Kind "integer": `clip(round_half_even(x / scale) + zero_point, lo, hi)` in float64; with `precision` "float32"
    `clip(round_half_even(x / scale + zero_point), lo, hi)`, each operation rounded to float32, as ONNX graphs compute.
    Kind "bipolar": +1 where `x >= threshold`, else -1. Kind "thresholds": x is rounded to float32, and gives
    `lo + count(x >= t)` over a rising row of `thresholds` (-1 or +1 for a bipolar type); one row, or one for each
    channel of the network's last axis. It stands for whatever else a graph computes before it quantizes.

    `axes` permutes the axes behind the batch from the PyTorch module's order to the network's: (1, 2, 0) takes
    (channels, height, width) to (height, width, channels); None keeps them. Integer arrays are taken to be quantized
    and in the network's order already and pass unchanged.
    """

    dtype: IntType
    scale: float = 1.0
    zero_point: int = 0
    kind: Literal["integer", "bipolar", "thresholds"] = "integer"
    threshold: float = 0.0
    axes: tuple[int, ...] | None = None
    precision: Literal["float64", "float32"] = "float64"
    thresholds: tuple[tuple[float, ...], ...] = ()

    def __post_init__(self) -> None:
        if self.precision not in ("float64", "float32"):
            raise InputError(f"an input quantizer computes in float64 or float32, not {self.precision!r:.60}")
        if not (math.isfinite(self.scale) and self.scale > 0):
            raise InputError(f"an input quantizer needs a finite scale above 0, not {self.scale}")
        if not math.isfinite(self.threshold):
            raise InputError(f"an input quantizer needs a finite threshold, not {self.threshold}")
        if self.kind == "thresholds":
            self._check_thresholds()
        elif self.kind not in ("integer", "bipolar") or (self.kind == "bipolar") != (self.dtype.kind == "bipolar"):
            raise InputError(f"an input quantizer of kind {self.kind!r:.60} cannot give values of type {self.dtype}")
        object.__setattr__(self, "axes", checked_axes(self.axes, "an input quantizer"))

    def __call__(self, x: NDArray[Any]) -> IntArray:
        """The integers for `x` (batch, ...). Raises InputError for NaN, infinity, non-numbers and too few axes."""
        values = np.asarray(x)
        if values.dtype.kind in "iu":
            return values
        if values.dtype.kind != "f":
            raise InputError(f"cannot quantize an array of {values.dtype}; give real numbers or integers")
        real = permuted(values, self.axes, "input").astype(np.float64)
        if not np.all(np.isfinite(real)):
            raise InputError("input holds NaN or infinite values; clean the data first")
        if self.kind == "thresholds":
            return self._count(real)
        if self.kind == "bipolar":
            return np.where(real >= self.threshold, 1, -1).astype(np.int8)
        if self.precision == "float32":
            rounded = np.rint(real.astype(np.float32) / np.float32(self.scale) + np.float32(self.zero_point))
        else:
            rounded = np.rint(real / self.scale) + float(self.zero_point)
        integers: IntArray = np.clip(rounded, self.dtype.lo, self.dtype.hi).astype(self.dtype.numpy)
        return integers

    def _check_thresholds(self) -> None:
        steps = (self.dtype.hi - self.dtype.lo) // self._unit
        if not self.thresholds or any(len(row) != steps for row in self.thresholds):
            raise InputError(f"an input quantizer to {self.dtype} needs rows of {steps} thresholds")
        for row in self.thresholds:
            if not all(math.isfinite(one) for one in row) or any(a > b for a, b in itertools.pairwise(row)):
                raise InputError("the thresholds of an input quantizer must be finite, and rise in each row")

    @property
    def _unit(self) -> int:
        return 2 if self.dtype.kind == "bipolar" else 1

    def _count(self, real: NDArray[np.float64]) -> IntArray:
        with np.errstate(over="ignore"):
            single = real.astype(np.float32).astype(np.float64)
        rows = len(self.thresholds)
        if rows > 1 and single.shape[-1] != rows:
            raise InputError(f"input has {single.shape[-1]} channels, the input quantizer thresholds for {rows}")
        found = np.empty(single.shape, dtype=np.int64)
        for row, thresholds in enumerate(self.thresholds):
            part = slice(None) if rows == 1 else slice(row, row + 1)
            found[..., part] = np.searchsorted(np.array(thresholds), single[..., part], side="right")
        integers: IntArray = (self.dtype.lo + self._unit * found).astype(self.dtype.numpy)
        return integers


@dataclass(frozen=True, eq=False)
class OutputScale:
    """Integer outputs to real numbers: `y * scale + offset` in float64, scalars or one value for each channel.

    Channels are the network's last axis. `axes` then permutes the axes behind the batch from the network's order to
    the PyTorch module's: (2, 0, 1) takes (height, width, channels) to (channels, height, width); None keeps them.
    """

    scale: float | NDArray[np.float64] = 1.0
    offset: float | NDArray[np.float64] = 0.0
    axes: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        for field in ("scale", "offset"):
            values = np.array(getattr(self, field), dtype=np.float64)
            if values.ndim > 1 or not np.all(np.isfinite(values)):
                raise InputError(f"an output {field} must be finite, and a number or one number for each channel")
            values.flags.writeable = False
            object.__setattr__(self, field, float(values) if values.ndim == 0 else values)
        object.__setattr__(self, "axes", checked_axes(self.axes, "an output scale"))

    def __call__(self, y: IntArray) -> NDArray[np.float64]:
        """`y * scale + offset` for `y` (batch, ...), its axes permuted."""
        return permuted(y.astype(np.float64) * self.scale + self.offset, self.axes, "output")


def checked_axes(axes: tuple[int, ...] | None, where: str) -> tuple[int, ...] | None:
    """The axes as a tuple. Raises InputError unless they are a permutation of 0, 1, ... or None."""
    if axes is None:
        return None
    if not isinstance(axes, (tuple, list)) or any(isinstance(v, bool) or not isinstance(v, int) for v in axes):
        raise InputError(f"the axes of {where} must be a tuple of integers, not {axes!r:.60}")
    if sorted(axes) != list(range(len(axes))):
        raise InputError(f"the axes of {where} must hold each of 0 to {len(axes) - 1} once, not {axes!r:.60}")
    return tuple(axes)


def permuted(values: NDArray[Any], axes: tuple[int, ...] | None, what: str) -> NDArray[Any]:
    """`values` (batch, ...) with the axes behind the batch in the order of `axes`."""
    if axes is None:
        return values
    if values.ndim != len(axes) + 1:
        raise InputError(f"{what} has shape {values.shape}; expected a batch axis and {len(axes)} more")
    return np.ascontiguousarray(values.transpose(0, *(axis + 1 for axis in axes)))
