"""Scores that floats hold exactly, so that equal integer scores are equal in PyTorch too and arg-max agrees on ties."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from bitwright.models.classifier import Classifier


@torch.no_grad()
def make_scores_exact_(model: Classifier) -> Classifier:
    """Move the scales of the last activation and the last layer to powers of two, in place; returns `model`.

    ReLU and max-scaled weights are homogeneous: BatchNorm and activation scale take one factor, the last weights
    another, the integers stay as they were and all scores take one positive factor. Afterwards each score is an
    integer times a power of two, computed without rounding in float32. Binary, ternary and float layers stay as
    they are. Call it after training: the loss would see the factor.
    """
    tail: tuple[Any, Any, Any] = model.tail()
    norm, activation, linear = tail
    if model.activation_bits is not None and model.activation_bits > 1 and norm is not None and activation is not None:
        largest = activation.act_quant.fused_activation_quant_proxy.tensor_quant.scaling_impl.value
        steps = 2**model.activation_bits - 1
        target = steps * _nearest_power(float(largest.abs()) / steps)
        norm.weight.mul_(target / largest.abs())
        norm.bias.mul_(target / largest.abs())
        largest.fill_(target)
    if isinstance(model.weight_bits, int) and model.weight_bits > 1:
        weight: nn.Parameter = linear.weight
        largest = weight.abs().max()
        steps = 2 ** (model.weight_bits - 1) - 1
        target = steps * _nearest_power(float(largest) / steps)
        at_the_end = weight.abs() == largest
        weight.mul_(target / largest)
        weight[at_the_end] = target * weight[at_the_end].sign()
    return model


def _nearest_power(value: float) -> float:
    return float(2.0 ** round(math.log2(value)))
