"""Brevitas modules, trained a few steps on noise so that their scales and statistics are not round, and exported."""

from __future__ import annotations

import contextlib
import io
import warnings
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


def export(module: nn.Module, shape: tuple[int, ...], path: Path, **options: Any) -> Path:
    """Write a module by Brevitas's own export."""
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        export_qonnx(module, torch.randn(1, *shape), export_path=str(path), **options)
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
