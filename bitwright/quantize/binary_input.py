"""The input quantizer of networks that see black and white."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class BinaryInput(nn.Module):
    """Real input to {-1, +1}: +1 where x >= threshold.

    Put it first in a network; images in [0, 1] use the default threshold 0.5. Nothing is learned and no gradient
    passes. Any shape; dtype as the input.
    """

    def __init__(self, threshold: float = 0.5) -> None:
        """`threshold`: the smallest input that counts as +1."""
        super().__init__()
        self.threshold = float(threshold)

    def forward(self, x: Tensor) -> Tensor:
        """+1 where `x` reaches the threshold, -1 elsewhere."""
        return torch.where(x >= self.threshold, torch.ones_like(x), -torch.ones_like(x))

    def extra_repr(self) -> str:
        """The threshold, for print(module)."""
        return f"threshold={self.threshold}"
