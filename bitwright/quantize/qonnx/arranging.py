"""Bringing a value's integers into the order that an operation needs, by operations only where the order differs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from bitwright.graph import Duplicate, Flatten, IntArray, IntType, Linear, Permute, Reshape
from bitwright.quantize.qonnx.builder import QUANTIZE_FIRST, Builder
from bitwright.quantize.qonnx.model import Array, Node
from bitwright.quantize.qonnx.value import RealInput, Scaled, plain_index
from bitwright.quantize.value import RealFunction


def flatten(builder: Builder, node: Node, value: Scaled) -> Scaled:
    """The same reals behind a Flatten operation; each element becomes a channel."""
    if len(value.shape) == 1:
        return value
    source, channels = value.tensor, value.channels
    places = value.index.size // channels
    tensor = builder.emit(
        node, lambda name, output: Flatten(name=name, inputs=(source,), output=output), output=f"{source}_flat"
    )

    def spread(step: RealFunction) -> RealFunction:
        return lambda x: step(x.reshape(-1, channels)).reshape(x.shape)

    return replace(
        value,
        tensor=tensor,
        shape=(value.index.size,),
        lo=np.tile(value.lo, places),
        hi=np.tile(value.hi, places),
        steps=tuple(spread(step) for step in value.steps),
        slope=None if value.slope is None else np.tile(value.slope, places),
        offset=None if value.offset is None else np.tile(value.offset, places),
    )


def permute(builder: Builder, node: Node, value: Scaled, order: IntArray) -> Scaled:
    """The same reals behind a Permute operation, which gives channel order[i] place i."""
    if np.array_equal(order, np.arange(order.size)):
        return value
    source, inverse = value.tensor, np.argsort(order)
    tensor = builder.emit(
        node,
        lambda name, output: Permute(name=name, inputs=(source,), output=output, order=order),
        output=f"{source}_permuted",
    )

    def moved(step: RealFunction) -> RealFunction:
        return lambda x: step(x[..., inverse])[..., order]

    place = np.empty(value.index.size, dtype=np.int64)
    place[np.arange(value.index.size).reshape(-1, value.channels)[:, order].reshape(-1)] = np.arange(place.size)
    return replace(
        value,
        tensor=tensor,
        index=place[value.index],
        lo=value.lo[order],
        hi=value.hi[order],
        steps=tuple(moved(step) for step in value.steps),
        slope=None if value.slope is None else value.slope[order],
        offset=None if value.offset is None else value.offset[order],
    )


def duplicated(builder: Builder, node: Node, value: Scaled, copies: IntArray) -> Scaled:
    """The value with some channels a second time behind the others; its index is that of the longer tensor, flat."""
    source, order = value.tensor, np.concatenate([np.arange(value.channels), copies])
    tensor = builder.emit(
        node,
        lambda name, output: Duplicate(name=name, inputs=(source,), output=output, copies=copies),
        output=f"{source}_duplicated",
    )
    channels = value.channels

    def real(x: Tensor) -> Tensor:
        rows = x.reshape(-1, order.size)
        first = value.real(rows[:, :channels].numpy())
        # A copy means what its channel means.
        whole = first[:, order]
        again = torch.empty_like(rows[:, :channels])
        for place in range(channels, order.size):
            again[:, :] = rows[:, :channels]
            again[:, order[place]] = rows[:, place]
            whole[:, place] = value.real(again.numpy())[:, order[place]]
        return whole.reshape(x.shape)

    shape = (*value.shape[:-1], order.size)
    return replace(
        value,
        tensor=tensor,
        shape=shape,
        index=plain_index(shape),
        lo=value.lo[order],
        hi=value.hi[order],
        steps=(real,),
        slope=None if value.slope is None else value.slope[order],
        offset=None if value.offset is None else value.offset[order],
    )


def selected(builder: Builder, node: Node, value: Scaled, order: IntArray) -> Scaled:
    """The value with some channels alone, each once, by a Linear; its index is that of the new tensor."""
    source, channels = value.tensor, value.channels
    weights = np.zeros((order.size, channels), dtype=np.int64)
    weights[np.arange(order.size), order] = 1
    tensor = builder.emit(
        node,
        lambda name, output: Linear(
            name=name, inputs=(source,), output=output, weights=weights, weight_type=IntType.unsigned(1)
        ),
        output=f"{source}_selected",
    )

    def of_them(step: RealFunction) -> RealFunction:
        def run(x: Tensor) -> Tensor:
            whole = x.new_zeros((*x.shape[:-1], channels))
            whole[..., order] = x
            return step(whole)[..., order]

        return run

    spec = builder.specs[tensor]
    return replace(
        value,
        tensor=tensor,
        shape=spec.shape,
        dtype=spec.dtype,
        index=plain_index(spec.shape),
        lo=value.lo[order],
        hi=value.hi[order],
        steps=tuple(of_them(step) for step in value.steps),
        slope=None if value.slope is None else value.slope[order],
        offset=None if value.offset is None else value.offset[order],
        widest_shift=None if value.widest_shift is None else value.widest_shift[order],
    )


def reshape(builder: Builder, node: Node, value: Scaled, shape: tuple[int, ...]) -> Scaled:
    """The same reals behind a Reshape operation (C order); needs one scale and offset for all channels."""
    if shape == value.shape:
        return value
    if value.uniform_slope is None or value.offset is None or np.any(value.offset != value.offset[0]):
        value = builder.materialized(node, value)
    if value.uniform_slope is None or value.offset is None or np.any(value.offset != value.offset[0]):
        raise node.error("reshapes channels of different scales", QUANTIZE_FIRST)
    source, channels, before = value.tensor, value.channels, value
    tensor = builder.emit(
        node,
        lambda name, output: Reshape(name=name, inputs=(source,), output=output, shape=shape),
        output=f"{source}_reshaped",
    )

    def real(x: Tensor) -> Tensor:
        rows = x.reshape(-1, 1).expand(-1, channels)
        return before.real(rows.numpy())[:, 0].reshape(x.shape)

    def each(values: IntArray, worst: np.ufunc) -> IntArray:
        rows = np.broadcast_to(values, before.shape).reshape(-1, shape[-1])
        return np.asarray(worst.reduce(rows, axis=0))

    return replace(
        value,
        tensor=tensor,
        shape=shape,
        lo=each(value.lo, np.minimum),
        hi=each(value.hi, np.maximum),
        steps=(real,),
        slope=np.full(shape[-1], value.slope[0] if value.slope is not None else 0.0),
        offset=np.full(shape[-1], value.offset[0]),
    )


def in_order(builder: Builder, node: Node, value: Scaled, axes: tuple[int, ...]) -> Scaled:
    """The value with its integers in C order of the ONNX axes `axes` (a permutation that starts with the batch 0).

    Costs nothing where they are so already, a Permute where only channels change places, otherwise Flatten, Permute
    and Reshape.
    """
    wanted = value.index.transpose(axes)
    shape = wanted.shape[1:]
    if shape == value.shape:
        rows = wanted.reshape(-1, value.channels)
        base = np.arange(len(rows))[:, None] * value.channels
        order = rows[0]
        if np.array_equal(rows, base + order):
            return permute(builder, node, value, order)
    if not np.array_equal(wanted.reshape(-1), np.arange(wanted.size)):
        value = flatten(builder, node, value)
        value = permute(builder, node, value, value.index.transpose(axes).reshape(-1))
    return reshape(builder, node, value, shape)


def in_network_order(node: Node, index: IntArray, constant: Array, what: str, of: str = "a tensor") -> Array:
    """A constant that broadcasts to an ONNX tensor, one number for each of its elements in the network's order."""
    try:
        full = np.broadcast_to(constant, index.shape)
    except ValueError:
        raise node.error(
            f"has {what} of shape {np.shape(constant)} for {of} of shape {index.shape}",
            "use one number, or one for each channel",
        ) from None
    flat = np.empty(full.size, dtype=full.dtype)
    flat[index.reshape(-1)] = full.reshape(-1)
    return flat


def per_channel(builder: Builder, node: Node, value: Scaled, constant: Array, what: str) -> tuple[Scaled, Array]:
    """A constant that broadcasts to the ONNX tensor as one element for each channel; (channels,).

    Where it differs inside a channel, the value is flattened first, so that every element is a channel.
    """
    flat = in_network_order(node, value.index, constant, what)
    rows = flat.reshape(-1, value.channels)
    if not np.array_equal(rows, np.broadcast_to(rows[:1], rows.shape)):
        return flatten(builder, node, value), flat
    return value, rows[0]


def channels_last(ndim: int, axis: int) -> tuple[int, ...]:
    """The permutation that moves `axis` behind all others."""
    return (*(place for place in range(ndim) if place != axis % ndim), axis % ndim)


def from_channels_last(index: IntArray, axis: int) -> IntArray:
    """An index of (1, ..., channels) as that of the ONNX tensor with its channels on `axis`."""
    return np.moveaxis(index, -1, axis)


def layout_of_input(shape: tuple[int, ...], channel_axis: int) -> RealInput:
    """The graph's input of ONNX `shape` (without batch); its channels, on ONNX axis `channel_axis`, go last."""
    order = channels_last(len(shape) + 1, channel_axis)
    size = int(np.prod(shape, dtype=np.int64))
    inside = tuple(shape[axis - 1] for axis in order[1:])
    index = from_channels_last(np.arange(size, dtype=np.int64).reshape(1, *inside), channel_axis)
    axes = tuple(axis - 1 for axis in order[1:])
    return RealInput(inside, index, None if axes == tuple(range(len(axes))) else axes)
