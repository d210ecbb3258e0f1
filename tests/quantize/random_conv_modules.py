"""Random quantized convolutional networks, drawn from a seed: residual blocks, pools, joins, any layer kind."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from bitwright.quantize import (
    BinaryConv1d,
    BinaryConv2d,
    BinaryInput,
    TernaryConv1d,
    TernaryConv2d,
    ThermometerInput,
    integer_activation,
    integer_conv1d,
    integer_conv2d,
    integer_input,
)
from tests.quantize.random_modules import Drawn, random_activation, random_batch_norm, random_linear


class RandomConvNet(nn.Module):
    """A stem, up to three blocks (plain, residual, concatenating or depthwise), and a head."""

    def __init__(self, rng: np.random.Generator, axes: int) -> None:
        super().__init__()
        self.axes = axes
        channels = int(rng.integers(1, 4))
        self.in_channels = channels
        self.input, channels = _input(rng, channels, axes)
        self.stem = _Unit(rng, channels, axes)
        channels = self.stem.channels
        self.blocks = nn.ModuleList()
        for _ in range(int(rng.integers(0, 3))):
            block = [_Unit, _Residual, _Beside][rng.integers(3)](rng, channels, axes)
            self.blocks.append(block)
            channels = block.channels
        self.head = _Head(rng, channels, axes)

    def forward(self, x: Tensor) -> Tensor:
        """Scores, or what the head gives."""
        x = self.stem(self.input(x))
        for block in self.blocks:
            x = block(x)
        return self.head(x)


def _input(rng: np.random.Generator, channels: int, axes: int) -> tuple[nn.Module, int]:
    kind = rng.integers(4)
    if kind == 0:
        return BinaryInput(float(rng.normal() * 0.3)), channels
    if kind == 1:
        levels = int(rng.integers(1, 5))
        return ThermometerInput(levels, int(rng.integers(3, 9)), float(rng.uniform(0.5, 2))), channels * levels
    return integer_input(int(rng.integers(1, 9)), signed=bool(rng.integers(2)), max_value=1.5), channels


def _conv(rng: np.random.Generator, fan_in: int, fan_out: int, axes: int, keep: bool) -> nn.Module:
    """Any convolution; `keep`: of the same size, for a residual branch."""
    kernel = tuple(int(k) for k in rng.integers(1, 4, size=axes))
    options = {"bias": bool(rng.integers(2))}
    if keep:
        kernel = tuple(int(k) for k in rng.choice([1, 3], size=axes))
        options["padding"] = "same" if rng.integers(2) else tuple(k // 2 for k in kernel)
    else:
        options |= {
            "stride": tuple(int(s) for s in rng.integers(1, 3, size=axes)),
            "padding": tuple(int(p) for p in rng.integers(1, 3, size=axes)),
            "dilation": tuple(int(d) for d in rng.integers(1, 3, size=axes)),
        }
    divisors = [g for g in range(1, fan_in + 1) if fan_in % g == 0 and fan_out % g == 0]
    options["groups"] = int(rng.choice(divisors))
    kind = rng.integers(4)
    if kind == 0:
        scale = [None, "channel"][rng.integers(2)]
        made = BinaryConv1d if axes == 1 else BinaryConv2d
        layer: nn.Module = made(fan_in, fan_out, kernel, scale=scale, padding_value=0, **options)
    elif kind == 1:
        scale = [None, "tensor", "channel"][rng.integers(3)]
        layer = (TernaryConv1d if axes == 1 else TernaryConv2d)(fan_in, fan_out, kernel, scale=scale, **options)
    else:
        made = integer_conv1d if axes == 1 else integer_conv2d
        layer = made(fan_in, fan_out, kernel, int(rng.integers(1, 9)), per_channel=bool(rng.integers(2)), **options)
    if options["bias"]:
        with torch.no_grad():
            layer.bias.copy_(torch.from_numpy(rng.normal(size=fan_out)))
    return layer


def _norm(rng: np.random.Generator, channels: int, axes: int) -> nn.Module:
    norm = (nn.BatchNorm1d if axes == 1 else nn.BatchNorm2d)(channels)
    norm.load_state_dict(random_batch_norm(channels, rng).state_dict())
    norm.momentum = 0.0
    return norm


def _pool(rng: np.random.Generator, axes: int) -> nn.Module:
    kernel = int(rng.integers(1, 4))
    made = nn.MaxPool1d if axes == 1 else nn.MaxPool2d
    ceil = bool(rng.integers(2))
    return made(kernel, int(rng.integers(1, 3)), int(rng.integers(0, kernel // 2 + 1)), ceil_mode=ceil)


class _Unit(nn.Sequential):
    """Convolution, BatchNorm, pool and activation, in an order that may be."""

    def __init__(self, rng: np.random.Generator, fan_in: int, axes: int) -> None:
        self.channels = 0
        fan_out = int(rng.integers(1, 3)) * int(rng.integers(1, 5))
        middle = [_norm(rng, fan_out, axes)] if rng.integers(4) else []
        middle += [nn.ReLU()] if rng.integers(4) == 0 else []
        middle.append(random_activation(rng))
        if rng.integers(2):
            middle.insert(int(rng.integers(len(middle) + 1)), _pool(rng, axes))
        super().__init__(_conv(rng, fan_in, fan_out, axes, keep=False), *middle)
        self.channels = fan_out


class _Residual(nn.Module):
    """x and a branch, both behind one quantizer, added and quantized."""

    def __init__(self, rng: np.random.Generator, channels: int, axes: int) -> None:
        super().__init__()
        self.channels = channels
        self.branch = nn.Sequential(_conv(rng, channels, channels, axes, keep=True), _norm(rng, channels, axes))
        self.share = integer_activation(int(rng.integers(2, 6)), signed=bool(rng.integers(2)), max_value=2.0)
        self.act = random_activation(rng)
        self.sign = int(rng.choice([1, -1]))

    def forward(self, x: Tensor) -> Tensor:
        """As said."""
        return self.act(self.share(x) + self.share(self.branch(x)) * self.sign)


class _Beside(nn.Module):
    """x and a branch side by side, behind one quantizer."""

    def __init__(self, rng: np.random.Generator, channels: int, axes: int) -> None:
        super().__init__()
        more = int(rng.integers(1, 4))
        self.channels = channels + more
        self.branch = nn.Sequential(_conv(rng, channels, more, axes, keep=True), _norm(rng, more, axes))
        self.act = random_activation(rng)

    def forward(self, x: Tensor) -> Tensor:
        """As said."""
        return self.act(torch.cat([x, self.branch(x)], 1))


class _Head(nn.Module):
    """Flatten, or a mean and a quantizer, and a linear layer; or scores for each pixel."""

    def __init__(self, rng: np.random.Generator, channels: int, axes: int) -> None:
        super().__init__()
        self.axes, self.kind = axes, int(rng.integers(3))
        self.act = random_activation(rng)
        self.conv = _conv(rng, channels, 3, axes, keep=True)
        self.linear = random_linear(channels, 4, rng)

    def forward(self, x: Tensor) -> Tensor:
        """Scores."""
        spatial = tuple(range(2, 2 + self.axes))
        if self.kind == 0:
            return self.linear(self.act(x.mean(spatial)))
        if self.kind == 1:
            return self.linear(x.movedim(1, -1)).flatten(1)
        return self.conv(x)


def random_conv_net(seed: int) -> Drawn:
    """A network over signals or images."""
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    axes = int(rng.integers(1, 3))
    module = RandomConvNet(rng, axes)
    size = [int(n) for n in rng.integers(5, 12, size=axes)]
    x = torch.from_numpy(rng.normal(size=(8, module.in_channels, *size))).float()
    module.train()
    with torch.no_grad():
        module(x)  # Scales that are learned start from what they see.
    return Drawn(module.eval(), x)
