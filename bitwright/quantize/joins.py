"""Joins of branches: sums of tensors on a common step, and channels side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor

from bitwright.errors import LoweringError
from bitwright.graph import Add, Concat, Duplicate, IntArray, IntType
from bitwright.quantize.arrangement import arrange, channels_first
from bitwright.quantize.layout import Layout
from bitwright.quantize.planner import Planner
from bitwright.quantize.value import IntegerValue, RealFunction, Reals

LARGEST_MULTIPLIER = 1 << 12

SHARE = "let one quantizer with one scale stand at the end of both branches, or give them scales a power of two apart"


def add(
    planner: Planner, node: str, name: str, first: IntegerValue, second: IntegerValue, sign: int = 1
) -> IntegerValue:
    """The value of `first + sign * second`: integers on a common step, each times a whole number."""
    for one in (first, second):
        if not one.affine:
            raise LoweringError(name, "adds a value that is neither affine nor quantized", SHARE)
    if first.layout.module_shape != second.layout.module_shape:
        shapes = f"{first.layout.module_shape} and {second.layout.module_shape}"
        raise LoweringError(name, f"adds tensors of shapes {shapes}", "give both branches the same shape")
    if not _alike(first.layout, second.layout):
        second = arrange(planner, node, name, second, first.layout)
    assert first.slope is not None
    assert second.slope is not None
    assert first.offset is not None
    assert second.offset is not None
    if first.tensor == second.tensor:
        return _twice(first, second, sign)
    step, (up, down) = _common_step(name, first.slope, second.slope)
    multipliers = np.array([up, sign * down])
    offset = first.offset + sign * second.offset
    name = planner.unique(name)
    operation = Add(name=name, inputs=(first.tensor, second.tensor), output=name, multipliers=multipliers)

    def real(sums: Tensor) -> Tensor:
        return sums * sums.new_tensor(step) + sums.new_tensor(offset)

    spec, layout = planner.operation(node, operation, (first, second), lambda _: first.layout, real, step)
    ends = np.stack([_ends(one, int(m)) for one, m in zip((first, second), multipliers, strict=True)])
    lows, highs = ends[:, 0].sum(axis=0), ends[:, 1].sum(axis=0)
    return IntegerValue(
        tensor=name,
        layout=layout,
        dtype=spec.dtype,
        lo=lows,
        hi=highs,
        steps=(real,),
        slope=step,
        offset=offset,
        rising=np.sign(step).astype(np.int64),
    )


def _twice(first: IntegerValue, second: IntegerValue, sign: int) -> IntegerValue:
    """Two affine functions of the same integers, added: no operation is needed."""
    assert first.slope is not None
    assert second.slope is not None
    assert first.offset is not None
    assert second.offset is not None

    def real(integers: Tensor) -> Tensor:
        return _after(first, integers) + sign * _after(second, integers)

    slope = first.slope + sign * second.slope
    return replace(
        first,
        steps=(real,),
        slope=slope,
        offset=first.offset + sign * second.offset,
        rising=np.sign(slope).astype(np.int64),
    )


def _after(value: IntegerValue, integers: Tensor) -> Tensor:
    for step in value.steps:
        integers = step(integers)
    return integers


def _alike(first: Layout, second: Layout) -> bool:
    return first.shape == second.shape and np.array_equal(first.places, second.places)


def _ends(value: IntegerValue, multiplier: int) -> IntArray:
    ends = np.stack([value.lo, value.hi]) * multiplier
    return np.sort(ends, axis=0)


def _common_step(name: str, first: Reals, second: Reals) -> tuple[Reals, tuple[int, int]]:
    """The step of each channel and the multiples of it that the two slopes are, the same in all channels."""
    if np.all(first != 0) and np.all(second != 0):
        ratio = Fraction(float(first[0] / second[0])).limit_denominator(LARGEST_MULTIPLIER)
        up, down = ratio.numerator, ratio.denominator
        if 0 < abs(up) <= LARGEST_MULTIPLIER:
            step = second / down
            if np.array_equal(step * up, first) and np.array_equal(step * down, second):
                return step, (up, down)
    pair = f"{float(first[0]):.6g} and {float(second[0]):.6g}"
    raise LoweringError(name, f"adds values whose scales ({pair}) are no multiples of a common step", SHARE)


def concatenate(planner: Planner, node: str, name: str, values: Sequence[IntegerValue], dim: int) -> IntegerValue:
    """The channels of the values one behind the other."""
    rank = len(values[0].layout.module_shape)
    if len({len(one.layout.module_shape) for one in values}) != 1:
        raise LoweringError(name, "joins tensors of different ranks", "give all branches the same axes")
    axis = dim - 1 if dim > 0 else dim + rank
    if axis == 0 and rank > 1:
        values = [channels_first(planner, node, name, one) for one in values]
    if axis not in range(rank) or any(one.layout.channel_axis != axis for one in values):
        raise LoweringError(name, f"joins along axis {dim}", "join along the channels (dim=1)")
    tensors = [one.tensor for one in values]
    if len(values) == 1:
        return values[0]
    if len(set(tensors)) == 1:
        return repeat(planner, node, name, values)
    if len(set(tensors)) != len(tensors):
        raise LoweringError(name, "joins the same tensor twice beside another", "join each tensor once")
    name = planner.unique(name)
    operation = Concat(name=name, inputs=tuple(tensors), output=name)

    def layout(shape: tuple[int, ...]) -> Layout:
        if rank > 1:
            return Layout.channels_first(shape) if axis == 0 else Layout.same(shape)
        starts = np.cumsum([0, *(one.channels for one in values)])[:-1]
        places = [one.layout.places + start for one, start in zip(values, starts, strict=True)]
        return Layout(shape, np.concatenate(places))

    step = values[0].grid_step
    same = all(one.grid_step == step for one in values)
    spec, found = planner.operation(node, operation, tuple(values), layout, step=step if same else None)
    return _joined(name, found, spec.dtype, values)


def _joined(name: str, layout: Layout, dtype: IntType, values: Sequence[IntegerValue]) -> IntegerValue:
    affine = all(one.slope is not None and one.offset is not None for one in values)
    return IntegerValue(
        tensor=name,
        layout=layout,
        dtype=dtype,
        lo=np.concatenate([one.lo for one in values]),
        hi=np.concatenate([one.hi for one in values]),
        steps=(_side_by_side(values),),
        slope=np.concatenate([one.slope for one in values if one.slope is not None]) if affine else None,
        offset=np.concatenate([one.offset for one in values if one.offset is not None]) if affine else None,
        rising=np.concatenate([one.rising for one in values]),
        clipped=any(one.clipped for one in values),
    )


def repeat(planner: Planner, node: str, name: str, values: Sequence[IntegerValue]) -> IntegerValue:
    """Functions of the same integers, channels in axis 1 of the module, one behind the other."""
    if len(values[0].layout.module_shape) > 1:
        values = [channels_first(planner, node, name, one) for one in values]
    elif not values[0].layout.is_same:
        values = [arrange(planner, node, name, one, Layout.same(one.shape)) for one in values]
    value, times = values[0], len(values)
    if times == 1:
        return value
    if any(one.tensor != value.tensor for one in values):
        raise LoweringError(name, "joins the same tensor twice, rearranged", "join it before it is rearranged")
    name = planner.unique(f"{name}.copies")
    copies = np.tile(np.arange(value.channels), times - 1)
    operation = Duplicate(name=name, inputs=(value.tensor,), output=name, copies=copies)
    behind = Layout.channels_first if len(value.shape) > 1 else Layout.same
    _, layout = planner.operation(node, operation, (value,), behind)
    return _joined(name, layout, value.dtype, values)


def _side_by_side(values: Sequence[IntegerValue]) -> RealFunction:
    sizes = [one.channels for one in values]

    def real(integers: Tensor) -> Tensor:
        parts = []
        for one, part in zip(values, torch.split(integers, sizes, dim=-1), strict=True):
            parts.append(_after(one, part))
        return torch.cat(parts, dim=-1)

    return real
