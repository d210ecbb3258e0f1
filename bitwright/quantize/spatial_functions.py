"""Functions on images that a forward() calls by itself: pools, means, upsampling, padding."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from bitwright.errors import LoweringError
from bitwright.graph import Upsample
from bitwright.quantize import pooling
from bitwright.quantize.arrangement import channels_first, flatten
from bitwright.quantize.layout import Layout
from bitwright.quantize.planner import Planner
from bitwright.quantize.value import IntegerValue, PaddedValue, Value
from bitwright.quantize.views import reshaped
from bitwright.quantize.window import Window

_MAX = ("kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")
_AVERAGE = ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override")
_ADAPTIVE = ("output_size", "return_indices")

POOLS: Mapping[Any, tuple[str, int, tuple[str, ...]]] = {
    functional.max_pool1d: ("max", 1, _MAX),
    functional.max_pool2d: ("max", 2, _MAX),
    torch.max_pool1d: ("max", 1, _MAX),
    torch.max_pool2d: ("max", 2, _MAX),
    functional.avg_pool1d: ("average", 1, _AVERAGE),
    functional.avg_pool2d: ("average", 2, _AVERAGE),
    functional.adaptive_max_pool1d: ("adaptive max", 1, _ADAPTIVE),
    functional.adaptive_max_pool2d: ("adaptive max", 2, _ADAPTIVE),
    functional.adaptive_avg_pool1d: ("adaptive average", 1, _ADAPTIVE),
    functional.adaptive_avg_pool2d: ("adaptive average", 2, _ADAPTIVE),
}
"""Kind, spatial axes, and the names of the arguments behind the input."""

REDUCE: Mapping[Any, str] = {
    torch.mean: "mean", "mean": "mean", torch.sum: "sum", "sum": "sum", torch.amax: "amax", "amax": "amax",
}  # fmt: skip
INTERPOLATE: frozenset[Any] = frozenset({functional.interpolate})
PAD: frozenset[Any] = frozenset({functional.pad})
SPATIAL: frozenset[Any] = frozenset(POOLS) | INTERPOLATE | PAD
"""Functions whose input has its channels in axis 1."""


def spatial_function(
    planner: Planner,
    node: str,
    name: str,
    target: Any,
    value: Value,
    rest: Sequence[Any],
    keywords: Mapping[str, Any],
    replaceable: bool,
) -> Value:
    """The value behind one of SPATIAL or REDUCE; `rest` and `keywords` are its arguments behind the input."""
    if target in POOLS:
        kind, axes, words = POOLS[target]
        return _pool(planner, node, name, value, kind, axes, _bound(name, words, rest, keywords), replaceable)
    if target in REDUCE:
        return _reduce(planner, node, name, value, REDUCE[target], rest, keywords, replaceable)
    if target in PAD:
        options = _bound(name, ("pad", "mode", "value"), rest, keywords)
        if options.get("mode", "constant") != "constant":
            raise LoweringError(name, f"pads by {options['mode']}", "pad with a constant")
        return pad(planner, name, value, options["pad"], options.get("value") or 0.0)
    words = ("size", "scale_factor", "mode", "align_corners", "recompute_scale_factor", "antialias")
    options = _bound(name, words, rest, keywords)
    return upsample(
        planner, node, name, value, options.get("size"), options.get("scale_factor"), options.get("mode", "nearest")
    )


def _bound(name: str, words: Sequence[str], rest: Sequence[Any], keywords: Mapping[str, Any]) -> dict[str, Any]:
    options = {**dict(zip(words, rest, strict=False)), **keywords}
    if len(rest) > len(words) or not set(options) <= set(words):
        raise LoweringError(name, "is called with arguments that are not known here", "use the plain form")
    return options


def _pool(
    planner: Planner,
    node: str,
    name: str,
    value: Value,
    kind: str,
    axes: int,
    options: Mapping[str, Any],
    replaceable: bool,
) -> IntegerValue:
    if options.get("return_indices"):
        raise LoweringError(name, "returns indices", "leave out return_indices")
    if kind.startswith("adaptive"):
        size = pooling.spatial_size(name, value, axes)
        window, ceil = pooling.adaptive_window(name, size, options["output_size"]), False
    else:
        stride, padding = options.get("stride"), options.get("padding", 0)
        window = pooling.pool_window(options["kernel_size"], stride, padding, options.get("dilation", 1), axes)
        ceil = bool(options.get("ceil_mode"))
    if kind.endswith("max"):
        return pooling.max_pool(planner, node, name, value, window, ceil, replaceable)
    include, divisor = options.get("count_include_pad", True), options.get("divisor_override")
    return pooling.average_pool(planner, node, name, value, window, ceil, include, divisor)


def _reduce(
    planner: Planner,
    node: str,
    name: str,
    value: Value,
    kind: str,
    rest: Sequence[Any],
    keywords: Mapping[str, Any],
    replaceable: bool,
) -> IntegerValue:
    options = _bound(name, ("dim", "keepdim"), rest, keywords)
    source = planner.integers(name, value)
    shape = source.layout.module_shape
    axes, given = len(shape) - 1, options.get("dim")
    dims = tuple(given) if isinstance(given, tuple | list) else () if given is None else (given,)
    if sorted(dim % (axes + 2) for dim in dims) != list(range(2, axes + 2)) or axes not in (1, 2):
        raise LoweringError(
            name, f"is not over all axes behind the channels of {('batch', *shape)}", "use mean((2, 3)), or mean(2)"
        )
    source = channels_first(planner, node, name, source)
    window = Window(shape[1:], shape[1:], ((0, 0),) * axes, (1,) * axes)
    keep = bool(options.get("keepdim", False))
    view: Callable[[Any], Any] = (lambda places: places) if keep else reshaped(shape[:1])
    if kind == "amax":
        pooled = pooling.max_pool(planner, node, name, source, window, False, replaceable, view)
    else:
        divisor = int(np.prod(shape[1:])) if kind == "mean" else 1
        pooled = pooling.sum_pool(planner, node, name, source, window, divisor, view)
    return flatten(planner, node, f"{name}.flatten", pooled)


def pad(planner: Planner, name: str, value: Value, sides: Any, constant: float) -> Value:
    """The value with constants around it, for the next convolution or pool; `sides` as torch.nn.functional.pad."""
    inner = value.inner if isinstance(value, PaddedValue) else planner.integers(name, value)
    numbers = [int(one) for one in sides]
    axes = len(inner.layout.module_shape) - 1
    pairs = tuple((numbers[i], numbers[i + 1]) for i in range(0, len(numbers), 2))[::-1]
    if len(pairs) > axes or any(side < 0 for side in numbers) or len(numbers) % 2:
        raise LoweringError(name, f"pads by {tuple(numbers)}", "pad the axes behind the channels, by 0 or more")
    pads = ((0, 0),) * (axes - len(pairs)) + pairs
    if isinstance(value, PaddedValue):
        if value.value != constant:
            raise LoweringError(name, "pads with another value than the padding before it", "pad once")
        pads = tuple((a + c, b + d) for (a, b), (c, d) in zip(value.pads, pads, strict=True))
    return PaddedValue(inner, pads, float(constant))


def upsample(
    planner: Planner, node: str, name: str, value: Value, size: Any, scale_factor: Any, mode: str
) -> IntegerValue:
    """The value with every element repeated along the spatial axes."""
    if mode != "nearest":
        raise LoweringError(name, f"interpolates by {mode}", 'use mode="nearest"')
    source = planner.integers(name, value)
    source = channels_first(planner, node, name, source)
    sizes = source.shape[:-1]
    if scale_factor is not None:
        given = scale_factor if isinstance(scale_factor, tuple | list) else (scale_factor,) * len(sizes)
        factors = tuple(float(one) for one in given)
    else:
        given = size if isinstance(size, tuple | list) else (size,) * len(sizes)
        factors = tuple(int(one) / n for one, n in zip(given, sizes, strict=True))
    if any(factor != int(factor) or factor < 1 for factor in factors):
        raise LoweringError(name, f"enlarges by {factors}", "use whole factors")
    name = planner.unique(name)
    operation = Upsample(
        name=name, inputs=(source.tensor,), output=name, factors=tuple(int(factor) for factor in factors)
    )
    _, layout = planner.operation(node, operation, (source,), Layout.channels_first, step=source.grid_step)
    return replace(source, tensor=name, layout=layout)
