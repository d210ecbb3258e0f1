"""Quant, BipolarQuant, MultiThreshold, Trunc and Sign: real tensors become integers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from bitwright.graph import BIPOLAR, IntType
from bitwright.quantize.qonnx.arranging import per_channel
from bitwright.quantize.qonnx.builder import Builder
from bitwright.quantize.qonnx.handler import Handler, Values
from bitwright.quantize.qonnx.inputs import per_input_channel, quantized_input, sign_of_input
from bitwright.quantize.qonnx.model import QONNX, Array, Node
from bitwright.quantize.qonnx.rounding import ROUNDINGS, IntegerRange, Rounding, quant_integers, sign_integers
from bitwright.quantize.qonnx.value import Constant, RealInput, Scaled, Value
from bitwright.quantize.value import RealFunction

MAX_BITS = 24
"""Wider integers are not exact in float32."""

ARRAY_FIX = "make it constant: an initializer, a Constant node, or computed from such"


def as_real_function(function: Callable[[Array], Array]) -> RealFunction:
    """A NumPy function of reals, float32 where the executor's are known to the bit, as tensors of float64 integers."""
    return lambda x: torch.from_numpy(np.asarray(function(x.numpy()), dtype=np.float64))


def quant_range(node: Node, constant: Constant) -> IntegerRange:
    """Bits (a constant input) and attributes of a Quant node."""
    if constant.values.size != 1 or float(constant.values.item()) != int(constant.values.item()):
        raise node.error("has a bit width that is not one whole number", "use a whole number of bits")
    bits = int(constant.values.item())
    if not 1 <= bits <= MAX_BITS:
        raise node.error(f"quantizes to {bits} bits", f"use 1 to {MAX_BITS}")
    return IntegerRange(bits, bool(node.integer("signed", 1)), bool(node.integer("narrow", 1)))


def rounding_of(node: Node, default: str) -> Rounding:
    """The function behind the attribute `rounding_mode`."""
    mode = node.text("rounding_mode", default).upper()
    if mode not in ROUNDINGS:
        raise node.error(f"rounds by the mode {mode}", f"use one of {', '.join(ROUNDINGS)}")
    return ROUNDINGS[mode]


def float32_constant(builder: Builder, node: Node, value: Value | None, what: str) -> Array:
    """A constant input in float32."""
    if isinstance(value, Constant) and value.values.dtype != np.float32:
        raise node.error(f"has a {what} in {value.values.dtype}", "export in float32")
    if not isinstance(value, Constant):
        raise node.error(f"has a {what} that is not constant", ARRAY_FIX)
    if not np.all(np.isfinite(value.values)):
        raise node.error(f"has a {what} that is NaN or infinite", "repair it")
    return value.values


def quant(builder: Builder, node: Node, values: Values) -> tuple[Value, ...]:
    """Quant (IntQuant): integers of a range, times a scale."""
    scale = float32_constant(builder, node, values[1], "scale")
    zero_point = builder.constant(node, values[2], "zero point").values
    integers = quant_range(node, builder.constant(node, values[3], "bit width"))
    rounding = rounding_of(node, "ROUND")
    if np.any(zero_point != np.rint(zero_point)):
        raise node.error("has a zero point that is no whole number", "use whole numbers")
    source = values[0]
    if isinstance(source, Constant):
        return (_quant_constant(source, scale, zero_point, integers, rounding),)
    if isinstance(source, RealInput):
        return (_quant_input(builder, node, source, scale, zero_point, integers, rounding),)
    assert source is not None
    value = builder.integers(node, source)
    both = np.broadcast_arrays(scale, zero_point)
    value, _ = per_channel(builder, node, value, both[0], "a scale")
    value, _ = per_channel(builder, node, value, both[1], "a zero point")
    scale = per_channel(builder, node, value, both[0], "a scale")[1]
    zero_point = per_channel(builder, node, value, both[1], "a zero point")[1]
    if integers.bipolar:
        if np.any(zero_point != 0):
            raise node.error("has one signed bit and a zero point", "use a zero point of 0")
        dtype = BIPOLAR
    else:
        dtype = IntType(integers.lo - int(zero_point.max()), integers.hi - int(zero_point.min()))
    function = as_real_function(lambda x: quant_integers(x, scale, zero_point, integers, rounding) - zero_point)
    return (builder.quantize(node, value, dtype, scale.astype(np.float64), function),)


def _quant_constant(
    source: Constant, scale: Array, zero_point: Array, integers: IntegerRange, rounding: Rounding
) -> Constant:
    whole = quant_integers(source.values, scale, zero_point, integers, rounding) - zero_point
    reals = np.asarray(whole * scale, dtype=np.float32)
    return Constant(reals, whole.astype(np.int64), np.broadcast_to(scale.astype(np.float64), reals.shape))


def _quant_input(
    builder: Builder,
    node: Node,
    source: RealInput,
    scale: Array,
    zero_point: Array,
    integers: IntegerRange,
    rounding: Rounding,
) -> Scaled:
    if integers.bipolar:
        if np.any(zero_point):
            raise node.error("has one signed bit and a zero point", "use a zero point of 0")
        return sign_of_input(builder, node, source, scale, lambda x: sign_integers(x / scale.reshape(1)))
    steps = per_input_channel(node, source, scale, "a scale")
    zeros = per_input_channel(node, source, zero_point, "a zero point")

    def levels(x: Array) -> Array:
        return quant_integers(x, steps, zeros, integers, rounding)

    to_nearest = rounding is np.round
    wide, whole = steps.astype(np.float64), zeros.astype(np.int64)
    return quantized_input(builder, node, source, levels, wide, whole, to_nearest=to_nearest)


def bipolar_quant(builder: Builder, node: Node, values: Values) -> tuple[Value, ...]:
    """BipolarQuant: +1 where x >= 0, else -1, times a scale."""
    scale = float32_constant(builder, node, values[1], "scale")
    source = values[0]
    if isinstance(source, Constant):
        signs = sign_integers(source.values)
        reals = np.asarray(signs * scale, dtype=np.float32)
        return (Constant(reals, signs.astype(np.int64), np.broadcast_to(scale.astype(np.float64), reals.shape)),)
    if isinstance(source, RealInput):
        return (sign_of_input(builder, node, source, scale, sign_integers),)
    assert source is not None
    value, scale = per_channel(builder, node, builder.integers(node, source), scale, "a scale")
    return (builder.quantize(node, value, BIPOLAR, scale.astype(np.float64), as_real_function(sign_integers)),)


def sign(builder: Builder, node: Node, values: Values) -> tuple[Value, ...]:
    """Sign: -1, 0 or +1; two values only where no integer stands for 0."""
    source = values[0]
    assert source is not None
    if isinstance(source, RealInput):
        one = np.ones(1, dtype=np.float32)
        return (sign_of_input(builder, node, source, one, np.sign, IntType(-1, 1, "ternary")),)
    value = builder.integers(node, source)
    if value.affine and value.slope is not None and value.offset is not None:
        zero = np.where(value.slope != 0, -value.offset / np.where(value.slope == 0, 1.0, value.slope), 0.5)
        never = (zero != np.rint(zero)) | (zero < value.lo) | (zero > value.hi)
        if value.terms == 0 and np.all(never) and not np.any(value.slope == 0):
            ones = np.ones(value.channels)
            return (builder.quantize(node, value, BIPOLAR, ones, as_real_function(sign_integers)),)
    dtype = IntType(-1, 1, "ternary")
    return (builder.quantize(node, value, dtype, np.ones(value.channels), lambda x: torch.sign(x).double()),)


def multi_threshold(builder: Builder, node: Node, values: Values) -> tuple[Value, ...]:
    """MultiThreshold: how many thresholds x reaches, times out_scale, plus out_bias."""
    source = values[0]
    assert source is not None
    value = source if isinstance(source, RealInput) else builder.integers(node, source)
    thresholds = float32_constant(builder, node, values[1], "threshold matrix")
    if thresholds.ndim != 2 or thresholds.shape[1] < 1:
        raise node.error(f"has thresholds of shape {thresholds.shape}", "give (channels, steps)")
    axis = _channel_axis(node, value.index.ndim)
    if len(thresholds) not in (1, value.index.shape[axis]):
        raise node.error(
            f"has {len(thresholds)} rows for a tensor of shape {value.index.shape}", "one for each channel"
        )
    shape = [1] * value.index.ndim
    shape[axis] = len(thresholds)
    numbers = np.arange(len(thresholds)).reshape(shape)
    if isinstance(value, RealInput):
        table = thresholds[per_input_channel(node, value, numbers, "rows")]
    else:
        value, rows = per_channel(builder, node, value, numbers, "rows")
        table = thresholds[rows]
    scale, bias = node.real("out_scale", 1.0), node.real("out_bias", 0.0)
    steps = thresholds.shape[1]
    out_scale, out_bias = torch.tensor(scale, dtype=torch.float32), torch.tensor(bias, dtype=torch.float32)

    def count(x: NDArray[np.float32]) -> Array:
        found = np.zeros(x.shape, dtype=np.int64)
        for step in range(steps):
            found += x >= table[:, step]
        return found

    first = int(bias // scale) if scale > 0 and bias % scale == 0 else 0
    unit, dtype, step = 1, IntType(0, steps), 1.0
    bipolar = steps == 1 and scale > 0 and scale == -2 * bias
    on_steps = bipolar or (scale > 0 and bias == first * scale)
    if bipolar:
        dtype, step, unit, first = BIPOLAR, scale / 2, 2, -1
    elif on_steps:
        dtype, step = IntType(first, first + steps), scale

    def integers(x: Array) -> Array:
        return unit * count(x) + first

    if isinstance(value, RealInput):
        one, none = np.full(1, step), np.zeros(1, dtype=np.int64)
        uniform = value if len(table) == 1 else replace(value, uniform=False)
        result = quantized_input(builder, node, uniform, integers, one, none, to_nearest=False, dtype=dtype)
    else:
        wide = np.full(value.channels, step)
        result = builder.quantize(node, value, dtype, wide, as_real_function(integers))
    if not on_steps:
        return (result.then_affine(lambda x: out_scale * x + out_bias, scale, bias),)
    # Integer times scale, but rounded as scale times count plus bias is.
    return (replace(result, steps=(lambda x: out_scale * ((x.float() - first) / unit) + out_bias,)),)


def _channel_axis(node: Node, ndim: int) -> int:
    layout = node.text("data_layout", "") or {2: "NC", 3: "NWC", 4: "NCHW"}.get(ndim, "")
    axis = layout.index("C") if "C" in layout else 1
    if axis >= ndim:
        raise node.error(f"has the layout {layout} for a tensor of {ndim} axes", "repair data_layout")
    return axis


def trunc(builder: Builder, node: Node, values: Values) -> tuple[Value, ...]:
    """Trunc: integers shifted right, in its first version (4 bits widths) or second (scales)."""
    source = values[0]
    assert source is not None
    value = builder.integers(node, source)
    newer = node.version >= 2
    if len(values) != (6 if newer else 5):
        raise node.error(f"has {len(values)} inputs in version {node.version} of its operator set", "export it again")
    names = ["scale", "zero point", "input bit width", "output scale", "output bit width"]
    if not newer:
        names.remove("output scale")
    held = [builder.constant(node, one, name).values for one, name in zip(values[1:], names, strict=True)]
    if any(one.size != 1 for one in held):
        raise node.error("has more than one scale, zero point or bit width", "use one for the tensor")
    scale, zero = np.float32(held[0].item()), np.float32(held[1].item())
    if newer:
        out_scale, out_bits = np.float32(held[3].item()), quant_range(node, Constant(held[4]))
        out_bits = IntegerRange(out_bits.bits, bool(node.integer("signed", 1)), bool(node.integer("narrow", 0)))
        factor = np.float32(2 ** np.round(np.log2(out_scale / scale)))
    else:
        out_scale, factor = scale, np.float32(2.0 ** (held[2].item() - held[3].item()))
    rounding = rounding_of(node, "FLOOR")
    out_zero = zero / factor if newer else zero
    if out_zero != np.rint(out_zero):
        raise node.error("has a zero point that its output cannot hold", "use a zero point of 0")

    def integers(x: Array) -> Array:
        y = np.round(x / scale + zero) / factor
        if newer:
            y = np.clip(y, np.float32(out_bits.lo), np.float32(out_bits.hi))
        return rounding(y) - out_zero

    ends = integers(value.real(np.stack([value.lo, value.hi])).numpy())
    dtype = IntType(int(ends.min()), int(ends.max()))
    return (
        builder.quantize(node, value, dtype, np.full(value.channels, float(out_scale)), as_real_function(integers)),
    )


HANDLERS: dict[tuple[str, str], Handler] = {
    (QONNX, "Quant"): quant,
    (QONNX, "IntQuant"): quant,
    (QONNX, "BipolarQuant"): bipolar_quant,
    (QONNX, "MultiThreshold"): multi_threshold,
    (QONNX, "Trunc"): trunc,
    ("", "Sign"): sign,
}
