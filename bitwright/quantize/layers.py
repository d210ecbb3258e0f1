"""Reading the layers of torch.nn and bitwright: integer weights, quantizers, and functions between them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from bitwright.errors import LoweringError
from bitwright.graph import BIPOLAR, TERNARY, IntArray, IntType
from bitwright.quantize.binary_activation import BinaryActivation
from bitwright.quantize.binary_conv import BinaryConv
from bitwright.quantize.binary_input import BinaryInput
from bitwright.quantize.binary_linear import BinaryLinear
from bitwright.quantize.plan import QuantizerReading, SumsReading
from bitwright.quantize.pooling import POOLS
from bitwright.quantize.quantized_conv import QuantizedConv
from bitwright.quantize.ternary_linear import TernaryLinear
from bitwright.quantize.thermometer_input import ThermometerInput
from bitwright.quantize.value import IntegerValue

NOTHING = (nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout)
"""Layers that do nothing in eval mode."""

CLIPS = (nn.ReLU, nn.ReLU6, nn.Hardtanh)
"""The identity on an interval, constant outside."""

PADS = (nn.ZeroPad1d, nn.ZeroPad2d, nn.ConstantPad1d, nn.ConstantPad2d)
"""Layers that put constants around an image."""

CHANNELS_FIRST = (
    QuantizedConv, ThermometerInput, nn.Conv1d, nn.Conv2d, nn.BatchNorm1d, nn.BatchNorm2d, nn.Upsample, *POOLS, *PADS,
)  # fmt: skip
"""Layers whose input has its channels in axis 1."""

MONOTONE = (nn.Sigmoid, nn.Tanh, nn.Hardsigmoid, nn.Softsign)
"""Never falling, neither affine nor a clip."""


def read_sums(layer: BinaryLinear | TernaryLinear | QuantizedConv) -> SumsReading:
    """The integers of a binary or ternary layer."""
    with torch.no_grad():
        integers = channels_last(layer.quantized_weight().numpy().astype(np.int64))
        alpha = layer.weight_scale()
    bias = None if layer.bias is None else layer.bias.detach()
    out = len(integers)

    def real(sums: Tensor, step: float | Tensor) -> Tensor:
        y = sums * step
        if alpha is not None:
            y = y * alpha
        return y if bias is None else y + bias

    return SumsReading(
        weights=integers,
        weight_type=BIPOLAR if isinstance(layer, BinaryLinear | BinaryConv) else TERNARY,
        slope=np.broadcast_to(1.0 if alpha is None else alpha.numpy(), (out,)),
        bias=np.zeros(out) if bias is None else bias.numpy(),
        real=real,
        window=layer.window if isinstance(layer, QuantizedConv) else None,
    )


def channels_last(weights: IntArray) -> IntArray:
    """PyTorch's (out, in / groups, *kernel) as (out, *kernel, in / groups)."""
    return np.ascontiguousarray(np.moveaxis(weights, 1, -1))


def read_quantizer(layer: BinaryActivation | BinaryInput) -> QuantizerReading:
    """A sign."""
    return QuantizerReading(dtype=BIPOLAR, scale=np.array(1.0), function=layer)


def read_pixels(layer: ThermometerInput) -> QuantizerReading:
    """What a thermometer does to its pixels first."""
    scale = layer.scale

    def function(x: Tensor) -> Tensor:
        return layer.pixels(x) * scale

    return QuantizerReading(dtype=IntType.unsigned(layer.bits), scale=np.array(scale), function=function)


def after_layer(name: str, layer: nn.Module, value: IntegerValue) -> IntegerValue | None:
    """`value` after a layer that is neither linear nor a quantizer; None for a layer that is not known here."""
    if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
        return _after_batch_norm(name, layer, value)
    if type(layer) in CLIPS:
        return value.then_clip(layer)
    if type(layer) in MONOTONE:
        return value.then_monotone(layer)
    if type(layer) is nn.LeakyReLU:
        if layer.negative_slope < 0:
            raise LoweringError(name, "is not monotone (negative slope below 0)", "use a slope of 0 or more")
        return value.then_monotone(layer)
    return None


def _after_batch_norm(name: str, layer: nn.BatchNorm1d | nn.BatchNorm2d, value: IntegerValue) -> IntegerValue:
    if layer.running_mean is None or layer.running_var is None:
        raise LoweringError(name, "takes its statistics from the batch", "use a BatchNorm with track_running_stats")
    if value.layout.channel_axis != 0:
        raise LoweringError(
            name,
            f"works on axis 1 of {('batch', *value.layout.module_shape)}, which are no channels",
            "flatten before it, or put the channels there",
        )
    with torch.no_grad():
        slope = 1.0 / torch.sqrt(layer.running_var + layer.eps)
        if layer.weight is not None:
            slope = slope * layer.weight
        offset = -layer.running_mean * slope
        if layer.bias is not None:
            offset = offset + layer.bias
    if not bool(torch.isfinite(slope).all()):
        raise LoweringError(name, "has a running variance below 0", "train again or repair it")
    return value.then_affine(layer, slope.numpy(), offset.numpy())
