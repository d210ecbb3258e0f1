"""How many bits the layers of a network have, and the layers for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from torch import nn

from bitwright.errors import InputError
from bitwright.quantize import (
    BinaryActivation,
    BinaryConv1d,
    BinaryConv2d,
    BinaryInput,
    BinaryLinear,
    TernaryConv1d,
    TernaryConv2d,
    TernaryLinear,
    integer_activation,
    integer_conv1d,
    integer_conv2d,
    integer_input,
    integer_linear,
)

Sizes = int | Sequence[int]

WeightBits = int | Literal["ternary"] | None
"""1 is bipolar, 2 to 8 are integers, "ternary" is {-1, 0, +1}, None is float."""


@dataclass(frozen=True)
class Precision:
    """How many bits weights and hidden activations have; None is float."""

    weight_bits: WeightBits
    activation_bits: int | None


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

_ACTIVATION_START = {2: 2.0, 3: 2.5, 4: 3.0, 5: 3.5, 6: 4.0, 7: 4.0, 8: 4.0}
"""Where the learned largest activation starts, by bits, in standard deviations behind a BatchNorm."""


def check_precision(weight_bits: WeightBits, activation_bits: int | None) -> None:
    """Raise InputError unless both are 1 to 8 or None, or the weights "ternary"."""
    for bits, what in ((weight_bits, "weight_bits"), (activation_bits, "activation_bits")):
        if not (bits is None or (bits == "ternary" and what == "weight_bits") or bits in range(1, 9)):
            raise InputError(f"{what} is {bits!r}; use 1 to 8, None for float, or 'ternary' for weights")


def canonical_precision(precision: str) -> str:
    """The name under which `precision` is kept: int8 becomes w8a8. Raises InputError when it is unknown."""
    name = _ALIASES.get(precision, precision)
    if name not in PRECISIONS:
        raise InputError(f"unknown precision '{precision}'; choose one of {', '.join([*PRECISIONS, *_ALIASES])}")
    return name


def input_layer(bits: int, largest: float, signed: bool = False) -> nn.Module:
    """The input quantizer: black and white for 1 bit, else [0, `largest`] or [-`largest`, `largest`] in steps."""
    return BinaryInput() if bits == 1 else integer_input(bits, signed=signed, max_value=largest)


def linear_layer(fan_in: int, fan_out: int, bits: WeightBits) -> nn.Module:
    """A linear layer without bias and without a scale for each channel."""
    if bits is None:
        return nn.Linear(fan_in, fan_out, bias=False)
    if bits == "ternary":
        return TernaryLinear(fan_in, fan_out)
    if bits == 1:
        return BinaryLinear(fan_in, fan_out)
    return integer_linear(fan_in, fan_out, bits, per_channel=False, bias=False)


def conv_layer(fan_in: int, fan_out: int, kernel: Sizes, bits: WeightBits, axes: int, **options: Any) -> nn.Module:
    """A convolution without bias over 1 or 2 axes; `options` are stride, padding and groups."""
    if bits is None:
        plain: Any = nn.Conv1d if axes == 1 else nn.Conv2d
        layer: nn.Module = plain(fan_in, fan_out, kernel, bias=False, **options)
        return layer
    if bits == "ternary":
        return (TernaryConv1d if axes == 1 else TernaryConv2d)(fan_in, fan_out, kernel, **options)
    if bits == 1:
        return (BinaryConv1d if axes == 1 else BinaryConv2d)(fan_in, fan_out, kernel, **options)
    made = integer_conv1d if axes == 1 else integer_conv2d
    return made(fan_in, fan_out, kernel, bits, per_channel=False, **options)


def activation_layer(bits: int | None, signed: bool = False) -> nn.Module:
    """Behind a BatchNorm: ReLU, the sign, or unsigned integers with a learned scale (`signed`: symmetric ones)."""
    if bits is None:
        return nn.Identity() if signed else nn.ReLU()
    if bits == 1:
        return BinaryActivation()
    return integer_activation(bits, signed=signed, max_value=_ACTIVATION_START[bits])
