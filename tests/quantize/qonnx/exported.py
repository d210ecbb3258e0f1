"""Brevitas modules, trained a few steps on noise so that their scales and statistics are not round, and exported."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import brevitas.nn as qnn
import torch
from brevitas.export import export_qonnx
from torch import nn


def settle(module: nn.Module, shape: tuple[int, ...], seed: int) -> nn.Module:
    """Run batches of noise through a module in training mode, so that its quantizers and statistics learn them."""
    torch.manual_seed(seed)
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 0.0, 1.0)
            nn.init.normal_(layer.bias, 0.0, 1.0)
    module.train()
    with torch.no_grad():
        for _ in range(3):
            module(torch.randn(32, *shape))
    return module.eval()


def export(
    module: nn.Module, shape: tuple[int, ...], path: Path, write: Callable[..., Any] = export_qonnx, **options: Any
) -> Path:
    """Write a module by one of Brevitas's own exports."""
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        write(module, torch.randn(1, *shape), export_path=str(path), **options)
    return path


def binary_mlp() -> nn.Module:
    """W1A1 with BatchNorm, input binarized."""
    from brevitas.quant import SignedBinaryActPerTensorConst, SignedBinaryWeightPerTensorConst

    weights, acts = SignedBinaryWeightPerTensorConst, SignedBinaryActPerTensorConst
    return nn.Sequential(
        nn.Flatten(),
        qnn.QuantIdentity(act_quant=acts),
        qnn.QuantLinear(16, 12, bias=False, weight_quant=weights),
        nn.BatchNorm1d(12),
        qnn.QuantIdentity(act_quant=acts),
        qnn.QuantLinear(12, 5, bias=False, weight_quant=weights),
    )


def integer_mlp(weight_bits: int, bits: int) -> nn.Module:
    """Learned scales, biases, BatchNorm and ReLU, 8 bits at the input."""
    return nn.Sequential(
        qnn.QuantIdentity(bit_width=8, return_quant_tensor=True),
        nn.Flatten(),
        qnn.QuantLinear(16, 12, bias=True, weight_bit_width=weight_bits, return_quant_tensor=False),
        nn.BatchNorm1d(12),
        qnn.QuantReLU(bit_width=bits, return_quant_tensor=True),
        qnn.QuantLinear(12, 5, bias=False, weight_bit_width=weight_bits),
    )


def binary_cnn() -> nn.Module:
    """FINN's CNV in small: W1A1 with BatchNorm of either sign, 8 bits at the input, a pool behind a sign."""
    from brevitas.quant import SignedBinaryActPerTensorConst, SignedBinaryWeightPerTensorConst

    weights, acts = SignedBinaryWeightPerTensorConst, SignedBinaryActPerTensorConst
    return nn.Sequential(
        qnn.QuantIdentity(bit_width=8, return_quant_tensor=True),
        qnn.QuantConv2d(3, 8, 3, bias=False, weight_quant=weights),
        nn.BatchNorm2d(8),
        qnn.QuantIdentity(act_quant=acts),
        qnn.QuantConv2d(8, 8, 3, bias=False, weight_quant=weights),
        nn.BatchNorm2d(8),
        qnn.QuantIdentity(act_quant=acts),
        nn.MaxPool2d(2),
        qnn.QuantConv2d(8, 12, 3, bias=False, weight_quant=weights),
        nn.BatchNorm2d(12),
        qnn.QuantIdentity(act_quant=acts),
        nn.Flatten(),
        qnn.QuantLinear(12 * 2 * 2, 10, bias=False, weight_quant=weights),
    )


def separable_cnn() -> nn.Module:
    """W4A4, depthwise and pointwise, padded, strided, a pool before the quantizer and an average at the end."""
    return nn.Sequential(
        qnn.QuantIdentity(bit_width=8, return_quant_tensor=True),
        qnn.QuantConv2d(3, 8, 3, padding=1, bias=True, weight_bit_width=4),
        nn.BatchNorm2d(8),
        qnn.QuantReLU(bit_width=4, return_quant_tensor=True),
        qnn.QuantConv2d(8, 8, 3, padding=1, stride=2, groups=8, bias=False, weight_bit_width=4),
        nn.BatchNorm2d(8),
        qnn.QuantReLU(bit_width=4, return_quant_tensor=True),
        qnn.QuantConv2d(8, 16, 1, bias=False, weight_bit_width=4),
        nn.BatchNorm2d(16),
        nn.MaxPool2d(2),
        qnn.QuantReLU(bit_width=4, return_quant_tensor=True),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        qnn.QuantIdentity(bit_width=6, return_quant_tensor=True),
        qnn.QuantLinear(16, 10, bias=True, weight_bit_width=4),
    )


class Residual(nn.Module):
    """Two branches with one quantizer before they join, an upsampling, and channels side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.start = qnn.QuantIdentity(bit_width=8, return_quant_tensor=True)
        self.first = qnn.QuantConv2d(3, 8, 3, padding=1, bias=False, weight_bit_width=4)
        self.norm = nn.BatchNorm2d(8)
        self.relu = qnn.QuantReLU(bit_width=4, return_quant_tensor=True)
        self.second = qnn.QuantConv2d(8, 8, 3, padding=1, bias=False, weight_bit_width=4)
        self.again = nn.BatchNorm2d(8)
        self.share = qnn.QuantIdentity(bit_width=4, return_quant_tensor=False)
        self.join = qnn.QuantIdentity(bit_width=5, return_quant_tensor=False)
        self.larger = nn.Upsample(scale_factor=2, mode="nearest")
        self.last = qnn.QuantConv2d(16, 4, 3, bias=False, weight_bit_width=4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.share(self.relu(self.norm(self.first(self.start(x)))))
        y = self.share(self.again(self.second(x)))
        z = self.join(x + y)
        return self.last(torch.cat([self.larger(z), self.larger(self.join(x))], dim=1))
