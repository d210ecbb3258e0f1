"""Random quantized multilayer perceptrons in PyTorch, over layer types, bit widths, shapes and BatchNorm states."""

from __future__ import annotations

import itertools

import numpy as np
import torch
from torch import Tensor, nn

from bitwright.quantize import (
    BinaryActivation,
    BinaryInput,
    BinaryLinear,
    TernaryLinear,
    integer_activation,
    integer_input,
    integer_linear,
)

FRAMES = 24


def random_module(seed: int) -> tuple[nn.Module, Tensor]:
    """A module in eval mode and real frames (FRAMES, inputs) for it; the same seed gives the same."""
    rng = np.random.default_rng((seed, 7))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return _draw(rng)


def _draw(rng: np.random.Generator) -> tuple[nn.Module, Tensor]:
    sizes = [int(rng.integers(1, 33)) for _ in range(int(rng.integers(2, 5)))]
    layers: list[nn.Module] = [_input(rng)]
    if rng.random() < 0.2:
        layers.insert(0, nn.Flatten())
    for index, (fan_in, fan_out) in enumerate(itertools.pairwise(sizes)):
        layers.append(_linear(rng, fan_in, fan_out))
        if index < len(sizes) - 2:
            if rng.random() < 0.8:
                layers.append(_norm(rng, fan_out))
            if rng.random() < 0.2:
                layers.append(nn.Dropout(0.5))
            layers.append(_activation(rng))
    module = nn.Sequential(*layers)
    frames = torch.rand(64, sizes[0]) * 2.4 - 1.2
    module.train()
    for _ in range(3):  # scales that are learned from statistics see real values
        module(frames)
    _spoil_norms(rng, module)
    return module.eval(), frames[:FRAMES]


def _input(rng: np.random.Generator) -> nn.Module:
    bits, signed = int(rng.integers(1, 9)), bool(rng.random() < 0.5)
    return BinaryInput(threshold=0.0) if rng.random() < 0.3 else integer_input(bits, signed=signed)


def _linear(rng: np.random.Generator, fan_in: int, fan_out: int) -> nn.Module:
    bias = bool(rng.random() < 0.4)
    kind = rng.random()
    if kind < 0.35:
        return BinaryLinear(fan_in, fan_out, bias=bias, scale=[None, "channel"][int(rng.integers(2))])
    if kind < 0.55:
        return TernaryLinear(fan_in, fan_out, bias=bias, scale=[None, "tensor", "channel"][int(rng.integers(3))])
    bits, per_channel = int(rng.integers(1, 9)), bool(rng.random() < 0.5)
    return integer_linear(fan_in, fan_out, bits, per_channel=per_channel, bias=bias)


def _norm(rng: np.random.Generator, channels: int) -> nn.BatchNorm1d:
    return nn.BatchNorm1d(channels, affine=bool(rng.random() < 0.8))


def _activation(rng: np.random.Generator) -> nn.Module:
    if rng.random() < 0.35:
        return BinaryActivation()
    return integer_activation(int(rng.integers(1, 9)), signed=bool(rng.random() < 0.4))


def _spoil_norms(rng: np.random.Generator, module: nn.Module) -> None:
    """BatchNorms as training leaves them: gammas of either sign, some exactly 0, shifted means."""
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm1d) and layer.weight is not None:
            count = layer.num_features
            gamma = rng.normal(0.0, 1.0, count)
            gamma[rng.random(count) < 0.1] = 0.0
            with torch.no_grad():
                layer.weight.copy_(torch.from_numpy(gamma))
                layer.bias.copy_(torch.from_numpy(rng.normal(0.0, 0.7, count)))
