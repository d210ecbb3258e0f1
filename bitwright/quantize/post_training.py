"""Post-training quantization: a trained float module becomes an integer one, without training."""

from __future__ import annotations

import copy
from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor, nn

from bitwright.errors import InputError, LoweringError
from bitwright.quantize.bits import check_bits
from bitwright.quantize.integer_activation import fixed_quantizer
from bitwright.quantize.integer_linear import weight_quantizer

SUMS = (nn.Linear, nn.Conv1d, nn.Conv2d)
"""Layers that get integer weights and a quantizer for their input."""

AVERAGES = (nn.AvgPool1d, nn.AvgPool2d, nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d)
"""Layers that sum, and so get a quantizer for their input too."""

CLIP_CANDIDATES = 40
"""How many ranges are tried for each activation."""


def post_training_quantize(
    float_module: nn.Module,
    calibration_batch: Tensor,
    weight_bits: int,
    activation_bits: int,
    per_channel: bool = True,
) -> nn.Module:
    """A copy of a float module in which each nn.Linear, Conv1d and Conv2d is Brevitas's and quantizes its input.

    Weights get `weight_bits` (1 to 8), with a scale for each output channel or for the layer; biases stay real
    (`lower` folds them exactly). The input of each layer gets `activation_bits` (1 to 8): signed when the calibration
    batch makes it negative anywhere, unsigned otherwise, its fixed range chosen for the least squared error on the
    batch. An average pool becomes two layers, `quantize` and `pool`. All other layers stay: branches that are added
    need a quantizer of their own, shared by both. The copy is in eval mode. Raises InputError for a module without such
    layers or an empty or not finite batch, and LoweringError for a layer that the batch never reaches.
    """
    check_bits("post_training_quantize", weight_bits)
    check_bits("post_training_quantize", activation_bits)
    if calibration_batch.numel() == 0 or not bool(torch.isfinite(calibration_batch).all()):
        raise InputError("post_training_quantize needs a batch of finite inputs; give a few hundred training frames")
    module = copy.deepcopy(float_module).eval()
    if type(module) in SUMS:
        module = nn.Sequential(module)
    paths = [path for path, layer in module.named_modules() if type(layer) in SUMS + AVERAGES]
    if not any(type(module.get_submodule(path)) in SUMS for path in paths):
        raise InputError(
            f"{type(module).__name__} has no nn.Linear, Conv1d or Conv2d to quantize; give the float module itself"
        )
    seen = _inputs_of_layers(module, paths, calibration_batch)
    for path in paths:
        if path not in seen:
            raise LoweringError(path, "no calibration frame reaches it", "remove it, or call it in forward()")
        parent, _, attribute = path.rpartition(".")
        owner = module.get_submodule(parent)
        layer = module.get_submodule(path)
        setattr(owner, attribute, _quantized(layer, seen[path], weight_bits, activation_bits, per_channel))
    return module.eval()


def _inputs_of_layers(module: nn.Module, paths: list[str], batch: Tensor) -> dict[str, Tensor]:
    seen: dict[str, Tensor] = {}

    def keeper(path: str) -> Any:
        def keep(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            flat = inputs[0].detach().reshape(-1)
            seen[path] = torch.cat([seen[path], flat]) if path in seen else flat

        return keep

    handles = [module.get_submodule(path).register_forward_pre_hook(keeper(path)) for path in paths]
    try:
        with torch.no_grad():
            module(batch)
    finally:
        for handle in handles:
            handle.remove()
    return seen


def _quantized(
    layer: nn.Module, inputs: Tensor, weight_bits: int, activation_bits: int, per_channel: bool
) -> nn.Module:
    from bitwright.quantize.brevitas_nn import qnn

    signed = bool((inputs < 0).any())
    input_quant = fixed_quantizer(activation_bits, signed, best_range(inputs, activation_bits, signed))
    if isinstance(layer, AVERAGES):
        return nn.Sequential(OrderedDict(quantize=qnn.QuantIdentity(act_quant=input_quant), pool=layer))
    assert isinstance(layer, SUMS)
    options = {
        "bias": layer.bias is not None,
        "weight_quant": weight_quantizer(weight_bits, per_channel),
        "input_quant": input_quant,
    }
    result: Any
    if isinstance(layer, nn.Linear):
        result = qnn.QuantLinear(layer.in_features, layer.out_features, **options)
    else:
        convolution: Any = qnn.QuantConv1d if isinstance(layer, nn.Conv1d) else qnn.QuantConv2d
        for word in ("stride", "padding", "dilation", "groups", "padding_mode"):
            options[word] = getattr(layer, word)
        result = convolution(layer.in_channels, layer.out_channels, layer.kernel_size, **options)
    with torch.no_grad():
        result.weight.copy_(layer.weight)
        if layer.bias is not None:
            result.bias.copy_(layer.bias)
    made: nn.Module = result
    return made


def best_range(values: Tensor, bits: int, signed: bool) -> float:
    """The largest value to represent, for the least squared error of rounding and clipping `values` to `bits` bits.

    Tries 40 fractions of the largest magnitude. All-zero values give 1.0.
    """
    largest = float(values.abs().max())
    if largest == 0 or (signed and bits == 1):
        return largest or 1.0
    steps = (1 << (bits - 1)) - 1 if signed else (1 << bits) - 1
    best, least = largest, float("inf")
    for index in range(CLIP_CANDIDATES, 0, -1):
        reach = largest * index / CLIP_CANDIDATES
        scale = reach / steps
        rounded = torch.clamp(torch.round(values / scale), -steps if signed else 0, steps) * scale
        error = float(torch.mean((values - rounded) ** 2))
        if error < least:
            best, least = reach, error
    return best
