"""MaxPool, AveragePool, global pools and reductions over spatial axes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from bitwright.graph import IntType, MaxPool, Requant, SumPool
from bitwright.quantize.qonnx.arranging import channels_last, from_channels_last, in_order
from bitwright.quantize.qonnx.builder import Builder
from bitwright.quantize.qonnx.exactness import exact_sums
from bitwright.quantize.qonnx.handler import Handler, Values
from bitwright.quantize.qonnx.model import CHANNELS_LAST, QONNX, Node
from bitwright.quantize.qonnx.shapes import moved
from bitwright.quantize.qonnx.value import Constant, Padded, Scaled, Unavailable, Value, Window, plain_index
from bitwright.quantize.qonnx.windows import pad_integer, padded_window, read_window, spatial_source


def max_pool(builder: Builder, node: Node, values: Values) -> tuple[Value, ...]:
    """MaxPool, channels first or last."""
    last = node.domain in (CHANNELS_LAST, QONNX)
    axis = _channel_axis(builder, node, values, last)
    assert values[0] is not None
    value, pads, fill = spatial_source(builder, node, values[0], axis)
    kernel = tuple(node.integers("kernel_shape", None) or ())
    window = read_window(node, value.shape[:-1], kernel)
    if any(any(pair) for pair in pads):
        value = rising(builder, node, value)
        if pad_integer(node, value, fill) > int(value.lo.min()):
            raise node.error(f"follows a Pad with {fill:g}, which may win", "pad in the MaxPool itself")
        window = padded_window(node, window, pads, 0.0)
    missing = tuple(Unavailable("the indices of a MaxPool", "leave them out") for _ in node.outputs[1:])
    return (_max(builder, node, value, window, axis), *missing)


def _channel_axis(builder: Builder, node: Node, values: Values, last: bool) -> int:
    source = values[0]
    inner = getattr(source, "inner", source)
    assert inner is not None
    return builder.integers(node, inner).index.ndim - 1 if last else 1


def _max(builder: Builder, node: Node, value: Scaled, window: Window, axis: int) -> Scaled:
    value = rising(builder, node, value)
    source = value.tensor
    tensor = builder.emit(
        node,
        lambda name, output: MaxPool(
            name=name,
            inputs=(source,),
            output=output,
            kernel=window.kernel,
            stride=window.stride,
            padding=window.pads,
            dilation=window.dilation,
        ),
        name=node.name,
    )
    shape = builder.specs[tensor].shape
    return replace(value, tensor=tensor, shape=shape, index=from_channels_last(plain_index(shape), axis))


def rising(builder: Builder, node: Node, value: Scaled) -> Scaled:
    """The value with integers that grow where the reals do: negated channel by channel where they fall."""
    low, high = value.real(np.stack([value.lo, value.hi])).numpy()
    signs = np.where(high < low, -1, 1)
    if np.all(signs > 0):
        return value
    source = value.tensor
    lo = np.where(signs > 0, value.lo, -value.hi)
    hi = np.where(signs > 0, value.hi, -value.lo)
    dtype = IntType(int(lo.min()), int(hi.max()))
    tensor = builder.emit(
        node,
        lambda name, output: Requant(
            name=name,
            inputs=(source,),
            output=output,
            multiplier=signs,
            offset=np.zeros(len(signs), dtype=np.int64),
            shift=0,
            output_type=dtype,
        ),
        output=f"{source}_rising",
    )
    factor = torch.from_numpy(signs.astype(np.float64))
    return replace(
        value,
        tensor=tensor,
        dtype=dtype,
        lo=lo,
        hi=hi,
        steps=(lambda x: x * factor, *value.steps),
        slope=None if value.slope is None else value.slope * signs,
    )


def average_pool(builder: Builder, node: Node, values: Values) -> tuple[Value, ...]:
    """AveragePool: the sum of each window, divided by its size."""
    assert values[0] is not None
    value, pads, fill = spatial_source(builder, node, values[0], 1)
    kernel = tuple(node.integers("kernel_shape", None) or ())
    window = read_window(node, value.shape[:-1], kernel)
    inside = any(any(pair) for pair in window.pads)
    if inside and (not node.integer("count_include_pad", 0) or node.integer("ceil_mode", 0)):
        raise node.error("divides by the number of elements that are no padding", "use no pads, or count_include_pad=1")
    return (_average(builder, node, value, padded_window(node, window, pads, fill), fill, 1, mean=True),)


def _average(builder: Builder, node: Node, value: Scaled, window: Window, fill: float, axis: int, mean: bool) -> Scaled:
    if any(d != 1 for d in window.dilation):
        raise node.error("has a dilation", "use none")
    value = builder.materialized(node, value, uniform=False)
    if any(any(pair) for pair in window.pads) and pad_integer(node, value, fill) != 0:
        raise node.error("pads with a real that is not the integer 0", "pad with 0, and use a zero point of 0")
    source, size = value.tensor, int(np.prod(window.kernel))
    tensor = builder.emit(
        node,
        lambda name, output: SumPool(
            name=name,
            inputs=(source,),
            output=output,
            kernel=window.kernel,
            stride=window.stride,
            padding=window.pads,
        ),
        name=node.name if mean else "",
        output="" if mean else f"{source}_sums",
    )
    spec = builder.specs[tensor]
    slope, offset = value.parts()
    ones = np.ones((1, size), dtype=np.float32)
    exact = exact_sums(value, ones, also=fill)
    factor, shift = torch.from_numpy(np.array(slope)), torch.from_numpy(offset * size)

    def total(integers: Tensor) -> Tensor:
        reals = integers * factor + shift
        return reals.float() if exact else reals

    result = Scaled(
        tensor=tensor,
        shape=spec.shape,
        dtype=spec.dtype,
        lo=np.full(value.channels, spec.dtype.lo),
        hi=np.full(value.channels, spec.dtype.hi),
        index=from_channels_last(plain_index(spec.shape), axis),
        steps=(total,),
        slope=slope,
        offset=offset * size,
        terms=0 if exact else size + value.terms,
    )
    return result.then_affine(lambda x: x / size, 1.0 / size, 0.0) if mean else result


def _everything(value: Scaled) -> Window:
    axes = len(value.shape) - 1
    return Window(value.shape[:-1], value.shape[:-1], ((0, 0),) * axes, (1,) * axes)


def global_average_pool(builder: Builder, node: Node, values: Values) -> tuple[Value, ...]:
    """GlobalAveragePool."""
    assert values[0] is not None
    value, pads, fill = spatial_source(builder, node, values[0], 1)
    if any(any(pair) for pair in pads):
        raise node.error("follows a Pad", "leave it out")
    return (_average(builder, node, value, _everything(value), fill, 1, mean=True),)


def global_max_pool(builder: Builder, node: Node, values: Values) -> tuple[Value, ...]:
    """GlobalMaxPool."""
    assert values[0] is not None
    value, pads, _ = spatial_source(builder, node, values[0], 1)
    if any(any(pair) for pair in pads):
        raise node.error("follows a Pad", "leave it out")
    return (_max(builder, node, value, _everything(value), 1),)


def reduce(builder: Builder, node: Node, values: Values) -> tuple[Value, ...]:
    """ReduceMean, ReduceSum or ReduceMax over all spatial axes; axes are an attribute or, later, an input."""
    assert values[0] is not None
    value = builder.integers(node, values[0])
    ndim = value.index.ndim
    given = node.integers("axes", None)
    if len(values) > 1 and values[1] is not None:
        given = [int(one) for one in builder.constant(node, values[1], "axes").values.reshape(-1)]
    axes = sorted(one % ndim for one in given) if given else list(range(ndim))
    rest = [axis for axis in range(1, ndim) if axis not in axes]
    if 0 in axes or len(rest) != 1 or ndim not in (3, 4):
        raise node.error(
            f"reduces the axes {axes} of {value.index.shape}", "reduce all spatial axes, and neither batch nor channels"
        )
    value = in_order(builder, node, value, channels_last(ndim, rest[0]))
    if node.kind == "ReduceMax":
        result: Value = _max(builder, node, value, _everything(value), rest[0])
    else:
        result = _average(builder, node, value, _everything(value), 0.0, rest[0], mean=node.kind == "ReduceMean")
    if not node.integer("keepdims", 1):
        result = moved(node, result, lambda array: np.squeeze(array, axis=tuple(axes)))
    return (result,)


def quant_average_pool(builder: Builder, node: Node, values: Values) -> tuple[Value, ...]:
    """QuantAvgPool2d: the sum of a window of integers, shifted right."""
    assert values[0] is not None
    layout = node.text("data_layout", "NCHW")
    axis = 1 if layout == "NCHW" else 3
    value, pads, fill = spatial_source(builder, node, values[0], axis)
    k, s = node.integer("kernel", 1), node.integer("stride", 1)
    window = padded_window(node, Window((k, k), (s, s), ((0, 0), (0, 0)), (1, 1)), pads, fill)
    total = _average(builder, node, value, window, fill, axis, mean=False)
    if total.slope is None or np.any(total.slope != 1) or total.offset is None or np.any(total.offset != 0):
        raise node.error("works on reals, not on integers", "use AveragePool")
    bits, out = node.integer("ibits", 1), node.integer("obits", 1)
    shift = max(0, ((2**bits - 1) * k * k).bit_length() - out)
    dtype = IntType(int(total.lo.min()) >> shift, int(total.hi.max()) >> shift)
    return (
        builder.quantize(
            node, total, dtype, np.ones(total.channels), lambda x: torch.floor(torch.round(x).double() / 2**shift)
        ),
    )


def pad(builder: Builder, node: Node, values: Values) -> tuple[Value, ...]:
    """Pad with a constant, which the next convolution or pool takes in; pads and value are attributes or inputs."""
    if node.text("mode", "constant") != "constant":
        raise node.error(f"pads by {node.text('mode', '')}", "pad with a constant")
    assert values[0] is not None
    value = builder.integers(node, values[0])
    ndim = value.index.ndim
    pads = node.integers("pads", node.integers("paddings", None))
    fill = node.real("value", 0.0)
    if len(values) > 1 and values[1] is not None:
        pads = [int(one) for one in builder.constant(node, values[1], "pads").values.reshape(-1)]
    if len(values) > 2 and isinstance(values[2], Constant) and values[2].values.size:
        fill = float(values[2].values.reshape(-1)[0])
    if len(values) > 3 and values[3] is not None:
        axes = [int(one) % ndim for one in builder.constant(node, values[3], "axes").values.reshape(-1)]
        short, pads = pads or [], [0] * (2 * ndim)
        for place, axis in enumerate(axes):
            pads[axis], pads[axis + ndim] = short[place], short[place + len(axes)]
    if pads is None or len(pads) != 2 * ndim or min(pads) < 0:
        raise node.error(f"has the pads {pads}", "give one before and one behind for each axis, none below 0")
    if not any(pads):
        return (value,)
    return (Padded(value, tuple((pads[axis], pads[axis + ndim]) for axis in range(ndim)), fill),)


HANDLERS: dict[tuple[str, str], Handler] = {
    ("", "MaxPool"): max_pool,
    (CHANNELS_LAST, "MaxPool"): max_pool,
    (QONNX, "MaxPoolNHWC"): max_pool,
    ("", "AveragePool"): average_pool,
    ("", "GlobalAveragePool"): global_average_pool,
    ("", "GlobalMaxPool"): global_max_pool,
    ("", "ReduceMean"): reduce,
    ("", "ReduceSum"): reduce,
    ("", "ReduceMax"): reduce,
    (QONNX, "QuantAvgPool2d"): quant_average_pool,
    ("", "Pad"): pad,
}
