"""Fully connected layers with weights in {-1, +1}."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from bitwright.errors import InputError
from bitwright.quantize.sign_ste import sign_ste


class BinaryLinear(nn.Module):
    """y = (x @ sign(W).T) * alpha + bias, with real ("latent") weights W that training moves.

    `scale=None`: alpha = 1, the layer of BinaryNet (Courbariaux et al., "Binarized Neural Networks", 2016).
    `scale="channel"`: alpha = mean |W| of each output channel, the layer of XNOR-Net (Rastegari, Ordonez, Redmon,
    Farhadi, "XNOR-Net: ImageNet Classification Using Binary Convolutional Neural Networks", 2016, equation 6).

    sign(0) = +1; the gradient of the sign is 1{|W| <= 1}: call `clip_latent_weights_` after each optimizer step so
    that no weight gets stuck outside. `weight` is (out_features, in_features); `bias` is real, off by default since
    a BatchNorm mostly follows. Input (..., in_features), output (..., out_features).
    """

    def __init__(
        self, in_features: int, out_features: int, bias: bool = False, scale: Literal["channel"] | None = None
    ) -> None:
        """Draw fresh weights. Raises InputError for an unknown `scale`."""
        super().__init__()
        if scale not in (None, "channel"):
            raise InputError(f'BinaryLinear has no scale {scale!r}; use None (BinaryNet) or "channel" (XNOR-Net)')
        self.in_features = in_features
        self.out_features = out_features
        self.scale = scale
        self.weight = nn.Parameter(torch.empty(out_features, in_features))
        self.bias = nn.Parameter(torch.empty(out_features)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Glorot's uniform weights, as BinaryNet starts; zero bias."""
        bound = math.sqrt(6.0 / (self.in_features + self.out_features))
        nn.init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def quantized_weight(self) -> Tensor:
        """The weights that multiply the input, in {-1, +1}: (out_features, in_features), with gradient."""
        return sign_ste(self.weight)

    def weight_scale(self) -> Tensor | None:
        """alpha, (out_features,), with gradient; None when the layer has no scale."""
        return None if self.scale is None else self.weight.abs().mean(dim=1)

    def forward(self, x: Tensor) -> Tensor:
        """The product, its scale, and then the bias."""
        y = nn.functional.linear(x, self.quantized_weight())
        alpha = self.weight_scale()
        if alpha is not None:
            y = y * alpha
        return y if self.bias is None else y + self.bias

    def extra_repr(self) -> str:
        """Sizes and options, for print(module)."""
        return f"{self.in_features}, {self.out_features}, bias={self.bias is not None}, scale={self.scale!r}"
