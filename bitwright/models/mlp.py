"""Multilayer perceptrons from float down to one bit: the family of FINN (Umuroglu et al., FPGA 2017) and a small one.

Each hidden layer is Linear -> BatchNorm -> activation; the last is Linear alone, so that its integer accumulators are
the scores and no arithmetic stands between them and arg-max.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from bitwright.errors import InputError
from bitwright.quantize import (
    BinaryActivation,
    BinaryInput,
    BinaryLinear,
    TernaryLinear,
    integer_activation,
    integer_input,
    integer_linear,
)

WeightBits = int | Literal["ternary"] | None
"""1 is bipolar, 2 to 8 are integers, "ternary" is {-1, 0, +1}, None is float."""


@dataclass(frozen=True)
class Precision:
    """How many bits weights and hidden activations have; None is float."""

    weight_bits: WeightBits
    activation_bits: int | None


TOPOLOGIES: dict[str, tuple[int, ...]] = {
    "digits": (64, 32, 10),
    "tfc": (784, 64, 64, 64, 10),
    "sfc": (784, 256, 256, 256, 10),
    "lfc": (784, 1024, 1024, 1024, 10),
}
"""Layer sizes by name, input first. TFC, SFC and LFC are FINN's tiny, small and large network for MNIST."""

PRECISIONS: dict[str, Precision] = {
    "float": Precision(None, None),
    "w8a8": Precision(8, 8),
    "w4a4": Precision(4, 4),
    "w2a2": Precision(2, 2),
    "ternary": Precision("ternary", 1),
    "w1a1": Precision(1, 1),
}
"""Precisions by name; `int8` is another name of `w8a8`."""

_ALIASES = {"int8": "w8a8"}

_DIGITS_INPUT = (5, 31 / 16)
"""Bits and largest value of the input for digits: steps of 1/16 hold its 17 grey values as they are, without a rounding
tie. In black and white an 8 x 8 image keeps too little of a digit (one-bit network: 0.89 on held-out images)."""

_ACTIVATION_START = {2: 2.0, 3: 2.5, 4: 3.0, 5: 3.5, 6: 4.0, 7: 4.0, 8: 4.0}
"""Where the learned largest activation starts, by bits, in standard deviations behind a BatchNorm."""


class MLP(nn.Module):
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
        for bits, what in ((weight_bits, "weight_bits"), (activation_bits, "activation_bits")):
            if not (bits is None or (bits == "ternary" and what == "weight_bits") or bits in range(1, 9)):
                raise InputError(f"{what} is {bits!r}; use 1 to 8, None for float, or 'ternary' for weights")
        self.sizes = tuple(sizes)
        self.weight_bits = weight_bits
        self.activation_bits = activation_bits
        self.input_bits = activation_bits if input_bits == "same" else input_bits
        self.input_max = float(input_max)
        self.logit_scale = 1.0 if weight_bits not in (1, "ternary") else 2.0 / math.sqrt(sizes[-2])
        if self.input_bits is not None:
            self.add_module("input", _input(self.input_bits, self.input_max))
        last = len(sizes) - 2
        for index, (fan_in, fan_out) in enumerate(itertools.pairwise(sizes)):
            self.add_module(f"linear{index}", _linear(fan_in, fan_out, weight_bits))
            if index < last:
                self.add_module(f"norm{index}", nn.BatchNorm1d(fan_out))
                self.add_module(f"activation{index}", _activation(activation_bits))

    def forward(self, x: Tensor) -> Tensor:
        """Scores (batch, sizes[-1]) of real inputs (batch, sizes[0])."""
        for layer in self.children():
            x = layer(x)
        return x


def _input(bits: int, largest: float) -> nn.Module:
    return BinaryInput() if bits == 1 else integer_input(bits, max_value=largest)


def _linear(fan_in: int, fan_out: int, bits: WeightBits) -> nn.Module:
    if bits is None:
        return nn.Linear(fan_in, fan_out, bias=False)
    if bits == "ternary":
        return TernaryLinear(fan_in, fan_out)
    if bits == 1:
        return BinaryLinear(fan_in, fan_out)
    return integer_linear(fan_in, fan_out, bits, per_channel=False, bias=False)


def _activation(bits: int | None) -> nn.Module:
    if bits is None:
        return nn.ReLU()
    if bits == 1:
        return BinaryActivation()
    return integer_activation(bits, signed=False, max_value=_ACTIVATION_START[bits])


def canonical_precision(precision: str) -> str:
    """The name under which `precision` is kept: int8 becomes w8a8. Raises InputError when it is unknown."""
    name = _ALIASES.get(precision, precision)
    if name not in PRECISIONS:
        raise InputError(f"unknown precision '{precision}'; choose one of {', '.join([*PRECISIONS, *_ALIASES])}")
    return name


def create(name: str, precision: str, seed: int = 0) -> MLP:
    """An untrained network of topology `name` ("digits", "tfc", "sfc", "lfc") at `precision` ("float" to "w1a1").

    Inputs of the quantized MNIST networks have as many bits as the activations (one-bit pixels at w1a1, as in FINN);
    digits always keeps its 17 grey values. The same seed gives the same weights; the caller's random state is left
    alone. Raises InputError for an unknown name or precision.
    """
    if name not in TOPOLOGIES:
        raise InputError(f"unknown network '{name}'; choose one of {', '.join(TOPOLOGIES)}")
    bits = PRECISIONS[canonical_precision(precision)]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if name == "digits" and bits.activation_bits is not None:
            return MLP(TOPOLOGIES[name], bits.weight_bits, bits.activation_bits, *_DIGITS_INPUT)
        return MLP(TOPOLOGIES[name], bits.weight_bits, bits.activation_bits)
