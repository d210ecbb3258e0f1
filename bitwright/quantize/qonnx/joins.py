"""Add of several tensors, and Concat."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor

from bitwright.graph import Add, Concat
from bitwright.quantize.qonnx.arranging import channels_last, duplicated, from_channels_last, in_order
from bitwright.quantize.qonnx.builder import Builder
from bitwright.quantize.qonnx.elementwise import arithmetic
from bitwright.quantize.qonnx.exactness import exact_additions
from bitwright.quantize.qonnx.handler import Handler, Values
from bitwright.quantize.qonnx.model import Node
from bitwright.quantize.qonnx.value import Constant, Scaled, Value, plain_index
from bitwright.quantize.value import Reals

MAX_MULTIPLIER = 1 << 10
"""Scales whose ratio is one of whole numbers up to this are multiples of one step."""

RATIO_TOLERANCE = 2.0**-23
"""How far, relatively, the ratio of two rounded float32 scales may be from a ratio of whole numbers."""

WIDE_MULTIPLIERS = (1 << 12, 1 << 14, 1 << 16)
"""Whole numbers up to these are tried for any other ratio of two scales."""

WIDE_TOLERANCE = 2.0**-24
"""How far that ratio, of the smaller to the larger, may be off: less than float32 rounds the sum."""

ROUNDED_TERMS = 16
"""As many rounded additions as ratios that are not exact count for."""


def add(builder: Builder, node: Node, values: Values) -> tuple[Value, ...]:
    """Add, Sub or Sum: with a constant elementwise, of tensors an Add operation."""
    tensors = [one for one in values if not isinstance(one, Constant)]
    if len(tensors) == 1 and len(values) == 2:
        return arithmetic(builder, node, values)
    if len(values) == 1 and values[0] is not None:
        return (values[0],)
    if len(tensors) != len(values) or any(one is None for one in values):
        raise node.error("adds several tensors and a constant", "add the constant in a node of its own")
    given = [builder.integers(node, one) for one in tensors if one is not None]
    shape = given[0].index.shape
    if any(one.index.shape != shape for one in given):
        raise node.error(f"adds {' and '.join(str(one.index.shape) for one in given)}", "add tensors of one shape")
    if len(given) == 2 and given[0] is given[1]:
        given = [builder.materialized(node, given[0], uniform=False)] * 2
    given = [builder.materialized(node, one, uniform=False) for one in given]
    if len(given) == 2 and given[0].tensor == given[1].tensor and np.array_equal(given[0].index, given[1].index):
        return (_twice(given[0], given[1], -1.0 if node.kind == "Sub" else 1.0),)
    if len({one.tensor for one in given}) < len(given):
        raise node.error("adds a tensor to itself", "multiply it by 2")
    given = aligned(builder, node, given)
    signs = [1, -1] if node.kind == "Sub" else [1] * len(given)
    return (_sum(builder, node, given, signs),)


def _twice(first: Scaled, second: Scaled, sign: float) -> Scaled:
    """The sum of two reals of the same integer."""
    slopes, offsets = zip(first.parts(), second.parts(), strict=True)

    def real(integers: Tensor) -> Tensor:
        return first.real(integers.numpy()) + sign * second.real(integers.numpy())

    terms = max(first.terms, second.terms)
    slope, offset = slopes[0] + sign * slopes[1], offsets[0] + sign * offsets[1]
    return replace(first, steps=(real,), slope=slope, offset=offset, terms=terms)


def aligned(builder: Builder, node: Node, values: list[Scaled]) -> list[Scaled]:
    """The values with their integers in one order; those that are so already stay as they are."""
    first = values[0]
    if all(one.shape == first.shape and np.array_equal(one.index, first.index) for one in values):
        return values
    ndim = first.index.ndim
    # Channels last in the network: axis 1 of the ONNX tensor, unless the first value says otherwise.
    axis = ndim - 1
    for candidate in range(1, ndim):
        order = first.index.transpose(channels_last(ndim, candidate))
        if np.array_equal(order.reshape(-1), np.arange(order.size)) and order.shape[1:] == first.shape:
            axis = candidate
    return [in_order(builder, node, one, channels_last(ndim, axis)) for one in values]


def multipliers(node: Node, slopes: list[Reals]) -> list[int]:
    """Whole numbers in the ratio of the slopes (channels,), which is one for all channels; signs included.

    Exact where the scales are multiples of one step. Of two scales any ratio is met to less than float32 rounding.
    """
    base = slopes[0]
    ratios = []
    for slope in slopes:
        if np.any(base == 0) or np.any(slope == 0):
            raise node.error("adds a channel that is always the same", "repair the scale 0 before it")
        quotient = slope / base
        ratio = Fraction(float(quotient[0])).limit_denominator(MAX_MULTIPLIER)
        simple = abs(ratio.numerator) <= MAX_MULTIPLIER
        if not simple or np.any(np.abs(quotient - float(ratio)) > RATIO_TOLERANCE * np.abs(quotient)):
            wide = _wide_ratio(quotient) if len(slopes) == 2 else None
            if wide is None:
                raise node.error(
                    f"adds integers whose scales are not multiples of one step (ratio {quotient[0]:.6g})",
                    "quantize the branches with the same scale before they join",
                )
            ratio = wide
        ratios.append(ratio)
    common = int(np.lcm.reduce([ratio.denominator for ratio in ratios]))
    whole = [int(ratio * common) for ratio in ratios]
    divisor = int(np.gcd.reduce(whole))
    whole = [one // divisor for one in whole]
    if max(abs(one) for one in whole) > WIDE_MULTIPLIERS[-1]:
        raise node.error(f"adds integers in the ratio {whole}", "quantize the branches with the same scale")
    return whole


def _wide_ratio(quotient: Reals) -> Fraction | None:
    """A ratio of larger whole numbers that is as good as the quotients (channels,)."""
    first = float(quotient[0])
    if abs(first) > 1:
        turned = _wide_ratio(1.0 / quotient)
        return None if turned is None else 1 / turned
    for most in WIDE_MULTIPLIERS:
        ratio = Fraction(first).limit_denominator(most)
        if ratio and np.all(np.abs(quotient - float(ratio)) <= WIDE_TOLERANCE):
            return ratio
    return None


def _sum(builder: Builder, node: Node, values: list[Scaled], signs: list[int]) -> Scaled:
    slopes = [one.parts()[0] * sign for one, sign in zip(values, signs, strict=True)]
    whole = multipliers(node, slopes)
    # Where the ratio is not exact, the larger scale is.
    largest = int(np.argmax(np.abs(whole)))
    step = slopes[largest] / whole[largest]
    sources = tuple(one.tensor for one in values)
    tensor = builder.emit(
        node,
        lambda name, output: Add(name=name, inputs=sources, output=output, multipliers=np.array(whole, dtype=np.int64)),
        name=node.name,
    )
    offset = np.sum([one.parts()[1] * sign for one, sign in zip(values, signs, strict=True)], axis=0)
    factor, shift = torch.from_numpy(step), torch.from_numpy(offset)
    even = all(np.array_equal(slope, step * m) for slope, m in zip(slopes, whole, strict=True))
    exact = even and exact_additions(values)
    rounded = max(one.terms for one in values) + (len(values) if even else ROUNDED_TERMS)

    def real(integers: Tensor) -> Tensor:
        reals = integers * factor + shift
        return reals.float() if exact else reals

    ends = [(one.lo * m, one.hi * m) for one, m in zip(values, whole, strict=True)]
    return Scaled(
        tensor=tensor,
        shape=values[0].shape,
        dtype=builder.specs[tensor].dtype,
        lo=np.sum([np.minimum(a, b) for a, b in ends], axis=0),
        hi=np.sum([np.maximum(a, b) for a, b in ends], axis=0),
        index=values[0].index,
        steps=(real,),
        slope=step,
        offset=offset,
        terms=0 if exact else rounded,
    )


def concat(builder: Builder, node: Node, values: Values) -> tuple[Value, ...]:
    """Concat along any axis but the batch; that axis is the channels of the result."""
    given = [builder.integers(node, one) for one in values if one is not None]
    ndim = given[0].index.ndim
    axis = node.integer("axis", 1) % ndim
    if axis == 0:
        raise node.error("joins along the batch", "join along the channels")
    if len(given) == 1:
        return (given[0],)
    given = [in_order(builder, node, one, channels_last(ndim, axis)) for one in given]
    if len(given) == 2 and given[0].tensor == given[1].tensor:
        return (_side_by_side(builder, node, given[0], given[1], axis),)
    if len({one.tensor for one in given}) != len(given):
        raise node.error("joins a tensor with itself and others", "join the others behind it")
    sources = tuple(one.tensor for one in given)
    tensor = builder.emit(node, lambda name, output: Concat(name=name, inputs=sources, output=output), name=node.name)
    spec = builder.specs[tensor]
    cuts = np.cumsum([one.channels for one in given])[:-1].tolist()

    def real(integers: Tensor) -> Tensor:
        parts = torch.tensor_split(integers, cuts, dim=-1)
        return torch.cat([one.real(part.numpy()) for one, part in zip(given, parts, strict=True)], dim=-1)

    known = all(one.slope is not None for one in given)
    return (
        Scaled(
            tensor=tensor,
            shape=spec.shape,
            dtype=spec.dtype,
            lo=np.concatenate([one.lo for one in given]),
            hi=np.concatenate([one.hi for one in given]),
            index=from_channels_last(plain_index(spec.shape), axis),
            steps=(real,),
            slope=np.concatenate([one.slope for one in given if one.slope is not None]) if known else None,
            offset=np.concatenate([one.offset for one in given if one.offset is not None]) if known else None,
            clipped=any(one.clipped for one in given),
            terms=max(one.terms for one in given),
        ),
    )


def _side_by_side(builder: Builder, node: Node, first: Scaled, second: Scaled, axis: int) -> Scaled:
    """Two reals of the same integers, joined: the integers twice."""
    held = duplicated(builder, node, first, np.arange(first.channels))
    channels = first.channels

    def real(integers: Tensor) -> Tensor:
        halves = integers[:, :channels].numpy(), integers[:, channels:].numpy()
        return torch.cat([first.real(halves[0]), second.real(halves[1])], dim=-1)

    slope = offset = None
    if first.slope is not None and second.slope is not None:
        slope, offset = (np.concatenate(pair) for pair in zip(first.parts(), second.parts(), strict=True))
    return replace(
        held,
        index=from_channels_last(held.index, axis),
        steps=(real,),
        slope=slope,
        offset=offset,
        clipped=first.clipped or second.clipped,
        terms=max(first.terms, second.terms),
    )


HANDLERS: dict[tuple[str, str], Handler] = {
    ("", "Add"): add,
    ("", "Sub"): add,
    ("", "Sum"): add,
    ("", "Concat"): concat,
}
