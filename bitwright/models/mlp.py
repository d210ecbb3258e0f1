"""Multilayer perceptrons from float down to one bit: the family of FINN (Umuroglu et al., FPGA 2017) and a small one.

Each hidden layer is Linear -> BatchNorm -> activation; the last is Linear alone, so that its integer accumulators are
the scores and no arithmetic stands between them and arg-max.
"""

from __future__ import annotations

import itertools
import math
from typing import Any, Literal

from torch import Tensor, nn

from bitwright.errors import InputError
from bitwright.models.classifier import Classifier
from bitwright.models.precision import (
    WeightBits,
    activation_layer,
    check_precision,
    input_layer,
    linear_layer,
)

TOPOLOGIES: dict[str, tuple[int, ...]] = {
    "digits": (64, 32, 10),
    "tfc": (784, 64, 64, 64, 10),
    "sfc": (784, 256, 256, 256, 10),
    "lfc": (784, 1024, 1024, 1024, 10),
}
"""Layer sizes by name, input first. TFC, SFC and LFC are FINN's tiny, small and large network for MNIST."""

DIGITS_INPUT = (5, 31 / 16)
"""Bits and largest value of the input for digits: steps of 1/16 hold its 17 grey values as they are, without a rounding
tie. In black and white an 8 x 8 image keeps too little of a digit (one-bit network: 0.89 on held-out images)."""


class MLP(Classifier):
    """A perceptron of `sizes` (input first, classes last) whose input is a batch of real vectors (batch, sizes[0]).

    `weight_bits`: see WeightBits. `activation_bits`: 1 is BinaryNet's sign, 2 to 8 are unsigned integers, None is
    ReLU. `input_bits`: 1 is +-1 around 0.5, 2 to 8 quantize [0, `input_max`], None leaves the input real; the default
    "same" is `activation_bits`. `logit_scale` is what training multiplies the outputs by before the softmax; it is no
    part of the network, since a positive factor moves no arg-max.
    """

    def __init__(
        self,
        sizes: tuple[int, ...],
        weight_bits: WeightBits,
        activation_bits: int | None,
        input_bits: int | Literal["same"] | None = "same",
        input_max: float = 1.0,
    ) -> None:
        super().__init__()
        if len(sizes) < 2 or min(sizes) < 1:
            raise InputError(f"an MLP needs two or more positive sizes, not {sizes}; give (inputs, hidden..., classes)")
        check_precision(weight_bits, activation_bits)
        self.sizes = tuple(sizes)
        self.input_shape = self.sizes[:1]
        self.weight_bits = weight_bits
        self.activation_bits = activation_bits
        self.input_bits = activation_bits if input_bits == "same" else input_bits
        self.input_max = float(input_max)
        self.logit_scale = 1.0 if weight_bits not in (1, "ternary") else 2.0 / math.sqrt(sizes[-2])
        if self.input_bits is not None:
            self.add_module("input", input_layer(self.input_bits, self.input_max))
        last = len(sizes) - 2
        for index, (fan_in, fan_out) in enumerate(itertools.pairwise(sizes)):
            self.add_module(f"linear{index}", linear_layer(fan_in, fan_out, weight_bits))
            if index < last:
                self.add_module(f"norm{index}", nn.BatchNorm1d(fan_out))
                self.add_module(f"activation{index}", activation_layer(activation_bits))

    def forward(self, x: Tensor) -> Tensor:
        """Scores (batch, sizes[-1]) of real inputs (batch, sizes[0])."""
        for layer in self.children():
            x = layer(x)
        return x

    def description(self) -> dict[str, Any]:
        """The arguments that make such a network, as JSON values."""
        return {
            "sizes": list(self.sizes),
            "weight_bits": self.weight_bits,
            "activation_bits": self.activation_bits,
            "input_bits": self.input_bits,
            "input_max": self.input_max,
        }

    def tail(self) -> tuple[nn.Module | None, nn.Module | None, nn.Module]:
        """The last BatchNorm and activation, where there are any, and the last linear layer."""
        last = len(self.sizes) - 2
        if last == 0:
            return None, None, self.get_submodule("linear0")
        norm, activation = (self.get_submodule(f"{word}{last - 1}") for word in ("norm", "activation"))
        return norm, activation, self.get_submodule(f"linear{last}")
