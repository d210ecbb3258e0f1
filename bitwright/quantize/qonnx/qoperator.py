"""onnxruntime's operators on integers: QLinearConv, QLinearMatMul, QGemm and their kin.

Products add up integers exactly, multiply the sums by one float32 and round to the nearest even. The others are read as
what they stand for: dequantize, compute in reals, quantize.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from bitwright.quantize.qonnx.builder import Builder
from bitwright.quantize.qonnx.convolutions import convolve
from bitwright.quantize.qonnx.elementwise import HANDLERS as ELEMENTWISE
from bitwright.quantize.qonnx.handler import Handler, Values
from bitwright.quantize.qonnx.joins import add, concat
from bitwright.quantize.qonnx.model import MICROSOFT, Array, Node
from bitwright.quantize.qonnx.pooling import average_pool, global_average_pool
from bitwright.quantize.qonnx.products import product
from bitwright.quantize.qonnx.qdq import dequantize_linear, quantize_linear, saturated
from bitwright.quantize.qonnx.quantizers import float32_constant
from bitwright.quantize.qonnx.sums import with_integer_bias
from bitwright.quantize.qonnx.value import Constant, Scaled, Value
from bitwright.quantize.qonnx.weights import read_weights
from bitwright.quantize.qonnx.windows import padded_window, read_window, spatial_source


def _zero_free(builder: Builder, node: Node, value: Value | None, zero: Value | None) -> Value:
    """The integers of an operand less its zero point."""
    if value is None:
        raise node.error("misses an operand", "check the graph by onnx.checker, and export it again")
    one = Constant(np.array(1, dtype=np.float32))
    found = dequantize_linear(builder, node, [value, one, zero])[0]
    assert found is not None
    return found


def _weights(builder: Builder, node: Node, value: Value | None, zero: Value | None, axis: int) -> Constant:
    """Integer weights less their zero points, one for the layer or one for each index of `axis`."""
    held = builder.constant(node, value, "weights").values
    if held.dtype.kind not in "iu":
        raise node.error(f"has weights in {held.dtype}", "give int8 or uint8")
    zeros = np.zeros(1, dtype=np.int64)
    if zero is not None:
        zeros = builder.constant(node, zero, "zero point of the weights").values.astype(np.int64).reshape(-1)
    if zeros.size > 1:
        spread = [1] * held.ndim
        spread[axis] = zeros.size
        zeros = zeros.reshape(spread)
    return Constant((held.astype(np.int64) - zeros).astype(np.float32))


def _inner(node: Node) -> Node:
    """The operator on reals inside a node, so that the rounding behind it has the node's names."""
    return replace(node, name=f"{node.name}_sums", outputs=(f"{node.outputs[0]}_sums",))


def _sums(builder: Builder, value: Scaled, bias: Array | None) -> Scaled:
    """The integer sums behind a product, with an integer bias: exact, and float32 in the end."""
    value = replace(value, terms=0)
    if bias is not None:
        taken_in = with_integer_bias(builder, value, bias)
        builder.shifted.clear()
        value = taken_in or value.then_affine(torch.nn.Identity(), 1.0, bias.astype(np.float64))
    slope, offset = (torch.from_numpy(np.array(part)) for part in value.parts())

    def real(integers: Tensor) -> Tensor:
        return (integers * slope + offset).float()

    return replace(value, steps=(real,))


def _requantized(
    builder: Builder, node: Node, value: Scaled, factor: Array, target: Value | None, zero: Value | None
) -> Value:
    """Sums times `factor` (1,) or (channels,) in float32, rounded to the type of the output's zero point."""
    step = float32_constant(builder, node, target, "scale of the output")
    if step.size != 1 or not np.all(step > 0) or not np.all(factor > 0):
        raise node.error("has a scale that is not above 0, or several for its output", "calibrate or train it")
    zeros = np.zeros((), dtype=np.uint8) if zero is None else builder.constant(node, zero, "zero point").values
    if zeros.size != 1:
        raise node.error("has several zero points for its output", "use one")
    held = torch.from_numpy(np.array(np.broadcast_to(factor / step.reshape(()), (value.channels,))))
    scaled = value.then_affine(lambda x: x * held, held.double().numpy(), 0.0)
    return saturated(
        builder, node, scaled, np.ones(1, dtype=np.float32), zeros.reshape(1).astype(np.int64), zeros.dtype
    )


def _factor(builder: Builder, node: Node, first: Value | None, second: Value | None) -> Array:
    scale = float32_constant(builder, node, first, "scale of the input")
    if scale.size != 1:
        raise node.error("has several scales for its input", "use one")
    factor: Array = scale.reshape(()) * float32_constant(builder, node, second, "scale of the weights").reshape(-1)
    return factor


def _bias(builder: Builder, node: Node, values: Values, place: int, outputs: int) -> Array | None:
    if len(values) <= place or values[place] is None:
        return None
    bias = builder.constant(node, values[place], "bias").values
    if bias.dtype.kind not in "iu" or bias.size not in (1, outputs):
        raise node.error(f"has a bias of shape {bias.shape} in {bias.dtype}", f"give {outputs} integers")
    return np.broadcast_to(bias.reshape(-1).astype(np.float64), (outputs,))


def _convolution(builder: Builder, node: Node, x: Values, w: Values) -> Scaled:
    """The sums of a convolution, channels first; operands with their zero points."""
    source = _zero_free(builder, node, x[0], x[1])
    weights = _weights(builder, node, w[0], w[1], 0)
    if weights.values.ndim not in (3, 4):
        raise node.error(f"has weights of shape {weights.values.shape}", "one or two spatial axes have a form here")
    weights = weights.moved(lambda array: np.moveaxis(array, 1, -1))
    value, pads, fill = spatial_source(builder, node, source, 1)
    if value.index.ndim != weights.values.ndim:
        raise node.error(f"has weights of shape {weights.values.shape} for {value.index.shape}", "repair them")
    window = padded_window(node, read_window(node, value.shape[:-1], weights.values.shape[1:-1]), pads, fill)
    return convolve(builder, node, value, weights, window, node.integer("group", 1), fill, 1)


def qlinear_conv(builder: Builder, node: Node, values: Values) -> tuple[Value, ...]:
    """QLinearConv, channels first."""
    made = _convolution(builder, _inner(node), [values[0], values[2]], [values[3], values[5]])
    sums = _sums(builder, made, _bias(builder, node, values, 8, made.channels))
    return (_requantized(builder, node, sums, _factor(builder, node, values[1], values[4]), values[6], values[7]),)


def conv_integer(builder: Builder, node: Node, values: Values) -> tuple[Value, ...]:
    """ConvInteger: the sums themselves."""
    x, w, x_zero, w_zero = (*values, None, None)[:4]
    return (_sums(builder, _convolution(builder, node, [x, x_zero], [w, w_zero]), None),)


def _matrix(builder: Builder, node: Node, x: Values, w: Values, transposed: bool) -> Scaled:
    source = builder.integers(node, _zero_free(builder, node, x[0], x[1]))
    weights = _weights(builder, node, w[0], w[1], 0 if transposed else 1)
    if weights.values.ndim != 2:
        raise node.error(f"has weights of shape {weights.values.shape}", "use a matrix")
    if not transposed:
        weights = weights.moved(np.transpose)
    if weights.values.shape[1] != source.index.shape[-1] or source.index.ndim < 2:
        raise node.error(f"multiplies {source.index.shape} by weights of {weights.values.shape[1]} inputs", "repair it")
    return product(builder, node, source, read_weights(node, weights), weights.values)


def qlinear_matmul(builder: Builder, node: Node, values: Values) -> tuple[Value, ...]:
    """QLinearMatMul by constant weights."""
    made = _matrix(builder, _inner(node), [values[0], values[2]], [values[3], values[5]], transposed=False)
    sums = _sums(builder, made, None)
    return (_requantized(builder, node, sums, _factor(builder, node, values[1], values[4]), values[6], values[7]),)


def matmul_integer(builder: Builder, node: Node, values: Values) -> tuple[Value, ...]:
    """MatMulInteger by constant weights: the sums themselves."""
    x, w, x_zero, w_zero = (*values, None, None)[:4]
    return (_sums(builder, _matrix(builder, node, [x, x_zero], [w, w_zero], transposed=False), None),)


def qgemm(builder: Builder, node: Node, values: Values) -> tuple[Value, ...]:
    """QGemm; without a scale for its output the result is real."""
    if node.integer("transA", 0) or node.real("alpha", 1.0) != 1.0:
        raise node.error("transposes its first input, or scales by alpha", "use transA=0 and alpha=1")
    turned = bool(node.integer("transB", 0))
    made = _matrix(builder, _inner(node), [values[0], values[2]], [values[3], values[5]], turned)
    sums = _sums(builder, made, _bias(builder, node, values, 6, made.channels))
    factor = _factor(builder, node, values[1], values[4])
    if len(values) > 7 and values[7] is not None:
        return (_requantized(builder, node, sums, factor, values[7], values[8] if len(values) > 8 else None),)
    held = torch.from_numpy(np.array(np.broadcast_to(factor, (sums.channels,))))
    return (sums.then_affine(lambda x: x * held, held.double().numpy(), 0.0),)


def _rounded(value: Value) -> Value:
    """The value, of which other implementations compute the reals with other roundings."""
    return replace(value, terms=max(value.terms, 2)) if isinstance(value, Scaled) else value


def _through_reals(inner: Handler, output: int) -> Handler:
    """An operator of one operand (x, scale, zero point) and an output scale and zero point from input `output` on."""

    def read(builder: Builder, node: Node, values: Values) -> tuple[Value, ...]:
        real = dequantize_linear(builder, node, values[:3])[0]
        result = _rounded(inner(builder, _inner(node), [real])[0])
        return quantize_linear(builder, node, [result, *values[output : output + 2]])

    return read


def qlinear_add(builder: Builder, node: Node, values: Values) -> tuple[Value, ...]:
    """QLinearAdd of two tensors."""
    parts: Values = [dequantize_linear(builder, node, values[place : place + 3])[0] for place in (0, 3)]
    return quantize_linear(builder, node, [_rounded(add(builder, _inner(node), parts)[0]), *values[6:8]])


def qlinear_concat(builder: Builder, node: Node, values: Values) -> tuple[Value, ...]:
    """QLinearConcat: scale and zero point of the output, then three inputs for each operand."""
    parts: Values = [dequantize_linear(builder, node, values[at : at + 3])[0] for at in range(2, len(values), 3)]
    return quantize_linear(builder, node, [concat(builder, _inner(node), parts)[0], *values[:2]])


def _channels_first(inner: Handler) -> Handler:
    def read(builder: Builder, node: Node, values: Values) -> tuple[Value, ...]:
        if node.integer("channels_last", 0):
            raise node.error("has channels_last=1", "use channels_last=0")
        return inner(builder, node, values)

    return read


HANDLERS: dict[tuple[str, str], Handler] = {
    ("", "QLinearConv"): qlinear_conv,
    ("", "QLinearMatMul"): qlinear_matmul,
    ("", "ConvInteger"): conv_integer,
    ("", "MatMulInteger"): matmul_integer,
    (MICROSOFT, "QGemm"): qgemm,
    (MICROSOFT, "QLinearAdd"): qlinear_add,
    (MICROSOFT, "QLinearConcat"): qlinear_concat,
    (MICROSOFT, "QLinearGlobalAveragePool"): _channels_first(_through_reals(global_average_pool, 3)),
    (MICROSOFT, "QLinearAveragePool"): _channels_first(_through_reals(average_pool, 3)),
    (MICROSOFT, "QLinearLeakyRelu"): _through_reals(ELEMENTWISE["", "LeakyRelu"], 3),
    (MICROSOFT, "QLinearSigmoid"): _through_reals(ELEMENTWISE["", "Sigmoid"], 3),
}
