"""Convolutional networks as tables: what each stage looks like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Pads = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Stage:
    """Convolution, BatchNorm, activation, and a max-pool of `pool` by `pool` where given.

    `padding` is symmetric, or (before, after) for each axis. `depthwise`: one filter a channel.
    """

    channels: int
    kernel: tuple[int, ...]
    stride: int = 1
    padding: int | Pads = 0
    pool: int | None = None
    depthwise: bool = False


@dataclass(frozen=True)
class ConvTopology:
    """Stages, then `hidden` fully connected layers and the classes; `mean`: an average over all positions before them.

    `shape` is that of the input, channels first. `input_bits` "same" are as many as the activations have; `signed`
    inputs lie in [-input_max, input_max], others in [0, input_max].
    """

    shape: tuple[int, ...]
    stages: tuple[Stage, ...]
    hidden: tuple[int, ...] = ()
    classes: int = 10
    mean: bool = False
    input_bits: int | Literal["same"] = 8
    input_max: float = 1.0
    signed: bool = False


def _separable(channels: int) -> tuple[Stage, Stage]:
    return Stage(channels, (3, 3), padding=1, depthwise=True), Stage(channels, (1, 1))


CONV_TOPOLOGIES: dict[str, ConvTopology] = {
    "cnn": ConvTopology(
        (1, 28, 28),
        (Stage(16, (3, 3), pool=2), Stage(32, (3, 3), pool=2), Stage(64, (3, 3))),
        input_bits="same",
    ),
    "cnv": ConvTopology(
        (3, 32, 32),
        (
            Stage(64, (3, 3)), Stage(64, (3, 3), pool=2),
            Stage(128, (3, 3)), Stage(128, (3, 3), pool=2),
            Stage(256, (3, 3)), Stage(256, (3, 3)),
        ),
        hidden=(512, 512),
    ),
    "tinyconv": ConvTopology(
        (3, 32, 32),
        (
            Stage(32, (5, 5), padding=2, pool=2),
            Stage(32, (5, 5), padding=2, pool=2),
            Stage(64, (5, 5), padding=2, pool=2),
        ),
    ),
    "dscnn": ConvTopology(
        (1, 49, 10),
        (Stage(64, (10, 4), stride=2, padding=((4, 5), (1, 1))), *(4 * _separable(64))),
        classes=12,
        mean=True,
        input_max=4.0,
        signed=True,
    ),
    "conv1d": ConvTopology(
        (1, 40),
        (
            Stage(25, (5,), stride=2, padding=1),
            Stage(25, (3,), stride=2, padding=1),
            Stage(25, (3,), stride=2, padding=1),
        ),
        input_max=4.0,
        signed=True,
    ),
}  # fmt: skip
"""Networks by name.

cnn: a small one for MNIST. cnv: the VGG-like network of FINN (Umuroglu et al., FPGA 2017) for CIFAR-10. tinyconv: three
5 x 5 convolutions and a linear layer, for CIFAR-10. dscnn: depthwise separable convolutions for keyword spotting
(Zhang et al., "Hello Edge", 2017), of the shape in MLPerf Tiny. conv1d: for MNIST-1D (Greydanus, 2020).
"""
