"""Arithmetic with constants, BatchNormalization, and activation functions without a quantizer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from bitwright.quantize.qonnx.arranging import per_channel
from bitwright.quantize.qonnx.builder import QUANTIZE_FIRST, Builder
from bitwright.quantize.qonnx.handler import Handler, Values
from bitwright.quantize.qonnx.inputs import per_input_channel
from bitwright.quantize.qonnx.model import CHANNELS_LAST, Array, Node
from bitwright.quantize.qonnx.sums import with_integer_bias
from bitwright.quantize.qonnx.value import Constant, RealInput, Scaled, Value
from bitwright.quantize.value import RealFunction


def arithmetic(builder: Builder, node: Node, values: Values) -> tuple[Value, ...]:
    """Add, Sub, Mul or Div of a tensor and a constant."""
    if len(values) != 2:
        raise node.error(f"has {len(values)} inputs", "use two")
    first, second = values
    tensors = [one for one in values if not isinstance(one, Constant)]
    if len(tensors) != 1 or first is None or second is None:
        raise node.error("combines two tensors", "only Add of quantized tensors has a form here")
    swapped = isinstance(first, Constant)
    constant = first if isinstance(first, Constant) else second
    assert isinstance(constant, Constant)
    array = _real_constant(node, constant)
    source = second if swapped else first
    if isinstance(source, RealInput):
        return (_on_input(node, source, array, swapped),)
    value, reals = per_channel(builder, node, builder.integers(node, source), array, "a constant")
    if node.kind == "Add":
        taken_in = with_integer_bias(builder, value, reals)
        if taken_in is not None:
            return (taken_in,)
    return (_apply(node, value, reals, swapped),)


def _real_constant(node: Node, constant: Constant) -> Array:
    if constant.values.dtype != np.float32:
        raise node.error(f"computes in {constant.values.dtype}", "export in float32")
    if not np.all(np.isfinite(constant.values)):
        raise node.error("has a constant that is NaN or infinite", "repair it")
    return constant.values


def _apply(node: Node, value: Scaled, reals: Array, swapped: bool) -> Scaled:
    constant = torch.from_numpy(np.array(reals))
    wide = reals.astype(np.float64)
    if node.kind == "Add":
        return value.then_affine(lambda x: x + constant, 1.0, wide)
    if node.kind == "Sub":
        if swapped:
            return value.then_affine(lambda x: constant - x, -1.0, wide)
        return value.then_affine(lambda x: x - constant, 1.0, -wide)
    if node.kind == "Mul":
        return value.then_affine(lambda x: x * constant, wide, 0.0)
    if swapped:
        raise node.error("divides by a tensor", "divide by a constant")
    if np.any(reals == 0):
        raise node.error("divides by 0", "use another constant")
    return value.then_affine(lambda x: x / constant, 1.0 / wide, 0.0)


def _on_input(node: Node, source: RealInput, array: Array, swapped: bool) -> RealInput:
    reals = per_input_channel(node, source, array, "a constant")
    constant = torch.from_numpy(np.array(reals))
    kind, number = node.kind, float(reals[0])
    if kind == "Div" and swapped:
        raise node.error("divides by a tensor", "divide by a constant")
    if kind in ("Mul", "Div") and np.any(reals == 0):
        raise node.error("scales the input by 0", "use another constant")
    steps: dict[str, RealFunction] = {
        "Add": lambda x: x + constant,
        "Sub": (lambda x: constant - x) if swapped else (lambda x: x - constant),
        "Mul": lambda x: x * constant,
        "Div": lambda x: x / constant,
    }
    result = source.then(steps[kind], uniform=reals.size == 1)
    if kind == "Add" or (kind == "Sub" and not swapped):
        return replace(result, addend=source.addend + (number if kind == "Add" else -number))
    if kind == "Sub":
        return replace(result, multiplier=-source.multiplier, addend=number - source.addend)
    if kind == "Mul":
        return replace(result, multiplier=source.multiplier * number, addend=source.addend * number)
    return replace(result, divisor=source.divisor * number, addend=source.addend / number)


def batch_normalization(builder: Builder, node: Node, values: Values) -> tuple[Value, ...]:
    """BatchNormalization with constant statistics, as onnxruntime computes it: one product and one sum."""
    if node.integer("training_mode", 0) or len(values) != 5 or not all(node.outputs[:1]):
        raise node.error("takes its statistics from the batch", "export in evaluation mode")
    source = values[0]
    assert source is not None
    value = source if isinstance(source, RealInput) else builder.integers(node, source)
    names = ("scale", "bias", "mean", "variance")
    held = [
        _real_constant(node, builder.constant(node, one, name)) for one, name in zip(values[1:], names, strict=True)
    ]
    gamma, beta, mean, variance = held
    axis = value.index.ndim - 1 if node.domain == CHANNELS_LAST else 1
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse: Array = (np.float32(1) / np.sqrt(variance + np.float32(node.real("epsilon", 1e-5)))).astype(np.float32)
    if not np.all(np.isfinite(inverse)):
        raise node.error("has a variance below 0", "train again or repair it")
    if isinstance(value, Scaled) and value.terms:
        inverse = 1.0 / np.sqrt(variance.astype(np.float64) + node.real("epsilon", 1e-5))
    slope = inverse * gamma
    offset = beta - mean * slope
    shape = [1] * value.index.ndim
    shape[axis] = slope.size
    if isinstance(value, RealInput):
        slope = per_input_channel(node, value, slope.reshape(shape), "a scale")
        offset = per_input_channel(node, value, offset.reshape(shape), "an offset")
        factor, shift = torch.from_numpy(np.array(slope)), torch.from_numpy(np.array(offset))
        return (value.then(lambda x: x * factor + shift, uniform=slope.size == 1),)
    value, slope = per_channel(builder, node, value, slope.reshape(shape), "a scale")
    value, offset = per_channel(builder, node, value, offset.reshape(shape), "an offset")
    factor, shift = torch.from_numpy(np.array(slope)), torch.from_numpy(np.array(offset))
    wide = slope.astype(np.float64)
    result = value.then_affine(lambda x: x * factor + shift, wide, offset.astype(np.float64))
    # Executors may subtract the mean first, or fold it into the offset.
    value, middle = per_channel(builder, node, value, mean.reshape(shape), "a mean")
    centred = value.then_affine(lambda x: x, 1.0, -middle.astype(np.float64)).shifts()[1]
    return (replace(result, widest_shift=np.maximum(result.shifts()[1], centred)),)


def relu(builder: Builder, node: Node, values: Values) -> tuple[Value, ...]:
    """Relu."""
    if isinstance(values[0], RealInput):
        return (values[0].then(torch.relu),)
    return (_source(builder, node, values).then_clip(torch.relu),)


def clip(builder: Builder, node: Node, values: Values) -> tuple[Value, ...]:
    """Clip; its bounds are attributes up to operator set 10, inputs from 11 on."""
    bounds: list[float | None] = [node.attributes.get("min"), node.attributes.get("max")]
    for place, one in enumerate(values[1:3]):
        if one is not None:
            held = builder.constant(node, one, "bound").values
            if held.size != 1:
                raise node.error("clips between tensors", "clip between numbers")
            bounds[place] = float(held.item())
    low, high = bounds
    if low is None and high is None:
        return (_source(builder, node, values),)
    source = values[0]
    if isinstance(source, RealInput):
        return (source.then(lambda x: torch.clamp(x, low, high)),)
    return (_source(builder, node, values).then_clip(lambda x: torch.clamp(x, low, high)),)


def bound(builder: Builder, node: Node, values: Values) -> tuple[Value, ...]:
    """Max or Min of a tensor and a constant."""
    constants = [one for one in values if isinstance(one, Constant)]
    tensors = [one for one in values if not isinstance(one, Constant)]
    if len(constants) != 1 or len(tensors) != 1 or tensors[0] is None:
        raise node.error(f"compares {len(tensors)} tensors", "use the largest or least of a tensor and a constant")
    reals = _real_constant(node, constants[0])
    least = node.kind == "Max"
    if isinstance(tensors[0], RealInput):
        held = torch.from_numpy(np.array(per_input_channel(node, tensors[0], reals, "bounds")))
        step: RealFunction = (lambda x: torch.maximum(x, held)) if least else (lambda x: torch.minimum(x, held))
        return (tensors[0].then(step, uniform=held.numel() == 1),)
    value, reals = per_channel(builder, node, builder.integers(node, tensors[0]), reals, "bounds")
    bounds = torch.from_numpy(np.array(reals))
    if least:
        return (value.then_clip(lambda x: torch.maximum(x, bounds.to(x.dtype))),)
    return (value.then_clip(lambda x: torch.minimum(x, bounds.to(x.dtype))),)


def negate(builder: Builder, node: Node, values: Values) -> tuple[Value, ...]:
    """Neg."""
    if isinstance(values[0], RealInput):
        return (replace(values[0].then(torch.neg), multiplier=-values[0].multiplier, addend=-values[0].addend),)
    return (_source(builder, node, values).then_affine(torch.neg, -1.0, 0.0),)


def leaky_relu(builder: Builder, node: Node, values: Values) -> tuple[Value, ...]:
    """LeakyRelu with a slope from 0 on."""
    slope = torch.tensor(node.real("alpha", 0.01), dtype=torch.float32)
    if slope < 0:
        raise node.error("is not monotone (alpha below 0)", "use an alpha of 0 or more")
    return (_source(builder, node, values).then_monotone(lambda x: torch.where(x < 0, x * slope, x)),)


def p_relu(builder: Builder, node: Node, values: Values) -> tuple[Value, ...]:
    """PRelu with constant slopes from 0 on."""
    slopes = _real_constant(node, builder.constant(node, values[1], "slope"))
    if np.any(slopes < 0):
        raise node.error("is not monotone (a slope below 0)", "use slopes of 0 or more")
    value = _source(builder, node, values)
    if slopes.ndim < value.index.ndim and slopes.ndim > 0 and slopes.size != 1:
        slopes = slopes.reshape((1,) * (value.index.ndim - slopes.ndim) + slopes.shape)
    value, slopes = per_channel(builder, node, value, slopes, "slopes")
    factor = torch.from_numpy(np.array(slopes))
    return (value.then_monotone(lambda x: torch.where(x < 0, x * factor, x)),)


def _monotone(function: Callable[[Tensor], Tensor]) -> Handler:
    def read(builder: Builder, node: Node, values: Values) -> tuple[Value, ...]:
        return (_source(builder, node, values).then_monotone(function),)

    return read


def hard_sigmoid(builder: Builder, node: Node, values: Values) -> tuple[Value, ...]:
    """HardSigmoid: alpha * x + beta, clipped to [0, 1]."""
    alpha = torch.tensor(node.real("alpha", 0.2), dtype=torch.float32)
    beta = torch.tensor(node.real("beta", 0.5), dtype=torch.float32)
    if alpha < 0:
        raise node.error("falls (alpha below 0)", "use an alpha of 0 or more")
    return (_source(builder, node, values).then_monotone(lambda x: torch.clamp(x * alpha + beta, 0.0, 1.0)),)


def _source(builder: Builder, node: Node, values: Values) -> Scaled:
    source = values[0]
    assert source is not None
    if isinstance(source, RealInput):
        raise node.error("works on the real input of the graph", QUANTIZE_FIRST + ", or give input_type")
    return builder.integers(node, source)


HANDLERS: dict[tuple[str, str], Handler] = {
    ("", "Mul"): arithmetic,
    ("", "Div"): arithmetic,
    ("", "BatchNormalization"): batch_normalization,
    (CHANNELS_LAST, "BatchNormalization"): batch_normalization,
    ("", "Relu"): relu,
    ("", "Clip"): clip,
    ("", "Max"): bound,
    ("", "Min"): bound,
    ("", "Neg"): negate,
    ("", "LeakyRelu"): leaky_relu,
    ("", "PRelu"): p_relu,
    ("", "HardSigmoid"): hard_sigmoid,
    ("", "Sigmoid"): _monotone(torch.sigmoid),
    ("", "Tanh"): _monotone(torch.tanh),
    ("", "Softsign"): _monotone(functional.softsign),
    ("", "Softplus"): _monotone(functional.softplus),
    ("", "Elu"): _monotone(functional.elu),
    ("", "Erf"): _monotone(torch.erf),
}
