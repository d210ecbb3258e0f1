"""Kernel, stride, pads and dilation of ONNX's convolutions and pools."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bitwright.quantize.qonnx.arranging import channels_last, in_order
from bitwright.quantize.qonnx.builder import Builder
from bitwright.quantize.qonnx.model import Node
from bitwright.quantize.qonnx.value import Padded, Scaled, Value, Window

Pads = tuple[tuple[int, int], ...]


def read_window(node: Node, size: tuple[int, ...], kernel: tuple[int, ...]) -> Window:
    """The window of a node on images of `size`; `auto_pad` and `ceil_mode` become pads."""
    axes = len(size)
    if len(kernel) != axes or axes not in (1, 2):
        raise node.error(f"has a kernel of {len(kernel)} axes on {axes}", "one or two spatial axes have a form here")
    stride = tuple(node.integers("strides", None) or (1,) * axes)
    dilation = tuple(node.integers("dilations", None) or (1,) * axes)
    flat = node.integers("pads", None) or [0] * (2 * axes)
    if len(stride) != axes or len(dilation) != axes or len(flat) != 2 * axes:
        raise node.error("has strides, dilations or pads of another number of axes", "repair them")
    if any(value < 1 for value in (*kernel, *stride, *dilation)) or any(value < 0 for value in flat):
        raise node.error("has a kernel, stride or dilation below 1, or negative pads", "repair them")
    reach = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))
    auto = node.text("auto_pad", "NOTSET")
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        pads = tuple(_same(n, r, s, auto) for n, r, s in zip(size, reach, stride, strict=True))
    elif auto in ("NOTSET", "VALID", ""):
        pads = tuple((0, 0) if auto == "VALID" else (flat[axis], flat[axis + axes]) for axis in range(axes))
    else:
        raise node.error(f"has auto_pad {auto}", "use explicit pads")
    if node.integer("ceil_mode", 0):
        pads = tuple(_ceiled(n, r, s, p) for n, r, s, p in zip(size, reach, stride, pads, strict=True))
    return Window(kernel, stride, pads, dilation)


def _same(size: int, reach: int, stride: int, auto: str) -> tuple[int, int]:
    total = max(0, (-(-size // stride) - 1) * stride + reach - size)
    return (total // 2, total - total // 2) if auto == "SAME_UPPER" else (total - total // 2, total // 2)


def _ceiled(size: int, reach: int, stride: int, pads: tuple[int, int]) -> tuple[int, int]:
    """Pads behind that make the last, partial window a whole one; it must start inside the image or its pads."""
    span = size + sum(pads) - reach
    count = -(-span // stride) + 1
    if (count - 1) * stride >= size + pads[0]:
        count -= 1
    return pads[0], pads[1] + max(0, (count - 1) * stride - span)


def spatial_source(builder: Builder, node: Node, value: Value, axis: int) -> tuple[Scaled, Pads, float]:
    """An image or signal with its channels (ONNX axis `axis`) last; explicit pads around it, and their real value."""
    pads: Pads = ()
    fill = 0.0
    if isinstance(value, Padded):
        if any(value.pads[0]) or any(value.pads[axis]):
            raise node.error("follows a Pad of the batch or the channels", "pad spatial axes alone")
        pads = tuple(pair for place, pair in enumerate(value.pads) if place not in (0, axis))
        fill, value = value.fill, value.inner
    source = builder.integers(node, value)
    if source.index.ndim not in (3, 4):
        raise node.error(
            f"works on a tensor of shape {source.index.shape}", "signals and images have a form here, 3 or 4 axes"
        )
    arranged = in_order(builder, node, source, channels_last(source.index.ndim, axis))
    return arranged, pads or ((0, 0),) * (source.index.ndim - 2), fill


def padded_window(node: Node, window: Window, pads: Pads, fill: float) -> Window:
    """The window with the pads of a Pad node before it, which pads with `fill`, added to its own, which pad with 0."""
    if fill != 0.0 and any(any(pair) for pair in pads) and any(any(pair) for pair in window.pads):
        raise node.error(f"pads with 0 behind a Pad with {fill:g}", "pad in one place")
    both = tuple((a + c, b + d) for (a, b), (c, d) in zip(pads, window.pads, strict=True))
    return replace(window, pads=both)


def pad_integer(node: Node, value: Scaled, fill: float) -> int:
    """The integer that stands for the real `fill`."""
    slope, offset = value.parts()
    integers = (fill - offset) / slope
    if np.any(integers != integers[0]) or integers[0] != np.rint(integers[0]):
        raise node.error(
            f"pads with {fill:g}, for which its input has no integer ({integers.min():.4g} to {integers.max():.4g})",
            "use a zero point of 0; for bits BipolarQuant, or MultiThreshold with out_scale 2 and out_bias -1",
        )
    return int(integers[0])
