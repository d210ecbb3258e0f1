"""What training does to latent weights between optimizer steps."""

from __future__ import annotations

import torch
from torch import nn

from bitwright.quantize.binary_linear import BinaryLinear
from bitwright.quantize.quantized_conv import QuantizedConv
from bitwright.quantize.ternary_linear import TernaryLinear


@torch.no_grad()
def clip_latent_weights_(module: nn.Module) -> nn.Module:
    """Clip the latent weights of every binary and ternary layer inside `module` to [-1, 1], in place.

    Call it after each optimizer step: beyond +-1 the sign no longer changes and its gradient is zero
    (Courbariaux et al., "Binarized Neural Networks", 2016, section 1.3). Returns `module`.
    """
    for layer in module.modules():
        if isinstance(layer, BinaryLinear | TernaryLinear | QuantizedConv):
            layer.weight.clamp_(-1.0, 1.0)
    return module
