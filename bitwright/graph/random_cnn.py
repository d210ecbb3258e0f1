"""Random convolutional networks, for property tests and fuzzing of everything that answers to a Network."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bitwright.errors import InputError
from bitwright.graph.network import Network
from bitwright.graph.operation import Operation
from bitwright.graph.ops import Add, Concat, Conv, Flatten, MaxPool, Reshape, SumPool, Upsample
from bitwright.graph.ops.sliding import Pads
from bitwright.graph.random_builder import ACTIVATION_TYPES, WEIGHT_TYPES, Builder
from bitwright.graph.types import BIPOLAR, IntArray, IntType, TensorSpec

WIDEST_SUM = 20
"""Tensors of more bits than this are put through an activation at once."""

MOST_MACS = 50_000
"""Multiply-accumulates of a frame in one freely drawn convolution."""

MOST_ELEMENTS = 1_000
"""Elements of a tensor; larger ones are pooled first."""

TRIES = 20
"""Draws of a geometry before the builder gives up and takes the simplest one."""


def random_cnn(
    seed: int,
    *,
    max_blocks: int = 4,
    max_size: int = 10,
    max_channels: int = 16,
    weight_types: Sequence[IntType] = WEIGHT_TYPES,
    activation_types: Sequence[IntType] = ACTIVATION_TYPES,
    binary: float = 0.3,
    signals: float = 0.3,
    extras: bool = True,
) -> Network:
    """A random convolutional network; the same arguments give the same network.

    It reads an image of at most `max_size` on a side, or, with probability `signals`, a signal of at most
    `3 * max_size`. 1 to `max_blocks` blocks follow: convolutions with any kernel up to 5, stride, padding on either
    side with values inside and outside the type, dilation and groups; depthwise and pointwise ones; max and sum pools;
    residual and dense blocks (fork, then Add or Concat); Upsample; with and without Threshold or Requant behind each.
    It ends in an image, scores of a Linear, ArgMax or TopK, and with `extras` sometimes in several outputs, and has
    Permute and Duplicate of channels. With probability `binary` all weights and activations are bipolar.
    """
    if max_blocks < 1 or max_size < 1 or max_channels < 1:
        raise InputError("a random network needs max_blocks, max_size and max_channels of at least 1")
    types = (tuple(weight_types), tuple(activation_types))
    return _Images(seed, max_channels, *types, binary, extras).network(max_blocks, max_size, signals)


class _Images(Builder):
    count = 0

    def network(self, max_blocks: int, max_size: int, signals: float) -> Network:
        """Draw the whole network."""
        signal = self.chance(signals)
        low, high = min(4, max_size), 3 * max_size if signal else max_size
        size = tuple(int(n) for n in self.rng.integers(low, high, 1 if signal else 2, endpoint=True))
        self.limit = 2 * math.prod(size) * self.max_width
        self.square = self.chance(0.5)
        spec = TensorSpec((*size, int(self.rng.integers(1, min(4, self.max_width), endpoint=True))), self.input_type())
        self.begin(spec, 12)
        outputs: list[str] = []
        for _ in range(int(self.rng.integers(1, max_blocks, endpoint=True))):
            self.block()
            if self.extras and self.chance(0.05):
                outputs.append(self.tensor)
        if not self.operations:
            self.convolution()
        outputs += [tensor for tensor in self.finish() if tensor not in outputs]
        return Network(f"random_cnn_{self.seed}", "x", spec, tuple(self.operations), tuple(outputs))

    def input_type(self) -> IntType:
        """Often that of 8-bit pixels."""
        if len(self.activation_types) > 1 and self.chance(0.3):
            return IntType.unsigned(8) if self.chance(0.5) else IntType.signed_bits(8)
        return self.pick(self.activation_types)

    def number(self) -> int:
        """Another one each time, to name operations by."""
        self.count += 1
        return self.count

    @property
    def axes(self) -> int:
        """Spatial axes of the current tensor."""
        return len(self.spec.shape) - 1

    def ends(self, word: str) -> dict[str, Any]:
        """Name, input and output of an operation on the current tensor."""
        name = f"{word}{self.number()}"
        return {"name": name, "inputs": (self.tensor,), "output": f"{name}_out"}

    def threshold_rows(self, channels: int, steps: int) -> IntArray:
        """Values of the sample, channel by channel: long chains of layers stay alive."""
        values = self.sample.reshape(-1, self.spec.shape[-1]).astype(np.int64)
        pools = values.T if channels > 1 else values.reshape(1, -1)
        return np.stack([self.rng.choice(pool, steps) + self.rng.integers(0, 2, steps) for pool in pools])

    def multipliers(self, factor: int, channels: int) -> IntArray:
        """Mostly positive ones, so that unsigned outputs stay alive."""
        sizes = self.rng.integers(max(1, factor // 2), 2 * factor, channels, endpoint=True)
        return np.where(self.rng.random(channels) < 0.1, -sizes, sizes)

    def each(self, low: int, high: int) -> tuple[int, ...]:
        """An integer from low to high for each spatial axis, often all the same."""
        values = self.rng.integers(low, max(low, high), self.axes, endpoint=True)
        return tuple(int(values[0] if self.square else v) for v in values)

    def block(self) -> None:
        """One step of the body."""
        blocks: list[tuple[float, Callable[[], None]]] = [
            (5, self.convolution), (2, self.separable), (2, self.pool), (2, self.residual), (1, self.dense),
            (1, self.upsample), (1, self.mixed_channels),
        ]  # fmt: skip
        if self.spec.size > MOST_ELEMENTS:
            blocks = [(1, self.pool)]
        shares = [share for share, _ in blocks]
        index = int(self.rng.choice(len(blocks), p=[share / sum(shares) for share in shares]))
        blocks[index][1]()
        self.narrow()

    def narrow(self) -> None:
        """An activation where the current tensor is too wide to go on with."""
        if self.spec.dtype.width > WIDEST_SUM:
            self.activation(self.number())

    def activate(self, probability: float = 0.8) -> None:
        """An activation, usually."""
        if self.chance(probability):
            self.activation(self.number())
        self.narrow()

    def convolution(self) -> None:
        """Any Conv, and usually an activation."""
        self.add(self.any_conv())
        self.activate()

    def any_conv(self) -> Conv:
        """A Conv of any geometry that fits the current tensor."""
        for _ in range(TRIES):
            conv = self.conv(
                self.each(1, 5 if self.chance(0.2) else 3),
                self.each(1, 3) if self.chance(0.4) else (1,) * self.axes,
                self.padding() if self.chance(0.6) else ((0, 0),) * self.axes,
                self.each(1, 3) if self.chance(0.2) else (1,) * self.axes,
                self.groups(),
            )
            if self.fits(conv) and conv.macs(self.spec) <= MOST_MACS:
                return conv
        return self.conv((1,) * self.axes, (1,) * self.axes, ((0, 0),) * self.axes, (1,) * self.axes, 1)

    def padding(self) -> Pads:
        """Up to 2 on each side, often the same before and after."""
        before = self.each(0, 2)
        after = before if self.chance(0.6) else self.each(0, 2)
        return tuple(zip(before, after, strict=True))

    def groups(self) -> int:
        """A divisor of the channels: 1 mostly, or all of them (depthwise), or another."""
        channels = self.spec.shape[-1]
        if self.chance(0.6):
            return 1
        if self.chance(0.5):
            return channels
        return int(self.rng.choice([g for g in range(1, channels + 1) if channels % g == 0]))

    def pad_value(self) -> int:
        """0 mostly; in a bipolar tensor that is a third value."""
        dtype = self.spec.dtype
        if self.chance(0.6):
            return 0
        return int(self.rng.choice([dtype.lo, dtype.hi, -1, 1, int(self.rng.integers(-9, 10))]))

    def conv(
        self,
        kernel: tuple[int, ...],
        stride: tuple[int, ...],
        padding: Pads,
        dilation: tuple[int, ...],
        groups: int,
        outputs: int | None = None,
    ) -> Conv:
        """A Conv of that geometry with random weights, not added yet."""
        channels = self.spec.shape[-1]
        if outputs is None:
            outputs = groups * int(self.rng.integers(1, max(1, self.max_width // groups), endpoint=True))
        weight_type = self.pick(self.weight_types)
        return Conv(
            name=f"conv{self.number()}",
            inputs=(self.tensor,),
            output=f"conv{self.count}_out",
            weights=self.weights((outputs, *kernel, channels // groups), weight_type),
            weight_type=weight_type,
            bias=self.rng.integers(-20, 21, outputs) if self.chance(0.4) else None,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
            pad_value=self.pad_value(),
        )

    def same_conv(self, kernel: int, stride: tuple[int, ...], groups: int = 1, outputs: int | None = None) -> None:
        """A Conv that keeps the size but for its stride, as in residual blocks."""
        half = kernel // 2
        padding = ((half, kernel - 1 - half),) * self.axes
        self.add(self.conv((kernel,) * self.axes, stride, padding, (1,) * self.axes, groups, outputs))

    def separable(self) -> None:
        """Depthwise, then pointwise as a Conv or as a Linear on the last axis (Howard et al., MobileNets, 2017)."""
        channels = self.spec.shape[-1]
        stride = self.each(1, 2)
        self.same_conv(int(self.rng.integers(2, 4)), stride, channels, channels)
        self.activate()
        if self.chance(0.5):
            self.linear(self.number())
        else:
            self.same_conv(1, (1,) * self.axes)
        self.activate()

    def pool(self) -> None:
        """A MaxPool or SumPool that fits; then an activation sometimes."""
        for _ in range(TRIES):
            kernel = self.each(1, 3)
            stride = kernel if self.chance(0.5) else self.each(1, 3)
            padding = self.padding() if self.chance(0.3) else ((0, 0),) * self.axes
            if self.chance(0.6):
                dilation = self.each(1, 2) if self.chance(0.1) else (1,) * self.axes
                pool: Operation = MaxPool(
                    **self.ends("maxpool"), kernel=kernel, stride=stride, padding=padding, dilation=dilation
                )
            else:
                pool = SumPool(**self.ends("sumpool"), kernel=kernel, stride=stride, padding=padding)
            if self.fits(pool):
                self.add(pool)
                self.activate(0.4)
                return
        self.convolution()

    def residual(self) -> None:
        """Fork, one or two convolutions against a shortcut, perhaps a third branch, Add (He et al., 2016)."""
        source, channels = self.tensor, self.spec.shape[-1]
        stride, outputs = (1,) * self.axes, channels
        shortcut = not self.chance(0.6)
        if shortcut:
            stride, outputs = self.each(1, 2), self.width()
        branches = []
        for _ in range(2 if self.chance(0.15) else 1):
            self.tensor = source
            if self.chance(0.5):
                self.same_conv(int(self.rng.integers(1, 4)), (1,) * self.axes)
                self.activate()
            self.same_conv(int(self.rng.integers(1, 4)), stride, 1, outputs)
            self.activate(0.5)
            branches.append(self.tensor)
        self.tensor = source
        if shortcut:
            self.same_conv(1, stride, 1, outputs)
            self.activate(0.3)
        branches.insert(int(self.rng.integers(len(branches) + 1)), self.tensor)
        multipliers = self.rng.choice([-3, -2, -1, 1, 1, 1, 1, 2, 5], len(branches))
        name = f"add{self.number()}"
        self.add(Add(name=name, inputs=tuple(branches), output=f"{name}_out", multipliers=multipliers))
        self.activate(0.7)

    def dense(self) -> None:
        """Fork, then branches of one size side by side (Huang et al., 2017): itself, convolutions, a pool."""
        source = self.tensor
        branches = [source] if self.chance(0.5) else []
        output_type = BIPOLAR if self.activation_types == (BIPOLAR,) else self.pick(self.activation_types)
        for _ in range(2 - len(branches) + int(self.chance(0.2))):
            self.tensor = source
            if self.chance(0.2):
                ones = (1,) * self.axes
                self.add(
                    MaxPool(**self.ends("maxpool"), kernel=(3,) * self.axes, stride=ones, padding=((1, 1),) * self.axes)
                )
            else:
                self.same_conv(int(self.rng.integers(1, 4)), (1,) * self.axes)
                if self.chance(0.7):
                    self.threshold(self.number(), output_type)
            branches.insert(int(self.rng.integers(len(branches) + 1)), self.tensor)
        name = f"concat{self.number()}"
        self.add(Concat(name=name, inputs=tuple(branches), output=f"{name}_out"))
        if self.spec.shape[-1] > 2 * self.max_width:
            self.same_conv(1, (1,) * self.axes)
        self.activate(0.4)

    def upsample(self) -> None:
        """Upsample where the result stays small."""
        operation = Upsample(**self.ends("upsample"), factors=self.each(1, 3))
        if math.prod(operation.factors) * self.spec.size <= self.limit:
            self.add(operation)
        else:
            self.pool()

    def mixed_channels(self) -> None:
        """Permute and Duplicate of channels, then a Conv."""
        self.rearrange(self.number())
        self.convolution()

    def finish(self) -> tuple[str, ...]:
        """From the last image to the outputs."""
        if self.chance(0.1):
            return (self.tensor,)
        if self.chance(0.3):
            pool = MaxPool if self.chance(0.3) else SumPool
            self.add(pool(**self.ends("global"), kernel=self.spec.shape[:-1]))
            self.activate(0.5)
        if self.chance(0.1):
            self.add(Reshape(**self.ends("reshape"), shape=(self.spec.size,)))
        else:
            self.add(Flatten(**self.ends("flatten")))
        for _ in range(int(self.rng.integers(0, 3))):
            self.activate(0.5)
            self.linear(self.number())
        self.narrow()
        scores = self.tensor
        outputs = self.ending()
        return (scores, *outputs) if self.extras and scores not in outputs and self.chance(0.5) else outputs
