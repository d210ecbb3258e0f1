"""Random quantized perceptrons, drawn from a seed."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

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


@dataclass(frozen=True)
class Drawn:
    """A module in eval mode and a batch of inputs for it."""

    module: nn.Module
    x: Tensor


def random_batch_norm(channels: int, rng: np.random.Generator) -> nn.BatchNorm1d:
    """Statistics and affine parameters of any size; gamma of either sign and zero."""
    norm = nn.BatchNorm1d(channels)
    with torch.no_grad():
        gamma = rng.normal(size=channels) * rng.choice([0.0, 1.0, 1.0, 5.0], size=channels)
        norm.weight.copy_(torch.from_numpy(gamma))
        norm.bias.copy_(torch.from_numpy(rng.normal(size=channels) * 2))
        assert norm.running_mean is not None
        assert norm.running_var is not None
        norm.running_mean.copy_(torch.from_numpy(rng.normal(size=channels) * 3))
        norm.running_var.copy_(torch.from_numpy(rng.uniform(0.01, 20, size=channels)))
    return norm


def randomize_batch_norms_(module: nn.Module, rng: np.random.Generator) -> nn.Module:
    """Random statistics and parameters for every BatchNorm inside `module`, in place; gamma of either sign and zero."""
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            layer.load_state_dict(random_batch_norm(layer.num_features, rng).state_dict())
    return module


def random_linear(fan_in: int, fan_out: int, rng: np.random.Generator) -> nn.Module:
    """Any of the package's linear layers."""
    bias = bool(rng.integers(2))
    kind = rng.integers(4)
    if kind == 0:
        layer: nn.Module = BinaryLinear(fan_in, fan_out, bias, scale=[None, "channel"][rng.integers(2)])  # type: ignore[arg-type]
    elif kind == 1:
        layer = TernaryLinear(fan_in, fan_out, bias, scale=[None, "tensor", "channel"][rng.integers(3)])  # type: ignore[arg-type]
    else:
        layer = integer_linear(fan_in, fan_out, int(rng.integers(1, 9)), per_channel=bool(rng.integers(2)), bias=bias)
    if bias:
        with torch.no_grad():
            layer.bias.copy_(torch.from_numpy(rng.normal(size=fan_out)))  # type: ignore[operator]
    return layer


def random_activation(rng: np.random.Generator) -> nn.Module:
    """Any of the package's activations; scales are learned ones or fixed by their start."""
    if rng.integers(4) == 0:
        return BinaryActivation()
    start = None if rng.integers(3) == 0 else float(rng.uniform(0.5, 8))
    return integer_activation(int(rng.integers(1, 9)), signed=bool(rng.integers(2)), max_value=start)


def random_input(rng: np.random.Generator) -> nn.Module:
    """Any of the package's input quantizers."""
    if rng.integers(4) == 0:
        return BinaryInput(float(rng.normal()))
    return integer_input(int(rng.integers(1, 9)), signed=bool(rng.integers(2)), max_value=float(rng.uniform(0.5, 4)))


def random_mlp(seed: int) -> Drawn:
    """A perceptron of 1 to 4 linear layers with whatever may stand between them."""
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    sizes = [int(size) for size in rng.integers(1, 24, size=rng.integers(2, 6))]
    stack: list[nn.Module] = [random_input(rng)]
    for index, (fan_in, fan_out) in enumerate(itertools.pairwise(sizes)):
        stack.append(random_linear(fan_in, fan_out, rng))
        if rng.integers(3):
            stack.append(random_batch_norm(fan_out, rng))
        if rng.integers(3) == 0:
            stack.append([nn.Dropout(), nn.Identity()][rng.integers(2)])
        if index < len(sizes) - 2:
            if rng.integers(3) == 0:
                stack.append([nn.ReLU(), nn.Hardtanh(-1.5, 2.0), nn.LeakyReLU(0.3), nn.Tanh()][rng.integers(4)])
            stack.append(random_activation(rng))
    module = nn.Sequential(*stack)
    x = torch.from_numpy(rng.normal(size=(16, sizes[0])) * 2).float()
    module.train()
    for norm in module:
        if isinstance(norm, nn.BatchNorm1d):
            norm.momentum = 0.0
    with torch.no_grad():
        module(x)  # Scales that are learned start from what they see.
    return Drawn(module.eval(), x)
