"""QuantizeLinear and DequantizeLinear: the quantizers of standard ONNX, around operators on reals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch

from bitwright.graph import IntType
from bitwright.quantize.qonnx.arranging import per_channel
from bitwright.quantize.qonnx.builder import Builder
from bitwright.quantize.qonnx.handler import Handler, Values
from bitwright.quantize.qonnx.inputs import per_input_channel, quantized_input
from bitwright.quantize.qonnx.model import Array, Node
from bitwright.quantize.qonnx.quantizers import as_real_function, float32_constant
from bitwright.quantize.qonnx.value import Constant, RealInput, Scaled, Value, on_grid

TYPES: Mapping[str, IntType] = {
    "uint8": IntType.unsigned(8),
    "int8": IntType.signed_bits(8),
    "uint16": IntType.unsigned(16),
    "int16": IntType.signed_bits(16),
    "uint4": IntType.unsigned(4),
    "int4": IntType.signed_bits(4),
    "uint2": IntType.unsigned(2),
    "int2": IntType.signed_bits(2),
}
"""What QuantizeLinear saturates to, by the type of its zero point."""

OUTPUT_TYPES = {2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 21: "uint4", 22: "int4"}
"""ONNX element types, where the attribute output_dtype says it."""

CLIP_LO, CLIP_HI = "clipped_to_lo", "clipped_to_hi"
"""Attributes of a QuantizeLinear that a Clip of its integers was merged into."""


def merge_clips(nodes: tuple[Node, ...], constants: Mapping[str, Array]) -> tuple[Node, ...]:
    """QuantizeLinear and a Clip that alone reads its integers (so narrow types are written) become one node."""
    readers = Counter(name for node in nodes for name in node.inputs)
    makers = {name: place for place, node in enumerate(nodes) for name in node.outputs}
    kept: list[Node | None] = list(nodes)
    held = dict(constants)
    for node in nodes:
        if node.kind == "Constant" and isinstance(node.attributes.get("value"), np.ndarray):
            held[node.outputs[0]] = node.attributes["value"]
    for place, node in enumerate(nodes):
        source = makers.get(node.inputs[0], -1) if node.inputs else -1
        if node.kind != "Clip" or source < 0 or nodes[source].kind != "QuantizeLinear":
            continue
        bounds = [held.get(name) if name else None for name in (*node.inputs[1:], "", "")[:2]]
        named = [bool(name) for name in (*node.inputs[1:], "", "")[:2]]
        if readers[node.inputs[0]] != 1 or any(n and b is None for n, b in zip(named, bounds, strict=True)):
            continue
        words = zip((CLIP_LO, CLIP_HI), bounds, strict=True)
        extra = {word: int(bound.item()) for word, bound in words if bound is not None}
        quantizer = nodes[source]
        kept[source] = replace(quantizer, outputs=node.outputs, attributes={**quantizer.attributes, **extra})
        kept[place] = None
    return tuple(node for node in kept if node is not None)


def _scale_and_zero(builder: Builder, node: Node, values: Values, shape: tuple[int, ...]) -> tuple[Array, Array, str]:
    """Scale and zero point, shaped to broadcast against the tensor, and the integer type's name."""
    scale = float32_constant(builder, node, values[1], "scale")
    zero: Array = np.zeros_like(scale, dtype=np.uint8)
    word = OUTPUT_TYPES.get(node.integer("output_dtype", 0), "uint8")
    if len(values) > 2 and values[2] is not None:
        zero = builder.constant(node, values[2], "zero point").values
        word = zero.dtype.name
    if node.integer("block_size", 0):
        raise node.error("has a scale for each block", "use one scale, or one for each channel")
    if scale.size > 1:
        axis = node.integer("axis", 1)
        if scale.ndim != 1 or not -len(shape) <= axis < len(shape) or shape[axis] != scale.size:
            raise node.error(f"has scales of shape {scale.shape} on axis {axis} of {shape}", "one for each channel")
        spread = [1] * len(shape)
        spread[axis] = scale.size
        scale, zero = scale.reshape(spread), np.broadcast_to(zero, scale.shape).reshape(spread)
    if np.any(scale <= 0):
        raise node.error("has a scale that is not above 0", "calibrate or train it")
    return scale, zero.astype(np.int64), word


def quantize_linear(builder: Builder, node: Node, values: Values) -> tuple[Value, ...]:
    """QuantizeLinear: the integers themselves, zero point included, in its output tensor."""
    source = values[0]
    assert source is not None
    if isinstance(source, Constant):
        shape = source.values.shape
    elif isinstance(source, RealInput):
        shape = source.index.shape
    else:
        source = builder.integers(node, source)
        shape = source.index.shape
    scale, zero, word = _scale_and_zero(builder, node, values, shape)
    if word not in TYPES:
        raise node.error(f"quantizes to {word}", f"use one of {', '.join(TYPES)}")
    lo = max(TYPES[word].lo, node.integer(CLIP_LO, TYPES[word].lo))
    hi = min(TYPES[word].hi, node.integer(CLIP_HI, TYPES[word].hi))
    if isinstance(source, Constant):
        whole = np.clip(np.rint(source.values / scale) + zero, lo, hi).astype(np.int64)
        return (Constant(whole.astype(word) if word in ("uint8", "int8", "uint16", "int16") else whole),)
    if isinstance(source, RealInput):
        return (_quantized_input(builder, node, source, scale, zero, (lo, hi)),)
    value, steps = per_channel(builder, node, source, np.broadcast_to(scale, shape), "a scale")
    value, zeros = per_channel(builder, node, value, np.broadcast_to(zero, shape), "a zero point")
    value, steps = per_channel(builder, node, value, np.broadcast_to(scale, shape), "a scale")
    return (_rounded(builder, node, value, steps, zeros, (lo, hi)),)


def _rounded(builder: Builder, node: Node, value: Scaled, steps: Array, zeros: Array, ends: tuple[int, int]) -> Scaled:
    lo, hi = ends
    dtype = IntType(lo - int(zeros.max()), hi - int(zeros.min()))
    function = as_real_function(lambda x: np.clip(np.rint(x / steps) + zeros, lo, hi) - zeros)
    slope = None if value.slope is None else value.slope / steps
    result = builder.quantize(node, value, dtype, np.ones(value.channels), function, slope)
    return _shifted(result, np.broadcast_to(zeros, (value.channels,)))


def saturated(
    builder: Builder, node: Node, value: Scaled, steps: Array, zeros: Array, dtype: np.dtype[np.generic]
) -> Scaled:
    """`value / steps` rounded to the nearest even, plus `zeros`, as integers of `dtype`; (1,) or (channels,)."""
    if dtype.name not in TYPES:
        raise node.error(f"quantizes to {dtype.name}", f"use one of {', '.join(TYPES)}")
    return _rounded(builder, node, value, steps, zeros, (TYPES[dtype.name].lo, TYPES[dtype.name].hi))


def _shifted(value: Scaled, zeros: Array) -> Scaled:
    shift = torch.from_numpy(zeros.astype(np.float32))
    return value if not np.any(zeros) else value.then_affine(lambda x: x + shift, 1.0, zeros.astype(np.float64))


def _quantized_input(
    builder: Builder, node: Node, source: RealInput, scale: Array, zero: Array, ends: tuple[int, int]
) -> Scaled:
    steps = per_input_channel(node, source, scale, "a scale")
    zeros = per_input_channel(node, source, zero, "a zero point")
    lo, hi = ends

    def levels(x: Array) -> Array:
        integers: Array = np.clip(np.rint(x / steps) + zeros, lo, hi) - zeros
        return integers

    none = np.zeros(1, dtype=np.int64)
    result = quantized_input(builder, node, source, levels, steps.astype(np.float64), none)
    # The output is the integers themselves, not what they stand for.
    ones = on_grid(result.tensor, result.shape, result.dtype, np.ones(result.channels), result.index)
    return _shifted(ones, np.broadcast_to(zeros, (result.channels,)))


def dequantize_linear(builder: Builder, node: Node, values: Values) -> tuple[Value, ...]:
    """DequantizeLinear: (integer - zero point) * scale."""
    source = values[0]
    assert source is not None
    shape = source.values.shape if isinstance(source, Constant) else builder.integers(node, source).index.shape
    scale, zero, _ = _scale_and_zero(builder, node, values, shape)
    if isinstance(source, Constant):
        whole = source.values.astype(np.int64) - zero
        reals = np.asarray(whole.astype(np.float32) * scale, dtype=np.float32)
        return (Constant(reals, whole, np.broadcast_to(scale.astype(np.float64), reals.shape)),)
    value = builder.integers(node, source)
    value, zeros = per_channel(builder, node, value, np.broadcast_to(zero, shape), "a zero point")
    value, steps = per_channel(builder, node, value, np.broadcast_to(scale, shape), "a scale")
    value, zeros = per_channel(builder, node, value, np.broadcast_to(zero, shape), "a zero point")
    shift, factor = torch.from_numpy(zeros.astype(np.float32)), torch.from_numpy(np.array(steps))
    value = value.then_affine(lambda x: x - shift, 1.0, -zeros.astype(np.float64))
    return (value.then_affine(lambda x: x * factor, steps.astype(np.float64), 0.0),)


HANDLERS: dict[tuple[str, str], Handler] = {
    ("", "QuantizeLinear"): quantize_linear,
    ("", "DequantizeLinear"): dequantize_linear,
}
