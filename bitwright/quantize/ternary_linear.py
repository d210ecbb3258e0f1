"""Fully connected layers with weights in {-1, 0, +1}."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from bitwright.errors import InputError
from bitwright.quantize.ternary_weights import TernaryScale, ternary_delta, ternary_scale, ternary_weight


class TernaryLinear(nn.Module):
    """y = (x @ T.T) * alpha + bias, T = sign(W) where |W| > delta and 0 elsewhere.

    Li, Zhang, Liu, "Ternary Weight Networks", 2016: delta = 0.7 * mean |W|, and alpha = mean of |W| over the weights
    that stay. `scale` says over what both are taken:

    - None: delta over the whole layer, alpha = 1 (for a BatchNorm or another scale behind the layer);
    - "tensor": both over the whole layer, as in the paper;
    - "channel": both for each output channel.

    The straight-through gradient is clipped to |W| <= 1; call `clip_latent_weights_` after each optimizer step.
    `weight` is (out_features, in_features). Input (..., in_features), output (..., out_features).
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = False,
        scale: TernaryScale = None,
    ) -> None:
        """Draw fresh weights. Raises InputError for an unknown `scale`."""
        super().__init__()
        if scale not in (None, "tensor", "channel"):
            raise InputError(f'TernaryLinear has no scale {scale!r}; use None, "tensor" or "channel"')
        self.in_features = in_features
        self.out_features = out_features
        self.scale = scale
        self.weight = nn.Parameter(torch.empty(out_features, in_features))
        self.bias = nn.Parameter(torch.empty(out_features)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Glorot's uniform weights, zero bias."""
        bound = math.sqrt(6.0 / (self.in_features + self.out_features))
        nn.init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def delta(self) -> Tensor:
        """0.7 * mean |W|: () for the layer, (out_features, 1) with `scale="channel"`; no gradient."""
        return ternary_delta(self.weight, self.scale)

    def quantized_weight(self) -> Tensor:
        """The weights that multiply the input, in {-1, 0, +1}: (out_features, in_features), with gradient."""
        return ternary_weight(self.weight, self.delta())

    def weight_scale(self) -> Tensor | None:
        """alpha: () or (out_features,), with gradient; None when the layer has no scale. All-zero rows get 0."""
        return ternary_scale(self.weight, self.scale)

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
