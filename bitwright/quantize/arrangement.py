"""Reshapes, transpositions and flattening of values, and the operations they take in the network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from bitwright.errors import LoweringError
from bitwright.graph import Flatten, IntArray, Operation, Permute, Reshape
from bitwright.quantize.layout import Layout, Places
from bitwright.quantize.planner import Planner
from bitwright.quantize.value import IndexValue, IntegerValue, RealFunction, RealInput, Value, grid_value, uniform


def view(planner: Planner, node: str, name: str, value: Value, change: Callable[[Places], Places]) -> Value:
    """The value after a reshape or transposition of the module's tensor; only a flat result costs an operation."""
    if isinstance(value, RealInput):
        return replace(value, layout=value.layout.view(change))
    if isinstance(value, IndexValue):
        raise LoweringError(name, "reshapes indices", "leave the indices as they are")
    found = planner.integers(name, value)
    layout = found.layout.view(change)
    if layout.module_shape == found.layout.module_shape and np.array_equal(layout.places, found.layout.places):
        return value
    return flatten(planner, node, name, replace(found, layout=layout), found.grid_step)


def flatten(planner: Planner, node: str, name: str, value: IntegerValue, step: float | None = None) -> IntegerValue:
    """A value that is flat in the module, made flat in the network."""
    if len(value.layout.module_shape) != 1 or len(value.shape) == 1:
        return value
    name = planner.unique(name)
    operation = Flatten(name=name, inputs=(value.tensor,), output=name)
    places = value.layout.places
    _, layout = planner.operation(node, operation, (value,), lambda shape: Layout(shape, places), step=step)
    return replace(value.spread(layout), tensor=name)


def channels_first(planner: Planner, node: str, name: str, value: IntegerValue) -> IntegerValue:
    """The value with its channels, axis 0 in the module, last in the network."""
    shape = value.layout.module_shape
    if value.layout.is_channels_first:
        return value
    if len(shape) not in (2, 3):
        raise LoweringError(name, f"its input has shape {shape}", "give it (channels, length) or an image")
    return arrange(planner, node, name, value, Layout.channels_first((*shape[1:], shape[0])))


def channels_last(planner: Planner, node: str, name: str, value: IntegerValue) -> IntegerValue:
    """The value as a linear layer reads it: like the module's tensor, or flat in any order."""
    if len(value.layout.module_shape) == 1 == len(value.shape):
        return value
    return arrange(planner, node, name, value, Layout.same(value.layout.module_shape))


def arrange(planner: Planner, node: str, name: str, value: IntegerValue, wanted: Layout) -> IntegerValue:
    """The value in another layout, by a Reshape where the order stays and by a Permute where it does not."""
    order = value.layout.places.reshape(-1)[wanted.inverse]
    in_order = np.array_equal(order, np.arange(order.size))
    if in_order and value.shape[-1] == wanted.shape[-1]:
        return _reshaped(planner, node, name, replace(value, layout=wanted), value.shape)
    flat = replace(value, layout=Layout(value.shape, np.arange(order.size)))
    flat = flatten(planner, node, f"{name}.flatten", flat)
    if not in_order:
        flat = _permuted(planner, node, f"{name}.order", flat, order)
    if len(wanted.shape) == 1:
        return replace(flat, layout=wanted)
    step = value.grid_step
    if step is None:
        raise LoweringError(name, "its input is rearranged before a quantizer", "put a quantizer first")
    shaped = replace(flat, layout=Layout(flat.shape, wanted.places))
    made = _reshaped(planner, node, name, replace(shaped, layout=wanted), flat.shape)
    return grid_value(made.tensor, wanted, made.dtype, uniform(step, wanted.shape[-1]))


def _reshaped(planner: Planner, node: str, name: str, value: IntegerValue, shape: tuple[int, ...]) -> IntegerValue:
    """`value`, whose layout is wanted already, from a tensor of `shape`."""
    if value.shape == shape:
        return value
    name = planner.unique(f"{name}.reshape")
    operation: Operation = (
        Flatten(name=name, inputs=(value.tensor,), output=name)
        if len(value.shape) == 1
        else Reshape(name=name, inputs=(value.tensor,), output=name, shape=value.shape)
    )
    before = replace(value, layout=Layout.same(shape))
    planner.operation(node, operation, (before,), lambda _: value.layout)
    return replace(value, tensor=name)


def _permuted(planner: Planner, node: str, name: str, value: IntegerValue, order: IntArray) -> IntegerValue:
    name = planner.unique(name)
    operation = Permute(name=name, inputs=(value.tensor,), output=name, order=order)
    planner.operation(node, operation, (value,), lambda shape: value.layout)
    back = np.argsort(order)

    def moved(step: RealFunction) -> RealFunction:
        return lambda x: step(x[:, back])[:, order]

    return replace(
        value,
        tensor=name,
        lo=value.lo[order],
        hi=value.hi[order],
        steps=tuple(moved(step) for step in value.steps),
        slope=None if value.slope is None else value.slope[order],
        offset=None if value.offset is None else value.offset[order],
        rising=value.rising[order],
    )
