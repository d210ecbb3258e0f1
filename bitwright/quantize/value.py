"""What lowering knows of a tensor on its way through the network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bitwright.graph import IntArray, IntType

RealFunction = Callable[[Tensor], Tensor]
"""Real values to real values in float64, the same shape (..., channels), element by element."""

Reals = NDArray[np.float64]


@dataclass(frozen=True)
class RealInput:
    """The network's input before its quantizer; `flattened` when a reshape came first."""

    shape: tuple[int, ...]
    flattened: bool = False


@dataclass(frozen=True)
class IntegerValue:
    """A real tensor that is a function of an integer tensor, channel by channel (channels are the last axis).

    `tensor` is the integer tensor, `dtype` its type, [lo, hi] its interval in each channel. `steps` are what PyTorch
    does from integer to real, in order. While those steps are affine, apart from monotone clipping (`clipped`), they
    amount to `slope * integer + offset`; after other monotone steps both are None.
    """

    tensor: str
    shape: tuple[int, ...]
    dtype: IntType
    lo: IntArray
    hi: IntArray
    steps: tuple[RealFunction, ...]
    slope: Reals | None
    offset: Reals | None
    clipped: bool = False

    @property
    def channels(self) -> int:
        """Size of the last axis."""
        return self.shape[-1]

    @property
    def affine(self) -> bool:
        """Whether real = slope * integer + offset."""
        return self.slope is not None and not self.clipped

    @property
    def uniform_slope(self) -> float | None:
        """The slope, when it is the same and not zero in all channels."""
        if self.slope is None or np.any(self.slope != self.slope[0]) or self.slope[0] == 0:
            return None
        return float(self.slope[0])

    @property
    def grid_step(self) -> float | None:
        """s, when real = s * integer in all channels; None otherwise."""
        if not self.affine or self.offset is None or np.any(self.offset != 0):
            return None
        return self.uniform_slope

    def real(self, integers: IntArray) -> Tensor:
        """What PyTorch computes for integers (n, channels): float64 (n, channels)."""
        values = torch.from_numpy(integers.astype(np.float64))
        with torch.no_grad():
            for step in self.steps:
                values = step(values)
        return values

    def then_affine(self, step: RealFunction, slope: Reals | float, offset: Reals | float) -> IntegerValue:
        """This value after `step`, which is y = slope * x + offset."""
        if self.slope is None or self.offset is None:
            return replace(self, steps=(*self.steps, step))
        return replace(
            self,
            steps=(*self.steps, step),
            slope=np.broadcast_to(self.slope * slope, (self.channels,)),
            offset=np.broadcast_to(self.offset * slope + offset, (self.channels,)),
        )

    def then_clip(self, step: RealFunction) -> IntegerValue:
        """This value after `step`, which is the identity on an interval and constant outside it."""
        return replace(self, steps=(*self.steps, step), clipped=True)

    def then_monotone(self, step: RealFunction) -> IntegerValue:
        """This value after `step`, which is monotone and neither affine nor a clip."""
        return replace(self, steps=(*self.steps, step), slope=None, offset=None)


@dataclass(frozen=True)
class IndexValue:
    """Indices of the largest channels, from an arg-max or a top-k."""

    tensor: str


@dataclass(frozen=True)
class TopKPair:
    """What torch.topk returns: values, which lowering does not give, and indices."""

    indices: IndexValue


@dataclass(frozen=True)
class Constant:
    """A Python number, a tuple of them, or a parameter that the forward function uses by itself.

    `of_shape` when it was computed from a tensor's shape, and so may change with the batch.
    """

    held: object
    of_shape: bool = False


Value = RealInput | IntegerValue | IndexValue | TopKPair | Constant


def uniform(value: float, channels: int) -> Reals:
    """`value` for each channel."""
    return np.full(channels, value, dtype=np.float64)


def interval(dtype: IntType, channels: int) -> tuple[IntArray, IntArray]:
    """The ends of a type for each channel."""
    return np.full(channels, dtype.lo, dtype=np.int64), np.full(channels, dtype.hi, dtype=np.int64)


def grid_value(tensor: str, shape: tuple[int, ...], dtype: IntType, scale: Reals) -> IntegerValue:
    """A quantized tensor: real = scale * integer, with one scale for each channel."""
    lo, hi = interval(dtype, shape[-1])
    factor = torch.from_numpy(np.array(scale))
    return IntegerValue(
        tensor=tensor,
        shape=shape,
        dtype=dtype,
        lo=lo,
        hi=hi,
        steps=(lambda integers: integers * factor,),
        slope=np.array(scale),
        offset=uniform(0.0, shape[-1]),
    )
