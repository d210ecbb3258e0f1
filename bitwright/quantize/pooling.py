"""Pools: what PyTorch's layers and functions say, and the operations that compute them on integers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from torch import Tensor, nn

from bitwright.errors import LoweringError
from bitwright.graph import IntType, MaxPool, Operation, Requant, SumPool, Threshold
from bitwright.quantize.arrangement import channels_first
from bitwright.quantize.layout import Layout, Places
from bitwright.quantize.planner import Planner
from bitwright.quantize.sums import merge_pads, negate_weights
from bitwright.quantize.value import IntegerValue, PaddedValue, RealFunction, Value
from bitwright.quantize.window import Window, per_axis, symmetric

AVERAGE_FIX = "put a quantizer before it, or take a MaxPool"

MAX_POOLS = (nn.MaxPool1d, nn.MaxPool2d)
AVERAGE_POOLS = (nn.AvgPool1d, nn.AvgPool2d)
ADAPTIVE_MAX_POOLS = (nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d)
ADAPTIVE_AVERAGE_POOLS = (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d)
POOLS = (*MAX_POOLS, *AVERAGE_POOLS, *ADAPTIVE_MAX_POOLS, *ADAPTIVE_AVERAGE_POOLS)


def pool_layer(planner: Planner, node: str, name: str, layer: Any, value: Value, replaceable: bool) -> IntegerValue:
    """The value behind one of POOLS. `replaceable`: nothing else reads what the layer before it computes."""
    axes = 1 if type(layer).__name__.endswith("1d") else 2
    if isinstance(layer, MAX_POOLS):
        if layer.return_indices:
            raise LoweringError(name, "returns indices", "leave out return_indices")
        window = pool_window(layer.kernel_size, layer.stride, layer.padding, layer.dilation, axes)
        return max_pool(planner, node, name, value, window, layer.ceil_mode, replaceable)
    if isinstance(layer, AVERAGE_POOLS):
        window = pool_window(layer.kernel_size, layer.stride, layer.padding, 1, axes)
        divisor = getattr(layer, "divisor_override", None)
        return average_pool(planner, node, name, value, window, layer.ceil_mode, layer.count_include_pad, divisor)
    size = spatial_size(name, value, axes)
    window = adaptive_window(name, size, layer.output_size)
    if isinstance(layer, ADAPTIVE_MAX_POOLS):
        if layer.return_indices:
            raise LoweringError(name, "returns indices", "leave out return_indices")
        return max_pool(planner, node, name, value, window, False, replaceable)
    return average_pool(planner, node, name, value, window, False, True, None)


def pool_window(kernel: Any, stride: Any, padding: Any, dilation: Any, axes: int) -> Window:
    """A pool's window; no `stride` is the kernel."""
    sizes = per_axis(kernel, axes)
    steps = sizes if stride is None or stride == () or stride == [] else per_axis(stride, axes)
    return Window(sizes, steps, symmetric(padding, axes), per_axis(dilation, axes))


def adaptive_window(name: str, size: tuple[int, ...], output_size: Any) -> Window:
    """The window of an adaptive pool whose outputs divide the image."""
    wanted = output_size if isinstance(output_size, tuple | list) else (output_size,) * len(size)
    counts = tuple(n if count is None else int(count) for n, count in zip(size, wanted, strict=True))
    if any(n % count for n, count in zip(size, counts, strict=True)):
        raise LoweringError(name, f"its outputs {counts} do not divide {size}", "use an output size that divides")
    kernel = tuple(n // count for n, count in zip(size, counts, strict=True))
    return Window(kernel, kernel, ((0, 0),) * len(size), (1,) * len(size))


def spatial_size(name: str, value: Value, axes: int) -> tuple[int, ...]:
    """The last `axes` sizes of the module's tensor (channels, *size)."""
    inner = value.inner if isinstance(value, PaddedValue) else value
    if isinstance(value, PaddedValue) or not isinstance(inner, IntegerValue):
        raise LoweringError(name, "does not follow a quantized image", "quantize first, and pad in the pool itself")
    shape = inner.layout.module_shape
    if len(shape) != axes + 1:
        raise LoweringError(name, f"its input has shape {shape}", f"give it channels and {axes} axes")
    return shape[1:]


def _source(planner: Planner, node: str, name: str, value: Value, axes: int) -> IntegerValue:
    inner = planner.integers(name, value.inner if isinstance(value, PaddedValue) else value)
    if len(inner.layout.module_shape) != axes + 1:
        raise LoweringError(
            name, f"its input has shape {inner.layout.module_shape}", f"give it channels and {axes} axes"
        )
    return channels_first(planner, node, name, inner)


def max_pool(
    planner: Planner,
    node: str,
    name: str,
    value: Value,
    window: Window,
    ceil_mode: bool,
    replaceable: bool,
    view: Callable[[Places], Places] = lambda places: places,
) -> IntegerValue:
    """The value behind a max-pool: the largest integers, or the smallest where the real function falls.

    `view` is what PyTorch makes of the result's shape.
    """
    source = _source(planner, node, name, value, len(window.kernel))
    if isinstance(value, PaddedValue):
        # PyTorch's padding takes part here; it never wins where it is the smallest value there is.
        ends = source.real(np.stack([source.lo, source.hi])).numpy().min()
        if value.value > ends:
            raise LoweringError(name, f"follows padding by {value.value}", "pad in the pool itself, which never wins")
        window = replace(window.padded(value.pads), pad_value=0.0)
    if ceil_mode:
        window = window.rounded_up(source.shape[:-1])
    source = _all_rising(planner, node, name, source, replaceable)
    name = planner.unique(name)
    operation = MaxPool(
        name=name,
        inputs=(source.tensor,),
        output=name,
        kernel=window.kernel,
        stride=window.stride,
        padding=window.padding,
        dilation=window.dilation,
    )
    _, layout = planner.operation(
        node, operation, (source,), lambda shape: Layout.channels_first(shape).view(view), step=source.grid_step
    )
    return replace(source, tensor=name, layout=layout)


def _all_rising(planner: Planner, node: str, name: str, value: IntegerValue, replaceable: bool) -> IntegerValue:
    """The value as a rising function of integers: those of falling channels are negated.

    The largest real is that of the smallest integer where the function falls, and min(x) = -max(-x). A sum is negated
    by its weights, which costs nothing; other integers by an operation.
    """
    falling = value.rising < 0
    if not np.any(falling):
        return value
    signs = np.where(falling, -1, 1).astype(np.int64)
    reals = signs.astype(np.float64)

    def negated(function: RealFunction) -> RealFunction:
        return lambda integers: function(integers * integers.new_tensor(reals))

    first = value.steps[0]
    changed = replace(
        value,
        lo=np.where(falling, -value.hi, value.lo),
        hi=np.where(falling, -value.lo, value.hi),
        steps=(negated(first), *value.steps[1:]),
        slope=None if value.slope is None else value.slope * reals,
        rising=value.rising * signs,
    )
    if replaceable and negate_weights(planner, value.tensor, signs):
        return replace(changed, dtype=IntType(int(changed.lo.min()), int(changed.hi.max())))
    made = planner.unique(f"{name}.signs")
    low, high = min(value.dtype.lo, -value.dtype.hi), max(value.dtype.hi, -value.dtype.lo)
    dtype = value.dtype if value.dtype.kind != "integer" else IntType(low, high)
    operation: Operation
    if dtype.kind == "bipolar":
        ones = np.ones((len(signs), 1), dtype=np.int64)
        operation = Threshold(
            name=made, inputs=(value.tensor,), output=made, thresholds=ones, ascending=signs > 0, output_type=dtype
        )
    else:
        operation = Requant(
            name=made,
            inputs=(value.tensor,),
            output=made,
            multiplier=signs,
            offset=np.zeros_like(signs),
            shift=0,
            output_type=dtype,
        )
    planner.operation(node, operation, (value,), lambda _: value.layout)
    return replace(changed, tensor=made, dtype=dtype)


def average_pool(
    planner: Planner,
    node: str,
    name: str,
    value: Value,
    window: Window,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor: int | None,
) -> IntegerValue:
    """The value behind an average pool: sums of integers, whose real step is divided by the size of the window."""
    source = _source(planner, node, name, value, len(window.kernel))
    if ceil_mode and window.rounded_up(source.shape[:-1]) != window:
        raise LoweringError(name, "divides by fewer elements at the border (ceil_mode)", "leave ceil_mode out")
    if window.is_padded and not count_include_pad:
        raise LoweringError(
            name, "divides by fewer elements at the border (count_include_pad=False)", "use count_include_pad=True"
        )
    if isinstance(value, PaddedValue):
        if value.value != 0:
            raise LoweringError(name, f"follows padding by {value.value}", "pad with 0")
        window = merge_pads(name, value, window)
    return sum_pool(planner, node, name, source, window, divisor or int(np.prod(window.kernel)))


def sum_pool(
    planner: Planner,
    node: str,
    name: str,
    source: IntegerValue,
    window: Window,
    divisor: int,
    view: Callable[[Places], Places] = lambda places: places,
) -> IntegerValue:
    """The value behind sums over windows, divided by `divisor`; `view` is what PyTorch makes of the result's shape."""
    if not source.affine or source.slope is None or source.offset is None:
        raise LoweringError(name, "averages values that are neither affine nor quantized", AVERAGE_FIX)
    if window.is_padded and np.any(source.offset != 0):
        raise LoweringError(name, "pads values that have an offset with 0", AVERAGE_FIX)
    if any(step != 1 for step in window.dilation):
        raise LoweringError(name, "has a dilation", "use a MaxPool, or no dilation")
    count = int(np.prod(window.kernel))
    name = planner.unique(name)
    operation = SumPool(
        name=name,
        inputs=(source.tensor,),
        output=name,
        kernel=window.kernel,
        stride=window.stride,
        padding=window.padding,
    )
    step, shift = np.array(source.slope), np.array(source.offset) * count / divisor

    def real(sums: Tensor) -> Tensor:
        return sums * sums.new_tensor(step) / divisor + sums.new_tensor(shift)

    slope = step / divisor
    spec, layout = planner.operation(
        node,
        operation,
        (source,),
        lambda shape: Layout.channels_first(shape).view(view),
        real,
        slope,
    )
    inside = any(before or after for before, after in window.padding)
    lo, hi = source.lo * count, source.hi * count
    return IntegerValue(
        tensor=name,
        layout=layout,
        dtype=spec.dtype,
        # Windows at a padded border hold fewer elements.
        lo=np.minimum(lo, 0) if inside else lo,
        hi=np.maximum(hi, 0) if inside else hi,
        steps=(real,),
        slope=slope,
        offset=shift,
        rising=np.sign(slope).astype(np.int64),
    )
