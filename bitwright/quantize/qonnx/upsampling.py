"""Resize and Upsample: nearest-neighbour enlargement."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bitwright.graph import IntArray, Upsample
from bitwright.quantize.qonnx.arranging import channels_last, from_channels_last, in_order
from bitwright.quantize.qonnx.builder import Builder
from bitwright.quantize.qonnx.handler import Handler, Values
from bitwright.quantize.qonnx.model import Array, Node
from bitwright.quantize.qonnx.value import Value, plain_index


def upsample(builder: Builder, node: Node, values: Values) -> tuple[Value, ...]:
    """Resize or Upsample by whole numbers, nearest neighbour."""
    assert values[0] is not None
    value = builder.integers(node, values[0])
    ndim = value.index.ndim
    factors = _factors(builder, node, values, value.index.shape)
    if all(factor == 1 for factor in factors):
        return (value,)
    if ndim not in (3, 4) or factors[0] != 1:
        raise node.error(f"scales {value.index.shape} by {factors}", "scale spatial axes by whole numbers from 2 on")
    axis = 1 if factors[1] == 1 else ndim - 1
    if factors[axis] != 1:
        raise node.error("scales all axes", "leave the channels as they are")
    value = in_order(builder, node, value, channels_last(ndim, axis))
    spatial = tuple(factor for place, factor in enumerate(factors) if place not in (0, axis))
    source = value.tensor
    tensor = builder.emit(
        node, lambda name, output: Upsample(name=name, inputs=(source,), output=output, factors=spatial), name=node.name
    )
    shape = builder.specs[tensor].shape
    return (replace(value, tensor=tensor, shape=shape, index=from_channels_last(plain_index(shape), axis)),)


def _factors(builder: Builder, node: Node, values: Values, shape: tuple[int, ...]) -> list[int]:
    if node.text("mode", "nearest") != "nearest":
        raise node.error(f"interpolates by {node.text('mode', '')}", "use the mode nearest")
    scales: Array | None = None
    place = 2 if node.kind == "Resize" and node.version >= 11 else 1
    if "scales" in node.attributes:
        scales = np.asarray(node.attributes["scales"], dtype=np.float64)
    elif len(values) > place and values[place] is not None:
        scales = builder.constant(node, values[place], "scales").values.astype(np.float64)
    if (scales is None or scales.size == 0) and len(values) > 3 and values[3] is not None:
        scales = builder.constant(node, values[3], "sizes").values / np.array(shape, dtype=np.float64)
        if scales.size == len(shape) and shape[0] == 1:
            scales[0] = 1.0
    if scales is None or scales.size != len(shape) or np.any(scales != np.rint(scales)) or np.any(scales < 1):
        raise node.error(f"scales by {scales}", "use a whole number for each axis")
    factors = [int(one) for one in scales]
    if node.kind == "Resize" and node.version >= 11:
        for size, factor in zip(shape, factors, strict=True):
            if factor > 1 and not np.array_equal(_nearest(node, size, factor), np.arange(size * factor) // factor):
                raise node.error("does not repeat every element", "use coordinates asymmetric and nearest_mode floor")
    return factors


def _nearest(node: Node, size: int, factor: int) -> IntArray:
    """Which element each output takes, by the node's rules."""
    out = np.arange(size * factor, dtype=np.float64)
    mode = node.text("coordinate_transformation_mode", "half_pixel")
    if mode in ("half_pixel", "pytorch_half_pixel"):
        place = (out + 0.5) / factor - 0.5
    elif mode == "asymmetric":
        place = out / factor
    elif mode == "align_corners" and size > 1:
        place = out * (size - 1) / (size * factor - 1)
    else:
        raise node.error(f"has the coordinates {mode}", "use asymmetric")
    rounding = node.text("nearest_mode", "round_prefer_floor")
    rules = {
        "round_prefer_floor": np.ceil(place - 0.5),
        "round_prefer_ceil": np.floor(place + 0.5),
        "floor": np.floor(place),
        "ceil": np.ceil(place),
    }
    if rounding not in rules:
        raise node.error(f"rounds by {rounding}", "use floor")
    found: IntArray = np.clip(rules[rounding], 0, size - 1).astype(np.int64)
    return found


HANDLERS: dict[tuple[str, str], Handler] = {
    ("", "Resize"): upsample,
    ("", "Upsample"): upsample,
}
