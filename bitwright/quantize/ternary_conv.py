"""Convolutions with weights in {-1, 0, +1}."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from bitwright.errors import InputError
from bitwright.quantize.quantized_conv import QuantizedConv, Sizes
from bitwright.quantize.ternary_weights import TernaryScale, ternary_delta, ternary_scale, ternary_weight


class TernaryConv(QuantizedConv):
    """y = conv(x, T) * alpha + bias, T = sign(W) where |W| > delta and 0 elsewhere.

    Li, Zhang, Liu, "Ternary Weight Networks", 2016; `scale` (None, "tensor", "channel") as in TernaryLinear. Stride,
    padding ("same" as well), dilation and groups are as in torch.nn.Conv2d; what is padded has the value
    `padding_value`, 0 or -1. Call `clip_latent_weights_` after each optimizer step.
    """

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
        scale: TernaryScale = None,
        padding_value: int = 0,
    ) -> None:
        """Draw fresh weights. Raises InputError for an option that is not known, or groups that do not divide."""
        if scale not in (None, "tensor", "channel"):
            raise InputError(f'{type(self).__name__} has no scale {scale!r}; use None, "tensor" or "channel"')
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_value)
        self.scale = scale

    def quantized_weight(self) -> Tensor:
        """The weights that multiply the input, in {-1, 0, +1}, the shape of `weight`, with gradient."""
        return ternary_weight(self.weight, ternary_delta(self.weight, self.scale))

    def weight_scale(self) -> Tensor | None:
        """alpha: () or (out_channels,), with gradient; None when the layer has no scale."""
        return ternary_scale(self.weight, self.scale)


class TernaryConv1d(TernaryConv):
    """A ternary convolution of signals (batch, channels, length); see TernaryConv."""

    axes = 1


class TernaryConv2d(TernaryConv):
    """A ternary convolution of images (batch, channels, height, width); see TernaryConv."""

    axes = 2
