"""What the networks of the package have in common, whatever their layers."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from torch import nn

from bitwright.models.precision import WeightBits


class Classifier(nn.Module):
    """A network from a batch of flat inputs (batch, inputs) or images to scores (batch, classes).

    `sizes` starts with the number of inputs and ends with that of classes; `input_shape` is that of one input, channels
    first. `logit_scale` is what training multiplies
    the outputs by before the softmax; it is no part of the network, since a positive factor moves no arg-max.
    """

    sizes: tuple[int, ...]
    input_shape: tuple[int, ...]
    weight_bits: WeightBits
    activation_bits: int | None
    logit_scale: float

    @abstractmethod
    def description(self) -> dict[str, Any]:
        """What a checkpoint keeps to make the network again, as JSON values."""

    @abstractmethod
    def tail(self) -> tuple[nn.Module | None, nn.Module | None, nn.Module]:
        """The last BatchNorm and activation, where scores are a function of them alone, and the last linear layer."""
