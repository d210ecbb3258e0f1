"""Gather, Slice and Split: elements along one axis by constant indices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bitwright.graph import IntArray
from bitwright.quantize.qonnx.arranging import channels_last, duplicated, from_channels_last, in_order, selected
from bitwright.quantize.qonnx.builder import Builder
from bitwright.quantize.qonnx.handler import Handler, Values
from bitwright.quantize.qonnx.model import Node
from bitwright.quantize.qonnx.shapes import moved
from bitwright.quantize.qonnx.value import Constant, Scaled, Value, plain_index


def taken(builder: Builder, node: Node, source: Scaled, axis: int, order: IntArray) -> Scaled:
    """The elements `order` along an ONNX axis behind the batch: all in another order, some of them alone, or twice."""
    size, ndim = source.index.shape[axis], source.index.ndim
    kept = np.unique(order)
    if kept.size < size:
        source = selected(builder, node, in_order(builder, node, source, channels_last(ndim, axis)), kept)
        source = replace(source, index=from_channels_last(source.index, axis))
        order, size = np.searchsorted(kept, order), kept.size
    if order.size == size:
        return replace(source, index=np.take(source.index, order, axis=axis))
    source = in_order(builder, node, source, channels_last(ndim, axis))
    first = np.sort(np.unique(order, return_index=True)[1])
    # The elements as they come first, in the order of the channels, then the others.
    copies = np.delete(np.arange(order.size), first)
    held = duplicated(builder, node, source, order[copies])
    # Place i of the result is channel order[i] where it comes first, else the copy behind the channels.
    places = order.copy()
    places[copies] = size + np.arange(copies.size)
    index = from_channels_last(plain_index(held.shape), axis)
    return replace(held, index=np.take(index, places, axis=axis))


def gather(builder: Builder, node: Node, values: Values) -> tuple[Value, ...]:
    """Gather by constant indices along one axis."""
    assert values[0] is not None
    indices = builder.constant(node, values[1], "indices").values
    if isinstance(values[0], Constant):
        where = indices.astype(np.int64)
        return (moved(node, values[0], lambda array: np.take(array, where, node.integer("axis", 0))),)
    source = builder.integers(node, values[0])
    axis = node.integer("axis", 0) % source.index.ndim
    if indices.ndim != 1 or axis == 0 or indices.dtype.kind not in "iu" or not indices.size:
        raise node.error(f"takes {np.shape(indices)} indices along axis {axis}", "use a list, and keep the batch")
    size = source.index.shape[axis]
    order = np.where(indices < 0, indices + size, indices).astype(np.int64)
    if np.any(order < 0) or np.any(order >= size):
        raise node.error(f"takes elements that do not exist along axis {axis} of length {size}", "export again")
    return (taken(builder, node, source, axis, order),)


def slice_(builder: Builder, node: Node, values: Values) -> tuple[Value, ...]:
    """Slice: its bounds are inputs, up to operator set 9 attributes."""
    source = _source(builder, node, values[0])

    def numbers(place: int, name: str) -> list[int] | None:
        if len(values) > place and (held := values[place]) is not None:
            return [int(one) for one in builder.constant(node, held, name).values.reshape(-1)]
        return node.integers(name, None)

    starts, ends = numbers(1, "starts"), numbers(2, "ends")
    if starts is None or ends is None:
        raise node.error("has no starts and ends", "give both")
    axes = numbers(3, "axes") or list(range(len(starts)))
    steps = numbers(4, "steps") or [1] * len(starts)
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        raise node.error("has starts, ends, axes and steps that do not fit together", "give one of each for an axis")
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        shape = _shape(source)
        if not -len(shape) <= axis < len(shape):
            raise node.error(f"works on axis {axis} of a tensor with {len(shape)}", "export again")
        order = np.arange(shape[axis])[start:end:step]
        source = _part(builder, node, source, axis % len(shape), order)
    return (source,)


def split(builder: Builder, node: Node, values: Values) -> tuple[Value, ...]:
    """Split: the lengths of its parts are an input, up to operator set 12 an attribute, or all alike.

    From operator set 18 on, with `num_outputs`, the last part may be smaller.
    """
    source = _source(builder, node, values[0])
    axis = node.integer("axis", 0) % len(_shape(source))
    size, count = _shape(source)[axis], len(node.outputs)
    if len(values) > 1 and values[1] is not None:
        lengths = [int(one) for one in builder.constant(node, values[1], "split").values.reshape(-1)]
    else:
        part = -(-size // count)
        last = size - part * (count - 1) if node.integer("num_outputs", 0) else part
        lengths = node.integers("split", None) or [*[part] * (count - 1), last]
    if len(lengths) != count or sum(lengths) != size or min(lengths) < 0:
        raise node.error(f"splits {size} elements into {count} parts of {lengths}", "export again")
    parts = np.split(np.arange(size), np.cumsum(lengths)[:-1])
    return tuple(_part(builder, node, source, axis, part) for part in parts)


Source = Scaled | Constant


def _source(builder: Builder, node: Node, given: Value | None) -> Source:
    assert given is not None
    return given if isinstance(given, Constant) else builder.integers(node, given)


def _shape(source: Source) -> tuple[int, ...]:
    return source.values.shape if isinstance(source, Constant) else source.index.shape


def _part(builder: Builder, node: Node, source: Source, axis: int, order: IntArray) -> Source:
    """The elements `order`, each once, along an axis."""
    if isinstance(source, Constant):
        found = moved(node, source, lambda array: np.take(array, order, axis))
        assert isinstance(found, Constant)
        return found
    if np.array_equal(order, np.arange(source.index.shape[axis])):
        return source
    if axis == 0:
        raise node.error("takes some frames of the batch", "keep the batch whole")
    if order.size == 0:
        raise node.error(f"takes no element along axis {axis}", "leave it out")
    return taken(builder, node, source, axis, order)


HANDLERS: dict[tuple[str, str], Handler] = {
    ("", "Gather"): gather,
    ("", "Slice"): slice_,
    ("", "Split"): split,
}
