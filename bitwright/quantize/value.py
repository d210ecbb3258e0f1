"""What lowering knows of a tensor on its way through the network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bitwright.graph import IntArray, IntType
from bitwright.quantize.layout import Layout

RealFunction = Callable[[Tensor], Tensor]
"""Real values to real values in float64, the same shape, element by element."""

Reals = NDArray[np.float64]


@dataclass(frozen=True)
class RealInput:
    """The network's input before its quantizer, or `slope * input + offset` (`steps` in PyTorch)."""

    layout: Layout
    steps: tuple[RealFunction, ...] = ()
    slope: float = 1.0
    offset: float = 0.0

    def then_affine(self, step: RealFunction, slope: float, offset: float) -> RealInput:
        """This input after `step`, y = slope * x + offset."""
        steps = (*self.steps, step)
        return replace(self, steps=steps, slope=self.slope * slope, offset=self.offset * slope + offset)

    def real(self, x: Tensor) -> Tensor:
        """What PyTorch makes of the input before its quantizer."""
        for step in self.steps:
            x = step(x)
        return x


@dataclass(frozen=True)
class IntegerValue:
    """A real tensor that is a function of an integer tensor, channel by channel (the network's last axis).

    `tensor` is the integer tensor, `dtype` its type, [lo, hi] its interval in each channel; `layout` says where the
    module has its elements. `steps` are what PyTorch does from integer to real, in order, as functions of arrays
    (n, channels). They are monotone: `rising` (channels,) is +1 where they never fall, -1 where they never rise, and 0
    for a constant. While they are affine, apart from monotone clipping (`clipped`), they amount to
    `slope * integer + offset`; after other monotone steps both are None.
    """

    tensor: str
    layout: Layout
    dtype: IntType
    lo: IntArray
    hi: IntArray
    steps: tuple[RealFunction, ...]
    slope: Reals | None
    offset: Reals | None
    rising: IntArray
    clipped: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """The network's shape, without batch."""
        return self.layout.shape

    @property
    def channels(self) -> int:
        """Size of the network's last axis."""
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

    @property
    def grid_steps(self) -> Reals | None:
        """s for each channel, none 0, when real = s * integer; None otherwise."""
        if not self.affine or self.slope is None or self.offset is None:
            return None
        return None if np.any(self.offset != 0) or np.any(self.slope == 0) else self.slope

    def real(self, integers: IntArray) -> Tensor:
        """What PyTorch computes for integers (n, channels): float64 (n, channels)."""
        values = torch.from_numpy(integers.astype(np.float64))
        with torch.no_grad():
            for step in self.steps:
                values = step(values)
        return values

    def by_channel(self, function: RealFunction) -> RealFunction:
        """A function of the module's tensors as one of arrays (n, channels)."""
        axis, order = self.layout.channel_axis, self.layout.channel_order
        axes = len(self.layout.module_shape)
        if axis is None or (axes == 1 and order is None):
            return function
        shape = tuple(self.channels if one == axis else 1 for one in range(axes))
        there = None if order is None else torch.from_numpy(order)
        back = None if order is None else torch.from_numpy(np.argsort(order))

        def step(x: Tensor) -> Tensor:
            values = x if there is None else x[:, there]
            result = function(values.reshape(len(x), *shape)).reshape(len(x), self.channels)
            return result if back is None else result[:, back]

        return step

    def then_affine(self, step: RealFunction, slope: Reals | float, offset: Reals | float) -> IntegerValue:
        """This value after the module's `step`, y = slope * x + offset; numbers, or one for each module channel."""
        slope, offset = self._for_channels(slope), self._for_channels(offset)
        steps = (*self.steps, self.by_channel(step))
        rising = self.rising * np.sign(slope).astype(np.int64)
        if self.slope is None or self.offset is None:
            return replace(self, steps=steps, rising=rising)
        return replace(self, steps=steps, rising=rising, slope=self.slope * slope, offset=self.offset * slope + offset)

    def _for_channels(self, values: Reals | float) -> Reals:
        return self.layout.channel_values(np.broadcast_to(np.asarray(values, dtype=np.float64), (self.channels,)))

    def then_clip(self, step: RealFunction) -> IntegerValue:
        """This value after `step`, which is the identity on an interval and constant outside it."""
        return replace(self, steps=(*self.steps, self.by_channel(step)), clipped=True)

    def then_monotone(self, step: RealFunction) -> IntegerValue:
        """This value after `step`, which never falls and is neither affine nor a clip."""
        return replace(self, steps=(*self.steps, self.by_channel(step)), slope=None, offset=None)

    def spread(self, layout: Layout) -> IntegerValue:
        """This value with its last axes made one: each element of `layout.shape[-1]` is a channel of its own."""
        copies = layout.shape[-1] // self.channels

        def repeat(step: RealFunction) -> RealFunction:
            return lambda x: step(x.reshape(-1, self.channels)).reshape(x.shape)

        return replace(
            self,
            layout=layout,
            lo=np.tile(self.lo, copies),
            hi=np.tile(self.hi, copies),
            steps=tuple(repeat(step) for step in self.steps),
            slope=None if self.slope is None else np.tile(self.slope, copies),
            offset=None if self.offset is None else np.tile(self.offset, copies),
            rising=np.tile(self.rising, copies),
        )


@dataclass(frozen=True)
class PaddedValue:
    """An IntegerValue with constants around its spatial axes, which the next convolution or pool takes in.

    `pads` are (before, after) for each spatial axis, `value` is the real constant.
    """

    inner: IntegerValue
    pads: tuple[tuple[int, int], ...]
    value: float


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


Value = RealInput | IntegerValue | PaddedValue | IndexValue | TopKPair | Constant


def uniform(value: float, channels: int) -> Reals:
    """`value` for each channel."""
    return np.full(channels, value, dtype=np.float64)


def interval(dtype: IntType, channels: int) -> tuple[IntArray, IntArray]:
    """The ends of a type for each channel."""
    return np.full(channels, dtype.lo, dtype=np.int64), np.full(channels, dtype.hi, dtype=np.int64)


def grid_value(tensor: str, layout: Layout, dtype: IntType, scale: Reals) -> IntegerValue:
    """A quantized tensor: real = scale * integer, with one scale for each channel."""
    channels = layout.shape[-1]
    lo, hi = interval(dtype, channels)
    factor = torch.from_numpy(np.array(scale))
    return IntegerValue(
        tensor=tensor,
        layout=layout,
        dtype=dtype,
        lo=lo,
        hi=hi,
        steps=(lambda integers: integers * factor,),
        slope=np.array(scale),
        offset=uniform(0.0, channels),
        rising=np.ones(channels, dtype=np.int64),
    )
