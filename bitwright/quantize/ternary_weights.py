"""Ternary weights: Li, Zhang, Liu, "Ternary Weight Networks", 2016."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

TernaryScale = Literal["tensor", "channel"] | None
"""Over what threshold and scale are taken; None: the threshold over the whole layer, and no scale."""


class _TernarySTE(torch.autograd.Function):
    """sign(W) where |W| > threshold, else 0; the gradient passes where |W| <= 1."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, threshold: Tensor) -> Tensor:
        ctx.save_for_backward(weight)
        return (weight > threshold).to(weight.dtype) - (weight < -threshold).to(weight.dtype)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None]:
        weight: Tensor = ctx.saved_tensors[0]
        return grad_outputs[0] * (weight.abs() <= 1).to(grad_outputs[0].dtype), None


def ternary_delta(weight: Tensor, scale: TernaryScale) -> Tensor:
    """0.7 * mean |W|: () for the layer, (out, 1, ...) with `scale="channel"`; no gradient."""
    magnitude = weight.detach().abs()
    if scale != "channel":
        return 0.7 * magnitude.mean()
    return 0.7 * magnitude.mean(dim=tuple(range(1, weight.ndim)), keepdim=True)


def ternary_weight(weight: Tensor, delta: Tensor) -> Tensor:
    """Weights in {-1, 0, +1}, the shape of `weight`, with gradient."""
    ternary: Tensor = _TernarySTE.apply(weight, delta)  # type: ignore[no-untyped-call]
    return ternary


def ternary_scale(weight: Tensor, scale: TernaryScale) -> Tensor | None:
    """alpha, the mean of |W| over the weights that stay: () or (out,), with gradient; all-zero rows get 0."""
    if scale is None:
        return None
    magnitude = weight.abs()
    kept = (magnitude > ternary_delta(weight, scale)).to(magnitude.dtype)
    if scale == "tensor":
        return (magnitude * kept).sum() / kept.sum().clamp(min=1)
    return (magnitude * kept).flatten(1).sum(dim=1) / kept.flatten(1).sum(dim=1).clamp(min=1)
