"""Synthetic inputs, for networks whose data is not here, and BatchNorm statistics from them."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bitwright.errors import InputError
from bitwright.models.classifier import Classifier
from bitwright.models.conv_topologies import CONV_TOPOLOGIES
from bitwright.models.create import NETWORKS, create
from bitwright.models.mlp import TOPOLOGIES
from bitwright.models.resnet import SHAPE


def input_shape(name: str) -> tuple[int, ...]:
    """The shape of one input of the network `name`, channels first. Raises InputError for an unknown name."""
    if name in TOPOLOGIES:
        return TOPOLOGIES[name][:1]
    if name == "resnet8":
        return SHAPE
    if name not in CONV_TOPOLOGIES:
        raise InputError(f"unknown network '{name}'; choose one of {', '.join(NETWORKS)}")
    return CONV_TOPOLOGIES[name].shape


def synthetic_inputs(name: str, count: int, seed: int = 0) -> Tensor:
    """Smooth random inputs (count, *shape) in the range of the network `name`, float32; the same on every machine.

    They are no data set: networks that run on them show sizes, speed and exactness, and no accuracy.
    """
    shape = input_shape(name)
    rng = np.random.RandomState(seed)
    sizes = tuple(math.ceil(n / 4) if axis else n for axis, n in enumerate(shape))
    # Frame by frame, so that the first ones do not depend on how many there are.
    drawn = [(rng.uniform(size=sizes), rng.uniform(size=shape)) for _ in range(count)]
    coarse, fine = np.stack([one for one, _ in drawn]), np.stack([one for _, one in drawn])
    if len(shape) == 1:
        return torch.from_numpy(fine).float()
    mode = "linear" if len(shape) == 2 else "bilinear"
    blurred = functional.interpolate(torch.from_numpy(coarse), size=shape[1:], mode=mode, align_corners=False)
    mixed = (0.8 * blurred + 0.2 * torch.from_numpy(fine)).clamp(0, 1)
    table = CONV_TOPOLOGIES.get(name)
    if table is None:
        return mixed.float()
    return ((2 * mixed - 1) * table.input_max if table.signed else mixed * table.input_max).float()


@torch.no_grad()
def settle_norms_(model: nn.Module, x: Tensor) -> nn.Module:
    """Give every BatchNorm the statistics that it sees on the batch `x`, in place; returns `model` in eval mode."""
    norms = [layer for layer in model.modules() if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    model.train()
    model(x)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    return model.eval()


def random_network(name: str, precision: str, seed: int = 0) -> Classifier:
    """The network `name` with random weights and BatchNorm statistics of synthetic inputs, in eval mode.

    It has the size and the shapes of a trained one, and no accuracy.
    """
    model = create(name, precision, seed)
    settle_norms_(model, synthetic_inputs(name, 64, seed))
    return model
