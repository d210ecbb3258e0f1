"""The quantizer of the graph's real input."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from bitwright.errors import InputError
from bitwright.graph import BIPOLAR, InputQuantizer, IntArray, IntType
from bitwright.quantize.qonnx.arranging import in_network_order
from bitwright.quantize.qonnx.builder import Builder
from bitwright.quantize.qonnx.model import Array, Node
from bitwright.quantize.qonnx.value import RealInput, Scaled, on_grid
from bitwright.quantize.value import Reals

LARGEST = float(np.finfo(np.float32).max)

NEVER = 1e39
"""A threshold that no float32 reaches."""

MAX_TABLE = 1 << 18
"""Thresholds of all channels together that are looked for."""

Levels = Callable[[Array], Array]
"""Reals (n, channels) in float32 to integers, computed as the graph does; never falling."""


def quantized_input(
    builder: Builder,
    node: Node,
    source: RealInput,
    levels: Levels,
    scale: Reals,
    zero: IntArray,
    *,
    to_nearest: bool = True,
    dtype: IntType | None = None,
) -> Scaled:
    """The value behind the quantizer `levels`; it stands for `(integer - zero) * scale`, each (1,) or (channels,).

    `to_nearest` says that without arithmetic before it `levels` is `clip(round_half_even(x / scale + zero))`, computed
    in float32. `dtype` is by default the interval of what `levels` can give.
    """
    if np.any(~np.isfinite(scale)) or np.any(scale <= 0):
        raise node.error("has a scale that is not above 0", "calibrate or train it")
    rows = source.shape[-1] if not source.uniform or max(scale.size, zero.size) > 1 else 1
    width = source.shape[-1]

    def found(x: Array) -> IntArray:
        # What overflows to infinity is clipped.
        with np.errstate(over="ignore"):
            integers: IntArray = np.rint(levels(source.real(x))).astype(np.int64)
        return integers

    ends = found(np.repeat(np.array([[-LARGEST], [LARGEST]], dtype=np.float32), rows, axis=1))
    if np.any(ends[0] > ends[1]):
        raise node.error("follows a negation of the input", "give input_type, or move the arithmetic out of the graph")
    if dtype is None:
        dtype = IntType(int(ends[0].min()), int(ends[1].max()))
    if ends[0].min() == ends[1].max():
        raise node.error(f"gives {ends[0].min()} whatever the input", "repair its scale or the clip before it")
    quantizer = _quantizer(node, source, found, rows, float(scale[0]), int(zero[0]), dtype, to_nearest)
    builder.set_input(node, dtype, source.shape, quantizer)
    scale, zero = np.broadcast_to(scale, (width,)), np.broadcast_to(zero, (width,))
    result = on_grid(builder.input_name, source.shape, dtype, scale, source.index)
    if not np.any(zero):
        return result
    factor, shift = torch.from_numpy(scale.astype(np.float32)), torch.from_numpy(np.array(zero))
    return replace(result, steps=(lambda integers: (integers - shift).float() * factor,), offset=-zero * scale)


def _quantizer(
    node: Node,
    source: RealInput,
    found: Levels,
    rows: int,
    scale: float,
    zero: int,
    dtype: IntType,
    to_nearest: bool,
) -> InputQuantizer:
    """Rounding by a scale where that is the function on all of float32, else its thresholds."""
    rounding = None
    if rows == 1 and dtype != BIPOLAR:
        rounding = _rounding(source, scale, zero, dtype)
        if rounding is not None and to_nearest and not source.steps:
            return rounding
    unit = 2 if dtype == BIPOLAR else 1
    steps = (dtype.hi - dtype.lo) // unit
    if steps * rows > MAX_TABLE:
        raise node.error(
            f"quantizes the input to {steps + 1} levels behind arithmetic, for which a table is too large",
            "use fewer bits, give input_type, or move the arithmetic out of the graph",
        )
    keys = _bisected(found, dtype, unit, steps, rows)
    if rounding is not None:
        points = np.concatenate([_floats(keys), _floats(keys - 1)]).astype(np.float32)
        if np.array_equal(replace(rounding, axes=None)(points), found(points)):
            return rounding
    table = np.where(keys > _TOP, NEVER, _floats(keys).astype(np.float64))
    if np.array_equal(table, np.broadcast_to(table[:, :1], table.shape)):
        table = table[:, :1]
    if dtype == BIPOLAR and table.shape == (1, 1):
        return InputQuantizer(dtype=dtype, kind="bipolar", threshold=float(table[0, 0]), axes=source.axes)
    thresholds = tuple(tuple(row) for row in table.T.tolist())
    return InputQuantizer(dtype=dtype, kind="thresholds", thresholds=thresholds, axes=source.axes)


def _rounding(source: RealInput, scale: float, zero: int, dtype: IntType) -> InputQuantizer | None:
    """What `round(input / scale) + zero` would be, if the arithmetic were exact."""
    if source.multiplier <= 0:
        return None
    step, shift = float(np.float32(scale * source.divisor / source.multiplier)), source.addend / scale
    try:
        return InputQuantizer(
            dtype=dtype, scale=step, zero_point=zero + round(shift), axes=source.axes, precision="float32"
        )
    except (InputError, OverflowError, ValueError):
        return None


_TOP = int(np.float32(LARGEST).view(np.int32))


def _floats(keys: IntArray) -> Array:
    """The float32 of each key: keys count floats from 0 on, up and down; those beyond the largest give it."""
    sizes = np.minimum(np.abs(keys), _TOP).astype(np.int32).view(np.float32)
    floats: Array = np.where(keys < 0, -sizes, sizes)
    return floats


def _bisected(found: Levels, dtype: IntType, unit: int, steps: int, rows: int) -> IntArray:
    """Keys (steps, rows) of the first float32 that reaches each step; beyond the largest where none does."""
    wanted = dtype.lo + unit * (np.arange(steps)[:, None] + 1)
    low = np.full((steps, rows), -_TOP - 1, dtype=np.int64)
    high = np.full((steps, rows), _TOP + 1, dtype=np.int64)
    while np.any(high - low > 1):
        middle = (low + high) // 2
        reached = found(_floats(middle)) >= wanted
        high = np.where(reached, middle, high)
        low = np.where(reached, low, middle)
    return high


def per_input_channel(node: Node, source: RealInput, constant: Array, what: str) -> Array:
    """A constant that broadcasts to the real input as (1,), or one element for each channel; (channels,)."""
    if constant.size == 1:
        return constant.reshape(1)
    flat = in_network_order(node, source.index, constant, what, of="an input")
    rows = flat.reshape(-1, source.shape[-1])
    if not np.array_equal(rows, np.broadcast_to(rows[:1], rows.shape)):
        raise node.error(
            f"has {what} for the real input that differs inside a channel",
            "use one number, or one for each channel, give input_type, or move the arithmetic out of the graph",
        )
    channels: Array = rows[0]
    return channels


def sign_of_input(
    builder: Builder, node: Node, source: RealInput, scale: Array, levels: Levels, dtype: IntType = BIPOLAR
) -> Scaled:
    """The signs of the real input, by `levels`, times `scale` (1,)."""
    if scale.size != 1:
        raise node.error("has more than one scale", "use one scale for the input")
    reals, none = scale.reshape(1).astype(np.float64), np.zeros(1, dtype=np.int64)
    return quantized_input(builder, node, source, levels, reals, none, to_nearest=False, dtype=dtype)
