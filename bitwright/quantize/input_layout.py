"""Which of the input's axes are channels: found by looking ahead to the layers that say so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import fx, nn

from bitwright.quantize import layers, views
from bitwright.quantize.binary_linear import BinaryLinear
from bitwright.quantize.functions import call_of
from bitwright.quantize.layout import Layout
from bitwright.quantize.spatial_functions import REDUCE, SPATIAL
from bitwright.quantize.ternary_linear import TernaryLinear
from bitwright.quantize.tracing import TracedModule, real_tensor


def input_layout(traced: TracedModule, recorded: Mapping[str, Any]) -> Layout:
    """The layout of the module's input: channels last in the network where an image layer reads the input.

    Layers that keep the shape are looked through, and so are transpositions. An input that is reshaped first stays
    as it is.
    """
    placeholder = next(iter(traced.graph.nodes))
    shape = tuple(real_tensor(recorded[placeholder.name]).shape[1:])
    axes = _axes(traced, recorded, placeholder, tuple(range(len(shape)))) if len(shape) > 1 else None
    return Layout.same(shape) if axes is None else Layout.by_axes(shape, axes)


def _axes(
    traced: TracedModule, recorded: Mapping[str, Any], node: fx.Node, seen: tuple[int, ...]
) -> tuple[int, ...] | None:
    """The input's axes in the network's order; `seen` are the input's axes as this node has them."""
    for user in node.users:
        layer = traced.layer(user) if user.op == "call_module" else None
        if isinstance(layer, layers.CHANNELS_FIRST) or user.target in SPATIAL or user.target in REDUCE:
            return (*seen[1:], seen[0])
        if isinstance(layer, nn.Linear | BinaryLinear | TernaryLinear):
            return seen
        moved = seen
        if user.target in views.TRANSPOSE:
            order = views.transposition(user, call_of(user.target), len(seen))
            if order is None:
                continue
            moved = tuple(seen[axis] for axis in order)
        elif not _keeps_shape(recorded, node, user):
            continue
        found = _axes(traced, recorded, user, moved)
        if found is not None:
            return found
    return None


def _keeps_shape(recorded: Mapping[str, Any], node: fx.Node, user: fx.Node) -> bool:
    try:
        before, after = (real_tensor(recorded.get(one.name)).shape for one in (node, user))
    except TypeError:
        return False
    return before == after
