"""What reading an ONNX graph knows of each of its tensors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bitwright.graph import IntArray, IntType
from bitwright.quantize.qonnx.model import Array
from bitwright.quantize.value import RealFunction, Reals


@dataclass(frozen=True)
class Window:
    """Where a kernel lies: one entry for each spatial axis; pads are (before, after)."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]


@dataclass(frozen=True)
class Constant:
    """An array that does not depend on the input.

    Behind a quantizer `integers` and `scales` have its shape too, and `values = integers * scales`.
    """

    values: Array
    integers: IntArray | None = None
    scales: Reals | None = None

    def moved(self, move: Callable[[Array], Array]) -> Constant:
        """The constant after a change of shape or order."""
        integers = None if self.integers is None else move(self.integers)
        return Constant(move(self.values), integers, None if self.scales is None else move(self.scales))


@dataclass(frozen=True)
class RealInput:
    """The graph's input before its quantizer, and what the graph computes of it in float32, channel by channel.

    `index` has the ONNX shape (1, ...) and holds flat positions in the network's input of shape `shape`. `axes` is the
    permutation from the axes of the graph's input to the network's; None for none. `steps` take reals (n, channels), or
    (n, 1) while all channels are treated alike (`uniform`). Where they are affine and uniform they amount to
    `multiplier / divisor * input + addend`, but for rounding.
    """

    shape: tuple[int, ...]
    index: IntArray
    axes: tuple[int, ...] | None = None
    steps: tuple[RealFunction, ...] = ()
    uniform: bool = True
    multiplier: float = 1.0
    divisor: float = 1.0
    addend: float = 0.0

    def real(self, x: Array) -> Array:
        """What the graph computes for inputs in float32 (n, channels)."""
        with torch.no_grad():
            values = torch.from_numpy(np.asarray(x, dtype=np.float32))
            for step in self.steps:
                values = step(values)
        result: Array = values.numpy()
        return result

    def then(self, step: RealFunction, uniform: bool = True) -> RealInput:
        """The input after one more step."""
        return replace(self, steps=(*self.steps, step), uniform=self.uniform and uniform)


@dataclass(frozen=True)
class Scaled:
    """A real tensor that is a function of an integer tensor of the network, channel by channel.

    `tensor`, `shape` and `dtype` are the integer tensor (channels last), [lo, hi] its interval in each channel. `index`
    has the ONNX tensor's shape (1, ...): its elements are flat positions in the integer tensor, each once. `steps` are
    what the ONNX graph computes from integers (frames, channels) to reals. While they are affine, apart from monotone
    clipping (`clipped`), they amount to `slope * integer + offset`; otherwise both are None.

    `terms` is 0 where the executor's float32 value is this very function of the integer, computed in float32, whatever
    the order of its sums. Else it is the number of rounded additions in it, and the steps compute in float64.
    `widest_shift` remembers the sizes of offsets on the way, in steps of the integer: executors round them too.
    """

    tensor: str
    shape: tuple[int, ...]
    dtype: IntType
    lo: IntArray
    hi: IntArray
    index: IntArray
    steps: tuple[RealFunction, ...]
    slope: Reals | None
    offset: Reals | None
    clipped: bool = False
    terms: int = 0
    widest_shift: Reals | None = None

    def shifts(self) -> tuple[Reals, Reals]:
        """Offset / slope (0 where unknown), and the largest size that it, or what it came from, has had."""
        found = np.zeros(self.channels)
        if self.slope is not None and self.offset is not None:
            found = self.offset / np.where(self.slope == 0, 1.0, self.slope)
        before = 0.0 if self.widest_shift is None else self.widest_shift
        return found, np.maximum(np.abs(found), before)

    @property
    def channels(self) -> int:
        """Size of the integer tensor's last axis."""
        return self.shape[-1]

    @property
    def affine(self) -> bool:
        """Whether real = slope * integer + offset."""
        return self.slope is not None and not self.clipped

    def parts(self) -> tuple[Reals, Reals]:
        """Slope and offset of a value that has them."""
        assert self.slope is not None
        assert self.offset is not None
        return self.slope, self.offset

    @property
    def uniform_slope(self) -> float | None:
        """The slope, when it is the same and not zero in all channels."""
        if self.slope is None or np.any(self.slope != self.slope[0]) or self.slope[0] == 0:
            return None
        return float(self.slope[0])

    def real(self, integers: NDArray[Any]) -> Tensor:
        """What the ONNX graph computes for integers (..., channels), or for reals next to them."""
        with torch.no_grad():
            values = torch.from_numpy(np.asarray(integers, dtype=np.float64))
            for step in self.steps:
                values = step(values)
        return values

    def onnx_values(self, integers: IntArray) -> NDArray[Any]:
        """The ONNX tensor's reals (frames, ...) for the integer tensor's values (frames, *shape)."""
        reals = self.real(integers.reshape(-1, self.channels)).numpy()
        return reals.reshape(len(integers), -1)[:, self.index.reshape(-1)].reshape(len(integers), *self.index.shape[1:])

    def behind_bias(self, bias: IntArray) -> Scaled:
        """The same reals, of integers that are larger by `bias` (channels,)."""
        shift = torch.from_numpy(bias)
        offset = None if self.slope is None or self.offset is None else self.offset - self.slope * bias
        steps = (lambda integers: integers - shift, *self.steps)
        return replace(self, lo=self.lo + bias, hi=self.hi + bias, steps=steps, offset=offset)

    def then_affine(self, step: RealFunction, slope: Reals | float, offset: Reals | float) -> Scaled:
        """This value after `step`, which is y = slope * x + offset."""
        if self.slope is None or self.offset is None:
            return replace(self, steps=(*self.steps, step))
        return replace(
            self,
            steps=(*self.steps, step),
            slope=np.broadcast_to(self.slope * slope, (self.channels,)),
            offset=np.broadcast_to(self.offset * slope + offset, (self.channels,)),
            widest_shift=self.shifts()[1],
        )

    def then_clip(self, step: RealFunction) -> Scaled:
        """This value after `step`, which is the identity on an interval and constant outside it."""
        return replace(self, steps=(*self.steps, step), clipped=True)

    def then_monotone(self, step: RealFunction) -> Scaled:
        """This value after `step`, which is monotone, and which other implementations round otherwise."""
        steps = (*self.steps, lambda x: step(x.double()))
        terms = max(self.terms, 1)
        return replace(self, steps=steps, slope=None, offset=None, terms=terms, widest_shift=self.shifts()[1])


@dataclass(frozen=True)
class Padded:
    """A value with the real constant `fill` around it, which the next convolution or pool takes in.

    `pads` are (before, after) for each ONNX axis, the batch's too.
    """

    inner: Scaled
    pads: tuple[tuple[int, int], ...]
    fill: float


@dataclass(frozen=True)
class Columns:
    """The windows of an Im2Col over an image, channels last; the next MatMul makes a convolution of them."""

    inner: Scaled
    window: Window
    fill: float


@dataclass(frozen=True)
class Indices:
    """Indices of the largest channels, from an arg-max or top-k. `shape` is the ONNX tensor's."""

    tensor: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Softened:
    """The softmax of scores, by node `node`: only their order can be told."""

    node: str
    scores: Scaled


@dataclass(frozen=True)
class Unavailable:
    """A result that the integer network does not give; only an error when somebody reads it."""

    reason: str
    fix: str


Value = Constant | RealInput | Scaled | Padded | Columns | Indices | Softened | Unavailable


def plain_index(shape: tuple[int, ...]) -> IntArray:
    """Flat positions of a tensor of `shape` in C order, with a batch axis of 1."""
    return np.arange(int(np.prod(shape, dtype=np.int64)), dtype=np.int64).reshape(1, *shape)


def on_grid(tensor: str, shape: tuple[int, ...], dtype: IntType, scale: Reals, index: IntArray) -> Scaled:
    """A quantized tensor: real = integer * scale in float32, scale (channels,)."""
    factor = torch.from_numpy(scale.astype(np.float32))
    channels = shape[-1]
    return Scaled(
        tensor=tensor,
        shape=shape,
        dtype=dtype,
        lo=np.full(channels, dtype.lo, dtype=np.int64),
        hi=np.full(channels, dtype.hi, dtype=np.int64),
        index=index,
        steps=(lambda integers: integers.float() * factor,),
        slope=scale.astype(np.float64),
        offset=np.zeros(channels),
    )
