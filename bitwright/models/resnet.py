"""ResNet-8 for images of CIFAR's shape, the network of MLPerf Tiny (Banbury et al., 2021; He et al., 2016)."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor, nn

from bitwright.errors import InputError
from bitwright.models.classifier import Classifier
from bitwright.models.precision import (
    WeightBits,
    activation_layer,
    check_precision,
    conv_layer,
    input_layer,
    linear_layer,
)

SHAPE = (3, 32, 32)
WIDTHS = (16, 32, 64)
CLASSES = 10


class ResNet8(Classifier):
    """A convolution, three residual blocks of two convolutions, an average over all positions, a linear layer.

    Both branches of a block end in one quantizer, so that their integers add up; it is symmetric, the activation behind
    the sum is unsigned. `weight_bits` and `activation_bits` as in MLP, one bit excepted: signs that are added need an
    activation that tells -2, 0 and 2 apart. The input is a batch (batch, 3, 32, 32) of 8-bit pixels in [0, 1], or flat
    rows of it.
    """

    def __init__(self, weight_bits: WeightBits, activation_bits: int | None) -> None:
        super().__init__()
        check_precision(weight_bits, activation_bits)
        if activation_bits == 1:
            raise InputError("resnet8 needs activations of 2 bits or more; use w2a2, w4a4 or w8a8")
        self.weight_bits, self.activation_bits = weight_bits, activation_bits
        self.input_shape = SHAPE
        self.sizes = (math.prod(SHAPE), CLASSES)
        self.logit_scale = 1.0 if weight_bits not in (1, "ternary") else 2.0 / math.sqrt(WIDTHS[-1])
        self.input = nn.Identity() if activation_bits is None else input_layer(8, 1.0)
        self.stem = nn.Sequential(
            conv_layer(SHAPE[0], WIDTHS[0], 3, weight_bits, 2, padding=1),
            nn.BatchNorm2d(WIDTHS[0]),
            activation_layer(activation_bits),
        )
        fan_ins = (WIDTHS[0], *WIDTHS[:-1])
        self.blocks = nn.Sequential(
            *(_Block(i, o, weight_bits, activation_bits) for i, o in zip(fan_ins, WIDTHS, strict=True))
        )
        self.average = activation_layer(activation_bits)
        self.linear = linear_layer(WIDTHS[-1], CLASSES, weight_bits)

    def forward(self, x: Tensor) -> Tensor:
        """Scores (batch, 10)."""
        x = self.blocks(self.stem(self.input(x.reshape(-1, *SHAPE))))
        scores: Tensor = self.linear(self.average(x.mean((2, 3))))
        return scores

    def description(self) -> dict[str, Any]:
        """The arguments that make such a network, as JSON values."""
        return {"topology": "resnet8", "weight_bits": self.weight_bits, "activation_bits": self.activation_bits}

    def tail(self) -> tuple[nn.Module | None, nn.Module | None, nn.Module]:
        """The last linear layer alone: an average stands before it."""
        return None, None, self.linear


class _Block(nn.Module):
    def __init__(self, fan_in: int, fan_out: int, weight_bits: WeightBits, activation_bits: int | None) -> None:
        super().__init__()
        stride = fan_out // fan_in
        self.conv1 = conv_layer(fan_in, fan_out, 3, weight_bits, 2, stride=stride, padding=1)
        self.norm1 = nn.BatchNorm2d(fan_out)
        self.act1 = activation_layer(activation_bits)
        self.conv2 = conv_layer(fan_out, fan_out, 3, weight_bits, 2, padding=1)
        self.norm2 = nn.BatchNorm2d(fan_out)
        self.shortcut: nn.Module = nn.Identity()
        if fan_in != fan_out:
            pointwise = conv_layer(fan_in, fan_out, 1, weight_bits, 2, stride=stride)
            self.shortcut = nn.Sequential(pointwise, nn.BatchNorm2d(fan_out))
        self.share = activation_layer(activation_bits, signed=True)
        self.act2 = activation_layer(activation_bits)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm2(self.conv2(self.act1(self.norm1(self.conv1(x)))))
        result: Tensor = self.act2(self.share(y) + self.share(self.shortcut(x)))
        return result
