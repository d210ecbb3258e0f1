"""Conv, channels first and last, and Im2Col with a MatMul behind it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bitwright.graph import Conv
from bitwright.quantize.qonnx.arranging import from_channels_last
from bitwright.quantize.qonnx.builder import QUANTIZE_FIRST, Builder, weight_type
from bitwright.quantize.qonnx.exactness import exact_sums
from bitwright.quantize.qonnx.handler import Handler, Values
from bitwright.quantize.qonnx.model import CHANNELS_LAST, QONNX, Array, Node
from bitwright.quantize.qonnx.sums import add_bias, sums
from bitwright.quantize.qonnx.value import Columns, Constant, Scaled, Value, Window, plain_index
from bitwright.quantize.qonnx.weights import read_weights
from bitwright.quantize.qonnx.windows import pad_integer, padded_window, read_window, spatial_source


def conv(builder: Builder, node: Node, values: Values) -> tuple[Value, ...]:
    """Conv; in the channels-last domain its input and weights are (..., channels)."""
    last = node.domain == CHANNELS_LAST
    assert values[0] is not None
    weights = builder.constant(node, values[1], "weights")
    if weights.values.ndim not in (3, 4):
        raise node.error(f"has weights of shape {weights.values.shape}", "one or two spatial axes have a form here")
    if not last:
        weights = weights.moved(lambda array: np.moveaxis(array, 1, -1))
    axis = weights.values.ndim - 1 if last else 1
    value, pads, fill = spatial_source(builder, node, values[0], axis)
    kernel = weights.values.shape[1:-1]
    stated = node.integers("kernel_shape", None)
    if value.index.ndim != weights.values.ndim or (stated is not None and tuple(stated) != kernel):
        raise node.error(f"has weights of shape {weights.values.shape} for {value.index.shape}", "repair them")
    window = padded_window(node, read_window(node, value.shape[:-1], kernel), pads, fill)
    bias = None
    if len(values) > 2 and values[2] is not None:
        bias = builder.constant(node, values[2], "bias").values
        if bias.shape != (len(weights.values),):
            raise node.error(f"has a bias of shape {bias.shape}", f"give {len(weights.values)} numbers")
    result = convolve(builder, node, value, weights, window, node.integer("group", 1), fill, axis)
    return (result if bias is None else add_bias(builder, result, bias, 1),)


def convolve(
    builder: Builder,
    node: Node,
    value: Scaled,
    weights: Constant,
    window: Window,
    groups: int,
    fill: float,
    axis: int,
) -> Scaled:
    """The value behind a Conv operation; `weights` (out, *kernel, in / groups), padding of the real value `fill`."""
    value = builder.materialized(node, value, uniform=False)
    builder.check_width(node, value)
    outputs, inputs = len(weights.values), weights.values.shape[-1]
    if groups < 1 or outputs % groups or inputs * groups != value.channels:
        raise node.error(f"has weights of shape {weights.values.shape} for {value.channels} channels", "repair them")
    slopes = value.parts()[0].reshape(groups, -1)
    if np.any(slopes != slopes[:, :1]) or np.any(slopes == 0):
        raise node.error("adds up channels of different scales", QUANTIZE_FIRST)
    read = read_weights(node, weights)
    padding = any(any(pair) for pair in window.pads)
    pad_value = pad_integer(node, value, fill) if padding else 0
    source = value.tensor
    tensor = builder.emit(
        node,
        lambda name, output: Conv(
            name=name,
            inputs=(source,),
            output=output,
            weights=read.integers,
            weight_type=weight_type(read.integers),
            stride=window.stride,
            padding=window.pads,
            dilation=window.dilation,
            groups=groups,
            pad_value=pad_value,
        ),
        name=node.name,
    )
    operation = builder.operations[-1]
    assert isinstance(operation, Conv)
    lows, highs = operation.bounds(builder.specs[source])
    shape = builder.specs[tensor].shape
    steps = np.repeat(slopes[:, 0], outputs // groups)
    real = (read.integers * read.scales.reshape(-1, *(1,) * (read.integers.ndim - 1))).astype(np.float64)
    sums_type = operation.accumulator_type(builder.specs[source])
    largest = max(-sums_type.lo, sums_type.hi) * float(np.abs(steps).max() * np.abs(read.scales).max())
    exact = exact_sums(value, weights.values.reshape(outputs, -1), fill, largest)
    exact = exact and np.array_equal(weights.values, real)
    result = sums(
        builder,
        tensor,
        shape,
        (np.array(lows, dtype=np.int64), np.array(highs, dtype=np.int64)),
        value,
        steps * read.scales,
        _offsets(value, real, groups),
        int(np.prod(read.integers.shape[1:])),
        exact,
    )
    return _placed(result, axis)


def _offsets(value: Scaled, weights: Array, groups: int) -> Array:
    """What the offsets of the input's channels add to each output."""
    grouped = weights.reshape(groups, len(weights) // groups, -1, weights.shape[-1]).sum(axis=2)
    return np.asarray(np.einsum("goi,gi->go", grouped, value.parts()[1].reshape(groups, -1)).reshape(-1))


def _placed(value: Scaled, axis: int) -> Scaled:
    return replace(value, index=from_channels_last(plain_index(value.shape), axis))


def im2col(builder: Builder, node: Node, values: Values) -> tuple[Value, ...]:
    """Im2Col on (1, height, width, channels): windows side by side, for the MatMul behind it."""
    assert values[0] is not None
    value, pads, fill = spatial_source(builder, node, values[0], 3)
    kernel, stride = node.integers("kernel_size", None), node.integers("stride", None)
    dilation = node.integers("dilations", [1, 1])
    amount = node.integers("pad_amount", [0, 0, 0, 0]) or [0, 0, 0, 0]
    if (
        value.index.ndim != 4
        or not all(part and len(part) == 2 for part in (kernel, stride, dilation))
        or len(amount) != 4
    ):
        raise node.error("has no kernel_size, stride and pad_amount for two axes", "repair them")
    own_fill = float(node.integer("pad_value", 0))
    own = tuple((amount[place], amount[place + 2]) for place in range(2))
    if any(any(pair) for pair in pads) and any(any(pair) for pair in own) and fill != own_fill:
        raise node.error(f"pads with {own_fill:g} behind a Pad with {fill:g}", "pad in one place")
    both = tuple((a + c, b + d) for (a, b), (c, d) in zip(pads, own, strict=True))
    window = Window(tuple(kernel or ()), tuple(stride or ()), both, tuple(dilation or ()))
    filled = own_fill if any(any(pair) for pair in own) else fill
    return (Columns(value, window, filled),)


def columns_product(builder: Builder, node: Node, columns: Columns, constant: Constant) -> Scaled:
    """A MatMul behind an Im2Col: a Conv. `constant` (kernel height * width * channels, out)."""
    kernel, channels = columns.window.kernel, columns.inner.channels
    if constant.values.ndim != 2 or len(constant.values) != int(np.prod(kernel)) * channels:
        raise node.error(f"has weights of shape {constant.values.shape} behind an Im2Col", "repair them")
    weights = constant.moved(lambda array: array.T.reshape(-1, *kernel, channels))
    values = weights.values
    outputs = len(values)
    crossing = values.copy()
    crossing[np.arange(outputs), ..., np.arange(outputs) % channels] = 0
    if outputs == channels and not np.any(crossing):
        # A depthwise convolution, written as a matrix with one channel in each column.
        weights = weights.moved(lambda array: array[np.arange(outputs), ..., np.arange(outputs)][..., None])
        return convolve(builder, node, columns.inner, weights, columns.window, channels, columns.fill, 3)
    return convolve(builder, node, columns.inner, weights, columns.window, 1, columns.fill, 3)


HANDLERS: dict[tuple[str, str], Handler] = {
    ("", "Conv"): conv,
    (CHANNELS_LAST, "Conv"): conv,
    (QONNX, "Im2Col"): im2col,
}
