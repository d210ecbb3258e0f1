"""Convolutions with weights in {-1, +1}."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from bitwright.errors import InputError
from bitwright.quantize.quantized_conv import QuantizedConv, Sizes
from bitwright.quantize.sign_ste import sign_ste


class BinaryConv(QuantizedConv):
    """y = conv(x, sign(W)) * alpha + bias, with real ("latent") weights W that training moves.

    `scale=None`: alpha = 1, the layer of BinaryNet (Courbariaux et al., "Binarized Neural Networks", 2016).
    `scale="channel"`: alpha = mean |W| of each output channel, the layer of XNOR-Net (Rastegari et al., 2016). Binary
    inputs are padded with real zeros, a third value, or with -1 (`padding_value`), which costs hardware nothing.

    sign(0) = +1; the gradient of the sign is 1{|W| <= 1}: call `clip_latent_weights_` after each optimizer step.
    Stride, padding ("same" as well), dilation and groups are as in torch.nn.Conv2d.
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
        scale: Literal["channel"] | None = None,
        padding_value: int = 0,
    ) -> None:
        """Draw fresh weights. Raises InputError for an option that is not known, or groups that do not divide."""
        if scale not in (None, "channel"):
            raise InputError(
                f'{type(self).__name__} has no scale {scale!r}; use None (BinaryNet) or "channel" (XNOR-Net)'
            )
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_value)
        self.scale = scale

    def quantized_weight(self) -> Tensor:
        """The weights that multiply the input, in {-1, +1}, the shape of `weight`, with gradient."""
        return sign_ste(self.weight)

    def weight_scale(self) -> Tensor | None:
        """alpha, (out_channels,), with gradient; None when the layer has no scale."""
        return None if self.scale is None else self.weight.abs().flatten(1).mean(dim=1)


class BinaryConv1d(BinaryConv):
    """A binary convolution of signals (batch, channels, length); see BinaryConv."""

    axes = 1


class BinaryConv2d(BinaryConv):
    """A binary convolution of images (batch, channels, height, width); see BinaryConv."""

    axes = 2
