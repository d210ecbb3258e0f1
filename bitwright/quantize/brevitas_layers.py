"""Reading Brevitas layers. Imported only once a module made of them is at hand, since Brevitas imports slowly."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bitwright.errors import LoweringError
from bitwright.graph import BIPOLAR, TERNARY, IntType
from bitwright.quantize.brevitas_nn import qnn
from bitwright.quantize.layers import channels_last
from bitwright.quantize.plan import QuantizerReading, SumsReading
from bitwright.quantize.tracing import real_tensor
from bitwright.quantize.value import RealFunction
from bitwright.quantize.window import Window, same_padding, symmetric

MONOTONE_ACTIVATIONS = (qnn.QuantReLU, qnn.QuantIdentity, qnn.QuantHardTanh, qnn.QuantSigmoid, qnn.QuantTanh)

FAR = 1e30
"""A real beyond every quantizer's range."""


def is_sums(layer: nn.Module) -> bool:
    """Whether `layer` is a QuantLinear, QuantConv1d or QuantConv2d."""
    return type(layer) in (qnn.QuantLinear, qnn.QuantConv1d, qnn.QuantConv2d)


def is_activation(layer: nn.Module) -> bool:
    """Whether `layer` is a monotone Brevitas activation."""
    return type(layer) in MONOTONE_ACTIVATIONS


def read_sums(name: str, layer: Any, quantized_input: object) -> SumsReading:
    """The integers of a linear layer or convolution; `quantized_input`, what it sees, is for a quantized bias."""
    if not layer.weight_quant.is_quant_enabled:
        raise LoweringError(name, "its weights are not quantized", "give it a weight_quant, or use integer_linear()")
    with torch.no_grad():
        weight = layer.quant_weight(quantized_input)
        values = real_tensor(weight)
        scale = weight.scale.reshape(-1)
        out = len(values)
        if scale.numel() not in (1, out):
            raise LoweringError(
                name, f"has {scale.numel()} weight scales", "use one for the layer or one for each output channel"
            )
        quotient = (values / scale.reshape(-1, *(1,) * (values.ndim - 1))).numpy()
        bias = None
        if layer.bias is not None:
            bias = real_tensor(layer.bias_quant(layer.bias, quantized_input, weight))
    integers = channels_last(np.rint(quotient).astype(np.int64))
    if np.any(np.abs(quotient - np.rint(quotient)) > 2.0**-20):
        raise LoweringError(name, "its weights are no multiples of their scale", "use an integer weight_quant")
    bits = int(weight.bit_width.item())

    def real(sums: Tensor, step: float | Tensor) -> Tensor:
        y = sums * (step * scale)
        result: Tensor = y if bias is None else y + bias.reshape(-1)
        return result

    return SumsReading(
        weights=integers,
        weight_type=_weight_type(integers, bits, bool(weight.signed)),
        slope=np.broadcast_to(scale.numpy(), (out,)),
        bias=np.zeros(out) if bias is None else np.broadcast_to(bias.reshape(-1).numpy(), (out,)),
        real=real,
        window=None if isinstance(layer, nn.Linear) else conv_window(name, layer),
    )


def is_trunc_pool(layer: nn.Module) -> bool:
    """Whether `layer` is an average pool that rounds its sums to fewer bits by itself."""
    pools = (qnn.TruncAvgPool2d, qnn.TruncAdaptiveAvgPool2d)
    return isinstance(layer, pools) and bool(layer.is_trunc_quant_enabled)


def read_trunc(name: str, layer: Any, quantized_input: Any) -> QuantizerReading:
    """The rounding behind the sums of a TruncAvgPool2d; its scale is that of its input times a power of two."""
    if not hasattr(quantized_input, "scale"):
        raise LoweringError(name, "its input is no QuantTensor", "set return_quant_tensor=True before it")
    pool = nn.AvgPool2d if isinstance(layer, nn.AvgPool2d) else nn.AdaptiveAvgPool2d
    with torch.no_grad():
        average: Any = pool.forward(layer, quantized_input)
        result: Any = layer.trunc_quant(average)
    if average.zero_point.any() or result.scale.numel() != 1:
        raise LoweringError(name, "its input has a zero point or several scales", "use one scale and no zero point")
    bits = int(result.bit_width.item())

    def function(x: Tensor) -> Tensor:
        return real_tensor(layer.trunc_quant(average.set(value=x)))

    dtype = IntType.signed_bits(bits) if bool(average.signed) else IntType.unsigned(bits)
    return QuantizerReading(dtype=dtype, scale=result.scale.detach().double().numpy().reshape(()), function=function)


def is_add(layer: nn.Module) -> bool:
    """Whether `layer` is a QuantEltwiseAdd."""
    return type(layer) is qnn.QuantEltwiseAdd


def conv_window(name: str, layer: nn.Conv1d | nn.Conv2d) -> Window:
    """Where the kernel of a convolution lies."""
    if layer.padding_mode != "zeros":
        raise LoweringError(name, f"pads by {layer.padding_mode}", 'use padding_mode="zeros"')
    if getattr(layer, "is_same_padded_strided", False):
        raise LoweringError(name, 'has padding="same" and a stride', "give the padding as numbers")
    axes = len(layer.kernel_size)
    if layer.padding == "same":
        pads = same_padding(layer.kernel_size, layer.dilation)
    else:
        pads = ((0, 0),) * axes if isinstance(layer.padding, str) else symmetric(layer.padding, axes)
    return Window(tuple(layer.kernel_size), tuple(layer.stride), pads, tuple(layer.dilation), layer.groups)


def _weight_type(integers: np.ndarray[Any, Any], bits: int, signed: bool) -> IntType:
    if bits == 1 and signed and np.all(integers != 0):
        return BIPOLAR
    if bits <= 2 and int(np.abs(integers).max()) <= 1:
        return TERNARY
    regular = IntType.signed_bits(bits) if signed else IntType.unsigned(bits)
    # A zero point shifts the integers away from the regular range.
    return IntType(min(regular.lo, int(integers.min())), max(regular.hi, int(integers.max())))


def input_quantizer(layer: Any) -> Any | None:
    """The quantizer that a Brevitas layer puts in front of itself, if any."""
    proxy = getattr(layer, "input_quant", None)
    return proxy if proxy is not None and proxy.is_quant_enabled else None


def output_quantizer(layer: Any) -> Any | None:
    """The quantizer that a QuantLinear puts behind itself, if any."""
    return layer.output_quant if layer.output_quant.is_quant_enabled else None


def read_activation(name: str, layer: Any) -> QuantizerReading | None:
    """The quantizer of an activation layer; None when its quantization is off."""
    if not layer.act_quant.is_quant_enabled:
        return None
    return read_proxy(name, layer.act_quant, lambda x: real_tensor(layer(x)))


def read_proxy(name: str, proxy: Any, function: RealFunction | None = None) -> QuantizerReading:
    """A quantizer proxy; `function` is the layer around it, by default the proxy itself."""
    fix = "use an integer quantizer with one scale for the tensor, or one for each channel of the last axis"
    call: RealFunction = function or (lambda x: real_tensor(proxy(x)))
    with torch.no_grad():
        found, zero_point, bits = proxy.scale(), proxy.zero_point(), proxy.bit_width()
    if found is None or bits is None:
        raise LoweringError(name, "its quantizer has no fixed integer scale", fix)
    scale = found.detach().double().numpy()
    axis = -1
    if scale.size != 1:
        wide = [one for one, length in enumerate(scale.shape) if length > 1]
        if len(wide) != 1:
            raise LoweringError(name, f"its quantizer has scales of shape {scale.shape}", fix)
        axis = wide[0] - scale.ndim
    shape = scale.shape if scale.size > 1 else (1,)
    scale = scale.reshape(()) if scale.size == 1 else scale.reshape(-1)
    if not np.all(np.isfinite(scale)) or np.any(scale <= 0):
        raise LoweringError(name, "its quantizer has a scale that is not above 0", "calibrate or train it")
    frames = (2, *(shape[1:] if len(shape) > 1 and shape[0] == 1 else shape))
    with torch.no_grad():
        points = torch.tensor([-FAR, FAR], dtype=torch.float64).reshape(2, *(1,) * (len(frames) - 1))
        ends = call(points.expand(frames).contiguous()).reshape(2, -1)
    quotient = ends.numpy() / scale
    integers = np.rint(quotient)
    if np.any(np.abs(quotient - integers) > 2.0**-20) or np.any(integers != integers[:, :1]):
        raise LoweringError(name, "its quantizer's values are no multiples of its scale", fix)
    lo, hi = int(integers[0, 0]), int(integers[1, 0])
    if int(bits.item()) == 1 and bool(proxy.is_signed) and (lo, hi) == (-1, 1) and not zero_point.any():
        return QuantizerReading(dtype=BIPOLAR, scale=scale, function=call, scale_axis=axis)
    return QuantizerReading(dtype=IntType(lo, hi), scale=scale, function=call, scale_axis=axis)


def unquantized(layer: Any) -> nn.Module | None:
    """The plain torch function of an activation whose quantization is off."""
    if type(layer) is qnn.QuantIdentity:
        return None
    plain: nn.Module = layer.act_quant.fused_activation_quant_proxy.activation_impl
    return plain
