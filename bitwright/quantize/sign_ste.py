"""The sign function with the clipped straight-through gradient of BinaryNet."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class SignSTE(torch.autograd.Function):
    """sign(x) with sign(0) = +1; the gradient passes where |x| <= 1 and is zero elsewhere.

    Courbariaux, Hubara, Soudry, El-Yaniv, Bengio: "Binarized Neural Networks: Training Neural Networks with Weights
    and Activations Constrained to +1 or -1", 2016, equation 4.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """Signs of `x`, same shape and dtype."""
        ctx.save_for_backward(x)
        return (x >= 0).to(x.dtype).mul_(2).sub_(1)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> Tensor:
        """The gradient, cut to zero where |x| > 1."""
        x: Tensor = ctx.saved_tensors[0]
        return grad_outputs[0] * (x.abs() <= 1).to(grad_outputs[0].dtype)


def sign_ste(x: Tensor) -> Tensor:
    """sign(x) with sign(0) = +1 and gradient 1{|x| <= 1}; same shape and dtype as `x`."""
    signs: Tensor = SignSTE.apply(x)  # type: ignore[no-untyped-call]
    return signs
