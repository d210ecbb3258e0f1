"""Reading Brevitas layers. Imported only once a module made of them is at hand, since Brevitas imports slowly."""

from __future__ import annotations

from typing import Any

import brevitas.nn as qnn
import numpy as np
import torch
from torch import Tensor, nn

from bitwright.errors import LoweringError
from bitwright.graph import BIPOLAR, TERNARY, IntType
from bitwright.quantize.plan import LinearReading, QuantizerReading
from bitwright.quantize.tracing import real_tensor
from bitwright.quantize.value import RealFunction

MONOTONE_ACTIVATIONS = (qnn.QuantReLU, qnn.QuantIdentity, qnn.QuantHardTanh, qnn.QuantSigmoid, qnn.QuantTanh)

FAR = 1e30
"""A real beyond every quantizer's range."""


def is_linear(layer: nn.Module) -> bool:
    """Whether `layer` is a QuantLinear."""
    return type(layer) is qnn.QuantLinear


def is_activation(layer: nn.Module) -> bool:
    """Whether `layer` is a monotone Brevitas activation."""
    return type(layer) in MONOTONE_ACTIVATIONS


def read_linear(name: str, layer: Any, quantized_input: object) -> LinearReading:
    """The integers of a QuantLinear; `quantized_input` is what its input was on the example (for a quantized bias)."""
    if not layer.weight_quant.is_quant_enabled:
        raise LoweringError(name, "its weights are not quantized", "give it a weight_quant, or use integer_linear()")
    with torch.no_grad():
        weight = layer.quant_weight(quantized_input)
        values = real_tensor(weight)
        scale = weight.scale.reshape(-1)
        if scale.numel() not in (1, layer.out_features):
            raise LoweringError(
                name, f"has {scale.numel()} weight scales", "use one for the layer or one for each output channel"
            )
        quotient = (values / scale.reshape(-1, 1)).numpy()
        bias = None
        if layer.bias is not None:
            bias = real_tensor(layer.bias_quant(layer.bias, quantized_input, weight))
    integers = np.rint(quotient).astype(np.int64)
    if np.any(np.abs(quotient - integers) > 2.0**-20):
        raise LoweringError(name, "its weights are no multiples of their scale", "use an integer weight_quant")
    bits = int(weight.bit_width.item())
    out = layer.out_features

    def real(sums: Tensor, step: float) -> Tensor:
        y = sums * (step * scale)
        result: Tensor = y if bias is None else y + bias
        return result

    return LinearReading(
        weights=integers,
        weight_type=_weight_type(integers, bits, bool(weight.signed)),
        slope=np.broadcast_to(scale.numpy(), (out,)),
        bias=np.zeros(out) if bias is None else np.broadcast_to(bias.reshape(-1).numpy(), (out,)),
        real=real,
    )


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
    if scale.size != 1 and (scale.ndim > 2 or scale.size != scale.shape[-1]):
        raise LoweringError(name, f"its quantizer has scales of shape {scale.shape}", fix)
    scale = scale.reshape(()) if scale.size == 1 else scale.reshape(-1)
    if not np.all(np.isfinite(scale)) or np.any(scale <= 0):
        raise LoweringError(name, "its quantizer has a scale that is not above 0", "calibrate or train it")
    with torch.no_grad():
        ends = call(torch.tensor([[-FAR], [FAR]], dtype=torch.float64).expand(2, max(1, scale.size)))
    quotient = ends.numpy() / scale
    integers = np.rint(quotient)
    if np.any(np.abs(quotient - integers) > 2.0**-20) or np.any(integers != integers[:, :1]):
        raise LoweringError(name, "its quantizer's values are no multiples of its scale", fix)
    lo, hi = int(integers[0, 0]), int(integers[1, 0])
    if int(bits.item()) == 1 and bool(proxy.is_signed) and (lo, hi) == (-1, 1) and not zero_point.any():
        return QuantizerReading(dtype=BIPOLAR, scale=scale, function=call)
    return QuantizerReading(dtype=IntType(lo, hi), scale=scale, function=call)


def unquantized(layer: Any) -> nn.Module | None:
    """The plain torch function of an activation whose quantization is off."""
    if type(layer) is qnn.QuantIdentity:
        return None
    plain: nn.Module = layer.act_quant.fused_activation_quant_proxy.activation_impl
    return plain
