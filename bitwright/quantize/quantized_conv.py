"""Convolutions whose weights training quantizes: what binary and ternary ones have in common."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from bitwright.errors import InputError
from bitwright.quantize.window import Window, per_axis, same_padding, symmetric

Sizes = int | Sequence[int]
"""One number for every spatial axis, or one for each."""


class QuantizedConv(nn.Module):
    """y = conv(x, Q(W)) * alpha + bias over `axes` spatial axes, as torch.nn.Conv1d and Conv2d count them.

    `weight` is (out_channels, in_channels / groups, *kernel). `padding` is a number, one for each axis, or "same";
    what is padded has the value `padding_value`.
    """

    axes: ClassVar[int]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: Sizes | Literal["same"] = 0,
        dilation: Sizes = 1,
        groups: int = 1,
        bias: bool = False,
        padding_value: int = 0,
    ) -> None:
        super().__init__()
        if padding_value not in (0, -1) or isinstance(padding_value, bool):
            raise InputError(f"{type(self).__name__} pads with 0 or -1, not {padding_value!r}; choose one of them")
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise InputError(
                f"{type(self).__name__}: {groups} groups do not divide {in_channels} and {out_channels} channels; "
                "choose a divisor"
            )
        kernel, steps, spread = (
            self._sizes(word, given, 1)
            for word, given in (("kernel_size", kernel_size), ("stride", stride), ("dilation", dilation))
        )
        if padding == "same" and any(step != 1 for step in steps):
            raise InputError(f'{type(self).__name__}: padding="same" needs stride 1; give numbers')
        if isinstance(padding, str):
            if padding != "same":
                raise InputError(f'{type(self).__name__} has no padding {padding!r}; give numbers or "same"')
            pads = same_padding(kernel, spread)
        else:
            pads = symmetric(self._sizes("padding", padding, 0), self.axes)
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.window = Window(kernel, steps, pads, spread, groups, float(padding_value))
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels // groups, *kernel))
        self.bias = nn.Parameter(torch.empty(out_channels)) if bias else None
        self.reset_parameters()

    def _sizes(self, word: str, given: Sizes, least: int) -> tuple[int, ...]:
        sizes = per_axis(given, self.axes) if isinstance(given, int | tuple | list) else ()
        if len(sizes) != self.axes or any(isinstance(one, bool) or one < least for one in sizes):
            raise InputError(
                f"{type(self).__name__}: {word} is {given!r}; give a number, or one for each of {self.axes} axes, "
                f"{'0 or more' if least == 0 else 'at least 1'}"
            )
        return sizes

    def reset_parameters(self) -> None:
        """Glorot's uniform weights, as BinaryNet starts; zero bias."""
        receptive = math.prod(self.window.kernel)
        fans = receptive * (self.in_channels + self.out_channels) / self.window.groups
        bound = math.sqrt(6.0 / fans)
        nn.init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    @abstractmethod
    def quantized_weight(self) -> Tensor:
        """The weights that multiply the input, the shape of `weight`, with gradient."""

    @abstractmethod
    def weight_scale(self) -> Tensor | None:
        """alpha: () or (out_channels,), with gradient; None when the layer has no scale."""

    def forward(self, x: Tensor) -> Tensor:
        """The convolution, its scale, and then the bias: (batch, out_channels, *windows)."""
        window = self.window
        if window.is_padded:
            sides = [side for pair in reversed(window.padding) for side in pair]
            x = nn.functional.pad(x, sides, value=window.pad_value)
        convolve: Any = nn.functional.conv1d if self.axes == 1 else nn.functional.conv2d
        y: Tensor = convolve(
            x, self.quantized_weight(), stride=window.stride, dilation=window.dilation, groups=window.groups
        )
        shape = (-1, *(1,) * self.axes)
        alpha = self.weight_scale()
        if alpha is not None:
            y = y * alpha.reshape(shape)
        return y if self.bias is None else y + self.bias.reshape(shape)

    def extra_repr(self) -> str:
        """Sizes and options, for print(module)."""
        return f"{self.in_channels}, {self.out_channels}, {self.window}, bias={self.bias is not None}"
