"""MatMul, Gemm and XnorPopcountMatMul: integer matrix products."""

from __future__ import annotations

import numpy as np
import torch

from bitwright.graph import Linear
from bitwright.quantize.qonnx.arranging import flatten
from bitwright.quantize.qonnx.builder import QUANTIZE_FIRST, Builder
from bitwright.quantize.qonnx.convolutions import columns_product
from bitwright.quantize.qonnx.exactness import exact_sums
from bitwright.quantize.qonnx.handler import Handler, Values
from bitwright.quantize.qonnx.model import QONNX, Array, Node
from bitwright.quantize.qonnx.sums import add_bias, sums
from bitwright.quantize.qonnx.value import Columns, Constant, Scaled, Value
from bitwright.quantize.qonnx.weights import Weights, read_weights


def product(builder: Builder, node: Node, value: Scaled, weights: Weights, reals: Array) -> Scaled:
    """The value behind a Linear over the last ONNX axis; `weights` (out, in), `reals` what they stand for."""
    value = last_axis(builder, node, builder.materialized(node, value))
    builder.check_width(node, value)
    step = value.uniform_slope
    if step is None or value.offset is None:
        raise node.error("has an input with different scales in its channels", QUANTIZE_FIRST)
    # Channel c of the integer tensor is element order[c] of the last ONNX axis.
    order = np.argsort(value.index.reshape(-1, value.channels)[0])
    integers = weights.integers[:, order]
    tensor, bounds = builder.linear(node, value.tensor, integers)
    operation = builder.operations[-1]
    assert isinstance(operation, Linear)
    sums_type = operation.accumulator_type(builder.specs[value.tensor].dtype)
    largest = max(-sums_type.lo, sums_type.hi) * abs(step) * float(np.abs(weights.scales).max())
    exact = exact_sums(value, reals[:, order], largest=largest)
    exact = exact and np.array_equal(reals, weights.integers * weights.scales[:, None])
    shape = (*value.shape[:-1], len(integers))
    offset = (integers * weights.scales[:, None]) @ value.offset
    return sums(builder, tensor, shape, bounds, value, step * weights.scales, offset, integers.shape[1], exact)


def last_axis(builder: Builder, node: Node, value: Scaled) -> Scaled:
    """The value with its channels along the last ONNX axis, in the same order everywhere."""
    channels = value.index.shape[-1]
    if channels == value.channels and value.index.size == value.index.shape[0] * int(np.prod(value.shape)):
        rows = value.index.reshape(-1, channels)
        base = np.arange(len(rows))[:, None] * channels
        if value.index.shape[1:-1] == value.shape[:-1] and np.array_equal(
            rows - base, np.broadcast_to(rows[:1], rows.shape)
        ):
            return value
    if value.index.ndim == 2:
        return flatten(builder, node, value)
    raise node.error(
        f"multiplies along an axis of {value.index.shape} that is not the channels", "transpose to channels last first"
    )


def _split(builder: Builder, node: Node, values: Values) -> tuple[Scaled, Constant]:
    left, right = values[0], values[1]
    if isinstance(left, Constant):
        raise node.error("multiplies a constant by a tensor", "transpose both, so that the constant comes second")
    if right is not None and not isinstance(right, Constant):
        raise node.error("multiplies two tensors", "products of activations (attention) have no form here")
    assert left is not None
    return builder.integers(node, left), builder.constant(node, right, "weights")


def matmul(builder: Builder, node: Node, values: Values) -> tuple[Value, ...]:
    """`x @ W` over the last axis."""
    if isinstance(values[0], Columns):
        return (columns_product(builder, node, values[0], builder.constant(node, values[1], "weights")),)
    value, constant = _split(builder, node, values)
    if constant.values.ndim != 2 or value.index.ndim < 2 or len(constant.values) != value.index.shape[-1]:
        raise node.error(
            f"multiplies {value.index.shape} by {constant.values.shape}", "use weights of shape (inputs, outputs)"
        )
    constant = constant.moved(np.transpose)
    return (product(builder, node, value, read_weights(node, constant), constant.values),)


def gemm(builder: Builder, node: Node, values: Values) -> tuple[Value, ...]:
    """`alpha * x @ W + beta * bias`, W transposed or not."""
    value, constant = _split(builder, node, values)
    if node.integer("transA", 0):
        raise node.error("transposes its first input", "use transA=0")
    if node.real("alpha", 1.0) != 1.0 or node.real("beta", 1.0) != 1.0:
        raise node.error("scales by alpha or beta", "use alpha=1 and beta=1, and Mul nodes")
    if constant.values.ndim != 2 or value.index.ndim != 2:
        raise node.error(f"multiplies {value.index.shape} by {constant.values.shape}", "use a matrix")
    if not node.integer("transB", 0):
        constant = constant.moved(np.transpose)
    if constant.values.shape[1] != value.index.shape[1]:
        raise node.error(f"has weights for {constant.values.shape[1]} inputs of {value.index.shape[1]}", "repair it")
    result = product(builder, node, value, read_weights(node, constant), constant.values)
    if len(values) > 2 and values[2] is not None:
        bias = builder.constant(node, values[2], "bias").values
        if bias.size not in (1, result.channels):
            raise node.error(
                f"has a bias of shape {bias.shape}", f"use one number for each of {result.channels} outputs"
            )
        result = add_bias(
            builder, result, np.broadcast_to(bias.reshape(-1), (result.channels,)), constant.values.shape[1]
        )
    return (result,)


def xnor_popcount(builder: Builder, node: Node, values: Values) -> tuple[Value, ...]:
    """The count of equal bits of {0, 1} inputs and weights: half of (K + the product of the signs)."""
    value, constant = _split(builder, node, values)
    if not np.all(np.isin(constant.values, (0, 1))) or constant.values.ndim != 2:
        raise node.error("has weights other than 0 and 1", "use MatMul for them")
    real = value.real(np.stack([value.lo, value.hi])).numpy()
    if not np.all(np.isin(real, (0, 1))) or np.any(value.hi - value.lo > 2) or value.slope is None:
        raise node.error("has inputs other than 0 and 1", "use MatMul for them")
    signs = value.then_affine(lambda x: 2 * x - 1, 2.0, -1.0)
    weights = Constant((2 * constant.values - 1).T.astype(np.float32))
    half = torch.tensor(0.5, dtype=torch.float32)
    fan_in = float(constant.values.shape[0])
    result = product(builder, node, signs, read_weights(node, weights), weights.values)
    return (result.then_affine(lambda x: (x + fan_in) * half, 0.5, fan_in / 2),)


HANDLERS: dict[tuple[str, str], Handler] = {
    ("", "MatMul"): matmul,
    ("", "Gemm"): gemm,
    (QONNX, "XnorPopcountMatMul"): xnor_popcount,
}
