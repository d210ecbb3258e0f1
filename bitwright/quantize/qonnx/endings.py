"""ArgMax, TopK and Softmax at the end of a graph."""

from __future__ import annotations

import numpy as np

from bitwright.errors import LoweringError
from bitwright.graph import ArgMax, TopK
from bitwright.quantize.plan import IndexPlan
from bitwright.quantize.qonnx.arranging import flatten, permute
from bitwright.quantize.qonnx.builder import Builder
from bitwright.quantize.qonnx.handler import Handler, Values
from bitwright.quantize.qonnx.model import Node
from bitwright.quantize.qonnx.ties import FloatTies
from bitwright.quantize.qonnx.value import Indices, Scaled, Softened, Unavailable, Value
from bitwright.quantize.scores import order_scores

LEAST_SLOPE = 2.0**-16
"""Scores that differ by this much have different float32 probabilities at the top."""


def _scores(builder: Builder, node: Node, values: Values, axis: int) -> Scaled:
    source = values[0]
    if isinstance(source, Softened):
        if node.kind != "ArgMax" and not (
            node.kind == "TopK" and builder.constant(node, values[1], "k").values.item() == 1
        ):
            raise node.error("follows a Softmax, whose small probabilities are equal", "take the Softmax out")
        source = source.scores
        if source.uniform_slope is not None and abs(source.uniform_slope) < LEAST_SLOPE:
            raise node.error("follows a Softmax of scores that hardly differ", "take the Softmax out")
    assert source is not None
    value = builder.integers(node, source)
    sizes = [size for place, size in enumerate(value.index.shape) if place not in (0, axis % value.index.ndim)]
    if axis % value.index.ndim == 0 or any(size != 1 for size in sizes):
        raise node.error(f"is along axis {axis} of {value.index.shape}, not over all scores", "flatten first")
    value = flatten(builder, node, value)
    value = permute(builder, node, value, value.index.reshape(-1))
    if value.uniform_slope is None:
        value = builder.materialized(node, value)
    return value


def _indices(builder: Builder, node: Node, value: Scaled, k: int | None, output: str) -> str:
    """Emit the operation; gives its output tensor."""
    plan = IndexPlan(node.name, node.name, value, k)  # type: ignore[arg-type]
    try:
        ordered = order_scores(plan, value.tensor)
    except LoweringError as error:
        raise node.error(error.reason, error.fix) from error
    tensor = value.tensor
    if ordered is not None:
        tensor = builder.append(ordered)
    if value.terms or (ordered is not None and ordered.multiplier[0] not in (1, -1)):
        builder.ties.append(FloatTies(node.name, 0, "the order of equal or nearly equal scores is decided"))
    if k is None:
        return builder.emit(node, lambda name, out: ArgMax(name=name, inputs=(tensor,), output=out), node.name, output)
    return builder.emit(node, lambda name, out: TopK(name=name, inputs=(tensor,), output=out, k=k), node.name, output)


def arg_max(builder: Builder, node: Node, values: Values) -> tuple[Value, ...]:
    """ArgMax: the lowest index of the largest score."""
    if node.integer("select_last_index", 0):
        raise node.error("takes the last of equal scores", "use select_last_index=0")
    axis = node.integer("axis", 0)
    value = _scores(builder, node, values, axis)
    source = values[0]
    shape = list((source.scores if isinstance(source, Softened) else source).index.shape)  # type: ignore[union-attr]
    shape[axis] = 1
    if not node.integer("keepdims", 1):
        del shape[axis]
    return (Indices(_indices(builder, node, value, None, node.outputs[0]), tuple(shape)),)


def top_k(builder: Builder, node: Node, values: Values) -> tuple[Value, ...]:
    """TopK: its indices; k is an attribute up to operator set 9, an input from 10 on."""
    if node.integer("largest", 1) != 1 or node.integer("sorted", 1) != 1:
        raise node.error("is not the sorted largest", "use largest=1 and sorted=1")
    k = node.integer("k", 0)
    if len(values) > 1:
        held = builder.constant(node, values[1], "k").values
        k = int(held.item()) if held.size == 1 else 0
    axis = node.integer("axis", -1)
    value = _scores(builder, node, values, axis)
    if not 1 <= k <= value.channels:
        raise node.error(f"asks for {k} of {value.channels} scores", "use a k from 1 on")
    missing = Unavailable("the values of a TopK", "read its indices, the second output")
    if len(node.outputs) < 2 or not node.outputs[1]:
        return (missing,)
    source = values[0]
    shape = list((source.scores if isinstance(source, Softened) else source).index.shape)  # type: ignore[union-attr]
    shape[axis] = k
    return (missing, Indices(_indices(builder, node, value, k, node.outputs[1]), tuple(shape)))


def softmax(builder: Builder, node: Node, values: Values) -> tuple[Value, ...]:
    """Softmax: kept aside, for an ArgMax behind it does not need it."""
    source = values[0]
    assert source is not None
    value = builder.integers(node, source)
    axis = node.integer("axis", -1 if node.version >= 13 else 1)
    if np.prod(value.index.shape) != value.index.shape[axis]:
        raise node.error(f"is along axis {axis} of {value.index.shape}, not over all scores", "take it out")
    return (value if builder.drop_softmax else Softened(node.name, value),)


HANDLERS: dict[tuple[str, str], Handler] = {
    ("", "ArgMax"): arg_max,
    ("", "TopK"): top_k,
    ("", "Softmax"): softmax,
    ("", "LogSoftmax"): softmax,
}
