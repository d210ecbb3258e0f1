"""Convolutional networks from float down to one bit, built from their table.

Each stage is convolution -> BatchNorm -> activation -> pool; the last layer is Linear alone, as in the perceptrons.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

from torch import Tensor, nn

from bitwright.models.classifier import Classifier
from bitwright.models.conv_topologies import CONV_TOPOLOGIES, Stage
from bitwright.models.precision import (
    WeightBits,
    activation_layer,
    check_precision,
    conv_layer,
    input_layer,
    linear_layer,
)


class ConvNet(Classifier):
    """The network `topology` of CONV_TOPOLOGIES; its input is a batch (batch, *shape), or flat rows of it.

    `weight_bits` and `activation_bits` as in MLP. Networks of one-bit activations pad with -1, which is a bit as any
    other, but for the first layer on integers, which pads with 0.
    """

    def __init__(self, topology: str, weight_bits: WeightBits, activation_bits: int | None) -> None:
        super().__init__()
        check_precision(weight_bits, activation_bits)
        table = CONV_TOPOLOGIES[topology]
        self.topology, self.input_shape = topology, table.shape
        self.weight_bits, self.activation_bits = weight_bits, activation_bits
        bits = activation_bits if table.input_bits == "same" or activation_bits is None else table.input_bits
        self.input = nn.Identity() if bits is None else input_layer(bits, table.input_max, table.signed)
        layers: list[nn.Module] = []
        channels, axes = table.shape[0], len(table.shape) - 1
        size = table.shape[1:]
        for index, stage in enumerate(table.stages):
            binary = activation_bits == 1 and (index > 0 or bits == 1)
            layers += _stage_layers(stage, channels, weight_bits, activation_bits, axes, binary)
            channels, size = stage.channels, _size_behind(stage, size)
        self.stages = nn.Sequential(*layers)
        self.mean = table.mean
        if table.mean:
            self.average = activation_layer(activation_bits)
        features = channels if table.mean else channels * math.prod(size)
        widths = (features, *table.hidden, table.classes)
        self.sizes = (math.prod(table.shape), table.classes)
        self.logit_scale = 1.0 if weight_bits not in (1, "ternary") else 2.0 / math.sqrt(widths[-2])
        self.head = nn.Sequential()
        for index, (fan_in, fan_out) in enumerate(itertools.pairwise(widths)):
            self.head.append(linear_layer(fan_in, fan_out, weight_bits))
            if index < len(widths) - 2:
                self.head.append(nn.BatchNorm1d(fan_out))
                self.head.append(activation_layer(activation_bits))

    def forward(self, x: Tensor) -> Tensor:
        """Scores (batch, classes)."""
        x = x.reshape(-1, *self.input_shape)
        x = self.stages(self.input(x))
        x = self.average(x.mean(tuple(range(2, len(self.input_shape) + 1)))) if self.mean else x.flatten(1)
        scores: Tensor = self.head(x)
        return scores

    def description(self) -> dict[str, Any]:
        """The arguments that make such a network, as JSON values."""
        return {
            "topology": self.topology,
            "weight_bits": self.weight_bits,
            "activation_bits": self.activation_bits,
        }

    def tail(self) -> tuple[nn.Module | None, nn.Module | None, nn.Module]:
        """The last BatchNorm and activation, and the last linear layer; a mean's activation has no BatchNorm."""
        layers = [*self.stages, *self.head]
        if self.mean:
            return None, None, layers[-1]
        norms = [layer for layer in layers if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d)]
        return norms[-1], layers[layers.index(norms[-1]) + 1], layers[-1]


def _stage_layers(
    stage: Stage, channels: int, weight_bits: WeightBits, activation_bits: int | None, axes: int, binary: bool
) -> list[nn.Module]:
    groups = channels if stage.depthwise else 1
    options: dict[str, Any] = {"stride": stage.stride, "groups": groups}
    layers: list[nn.Module] = []
    if isinstance(stage.padding, tuple):
        sides = tuple(side for pair in reversed(stage.padding) for side in pair)
        value = -1.0 if binary else 0.0
        pad: Any = nn.ConstantPad1d if axes == 1 else nn.ConstantPad2d
        layers.append(pad(sides, value))
    else:
        options["padding"] = stage.padding
        if binary and weight_bits in (1, "ternary"):
            options["padding_value"] = -1
    layers.append(conv_layer(channels, stage.channels, stage.kernel, weight_bits, axes, **options))
    layers.append((nn.BatchNorm1d if axes == 1 else nn.BatchNorm2d)(stage.channels))
    layers.append(activation_layer(activation_bits))
    if stage.pool is not None:
        layers.append((nn.MaxPool1d if axes == 1 else nn.MaxPool2d)(stage.pool))
    return layers


def _size_behind(stage: Stage, size: tuple[int, ...]) -> tuple[int, ...]:
    pads = stage.padding if isinstance(stage.padding, tuple) else ((stage.padding, stage.padding),) * len(size)
    sums = [(n + sum(pair) - k) // stage.stride + 1 for n, pair, k in zip(size, pads, stage.kernel, strict=True)]
    return tuple(n // (stage.pool or 1) for n in sums)
