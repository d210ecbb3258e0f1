"""Binary activations: {-1, +1}."""

from __future__ import annotations

from torch import Tensor, nn

from bitwright.quantize.sign_ste import sign_ste


class BinaryActivation(nn.Module):
    """sign(x) in {-1, +1}, sign(0) = +1, trained with the clipped straight-through gradient 1{|x| <= 1}.

    Courbariaux et al., "Binarized Neural Networks", 2016. Any shape; dtype as the input.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Signs of `x`."""
        return sign_ste(x)
