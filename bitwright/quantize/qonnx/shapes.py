"""Operators that move elements and compute nothing: a tensor's index changes, the integers stay where they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from bitwright.errors import InputError
from bitwright.quantize.qonnx.builder import Builder
from bitwright.quantize.qonnx.handler import Handler, Values
from bitwright.quantize.qonnx.model import Array, Node
from bitwright.quantize.qonnx.value import (
    Columns,
    Constant,
    Indices,
    Padded,
    Scaled,
    Softened,
    Unavailable,
    Value,
)

Move = Callable[[Array], Array]


def moved(node: Node, value: Value, move: Move) -> Value:
    """A value after `move`, which takes an array of its ONNX shape to one of the same elements."""
    if isinstance(value, Unavailable | Softened):
        return value if isinstance(value, Unavailable) else _moved_scores(node, value, move)
    if isinstance(value, Constant):
        try:
            return value.moved(move)
        except (ValueError, IndexError) as error:
            raise node.error(f"does not fit its constant ({error})", "export again") from error
    if isinstance(value, Padded | Columns):
        raise node.error("moves elements behind a Pad or Im2Col", "put it before")
    try:
        if isinstance(value, Indices):
            return Indices(value.tensor, move(np.zeros(value.shape)).shape)
        index = move(value.index)
    except (ValueError, IndexError, InputError) as error:
        raise node.error(f"does not fit a tensor of its input's shape ({error})", "export again") from error
    if index.ndim == 0 or index.shape[0] != 1:
        raise node.error(
            f"gives the shape {index.shape} for one frame, which moves the batch out of axis 0", "keep the batch first"
        )
    return replace(value, index=index)


def _moved_scores(node: Node, value: Softened, move: Move) -> Value:
    scores = moved(node, value.scores, move)
    assert isinstance(scores, Scaled)
    return Softened(value.node, scores)


def _first(values: Values) -> Value:
    assert values[0] is not None
    return values[0]


def reshape(builder: Builder, node: Node, values: Values) -> tuple[Value, ...]:
    """Reshape to a constant shape; 0 keeps an axis."""
    source = _first(values)
    if len(values) > 1:
        target = [int(length) for length in builder.constant(node, values[1], "shape").values.reshape(-1)]
    else:
        target = node.integers("shape", None) or []
    keep = not node.integer("allowzero", 0)
    batch = 1 if isinstance(source, Constant) else builder.batch

    def move(array: Array) -> Array:
        lengths = [array.shape[axis] if length == 0 and keep else length for axis, length in enumerate(target)]
        if lengths and batch > 1 and lengths[0] == batch:
            lengths[0] = 1
        return array.reshape(lengths)

    return (moved(node, source, move),)


def flatten(builder: Builder, node: Node, values: Values) -> tuple[Value, ...]:
    """Flatten to two axes."""
    axis = node.integer("axis", 1)
    return (moved(node, _first(values), lambda array: array.reshape(int(np.prod(array.shape[:axis], dtype=int)), -1)),)


def transpose(builder: Builder, node: Node, values: Values) -> tuple[Value, ...]:
    """Transpose."""
    order = node.integers("perm", None)
    return (moved(node, _first(values), lambda array: np.transpose(array, order)),)


def _axes(builder: Builder, node: Node, values: Values) -> tuple[int, ...] | None:
    """Axes from the attribute (up to operator set 12) or the second input."""
    if len(values) > 1 and values[1] is not None:
        return tuple(int(axis) for axis in builder.constant(node, values[1], "axes").values.reshape(-1))
    held = node.integers("axes", None)
    return None if held is None else tuple(held)


def squeeze(builder: Builder, node: Node, values: Values) -> tuple[Value, ...]:
    """Squeeze; without axes all axes of length 1, but never the batch."""
    axes = _axes(builder, node, values)
    source = _first(values)

    def move(array: Array) -> Array:
        if axes is not None:
            return np.squeeze(array, axis=axes)
        keep = 0 if isinstance(source, Constant) else 1
        return np.squeeze(
            array, axis=tuple(place for place, size in enumerate(array.shape) if size == 1 and place >= keep)
        )

    return (moved(node, source, move),)


def unsqueeze(builder: Builder, node: Node, values: Values) -> tuple[Value, ...]:
    """Unsqueeze."""
    axes = _axes(builder, node, values)
    if axes is None:
        raise node.error("has no axes", "give them")
    return (moved(node, _first(values), lambda array: np.expand_dims(array, axes)),)


def depth_to_space(builder: Builder, node: Node, values: Values) -> tuple[Value, ...]:
    """DepthToSpace, in both of its orders, and SpaceToDepth."""
    block, mode = node.integer("blocksize", 0), node.text("mode", "DCR")
    if block < 1 or mode not in ("DCR", "CRD"):
        raise node.error(f"has the block size {block} and the mode {mode}", "use DCR or CRD, and a size from 1 on")

    def deeper(array: Array) -> Array:
        n, c, h, w = array.shape
        split = array.reshape(n, c, h // block, block, w // block, block)
        return split.transpose(0, 3, 5, 1, 2, 4).reshape(n, c * block * block, h // block, w // block)

    def wider(array: Array) -> Array:
        n, c, h, w = array.shape
        if mode == "DCR":
            split = array.reshape(n, block, block, c // block**2, h, w).transpose(0, 3, 4, 1, 5, 2)
        else:
            split = array.reshape(n, c // block**2, block, block, h, w).transpose(0, 1, 4, 2, 5, 3)
        return split.reshape(n, c // block**2, h * block, w * block)

    return (moved(node, _first(values), wider if node.kind == "DepthToSpace" else deeper),)


def identity(builder: Builder, node: Node, values: Values) -> tuple[Value, ...]:
    """Identity, and Dropout in evaluation mode."""
    if node.kind == "Dropout" and len(values) > 2 and values[2] is not None:
        training = builder.constant(node, values[2], "training mode").values
        if np.any(training):
            raise node.error("is in training mode", "export in evaluation mode")
    rest = tuple(Unavailable("the mask of a Dropout", "leave it") for _ in node.outputs[1:])
    return (_first(values), *rest)


def cast(builder: Builder, node: Node, values: Values) -> tuple[Value, ...]:
    """Cast between types that hold the values: integers to float32, float32 to float32."""
    source = _first(values)
    target = node.integer("to", 0)
    if target == 1 or isinstance(source, Indices):
        return (source,)
    if isinstance(source, Scaled) and target in (10, 11, 16):
        raise node.error("casts to another float type", "export in float32")
    raise node.error("casts to a type that is not float32", "leave it out, or quantize by a Quant node")


HANDLERS: dict[tuple[str, str], Handler] = {
    ("", "Reshape"): reshape,
    ("", "Flatten"): flatten,
    ("", "Transpose"): transpose,
    ("", "Squeeze"): squeeze,
    ("", "Unsqueeze"): unsqueeze,
    ("", "DepthToSpace"): depth_to_space,
    ("", "SpaceToDepth"): depth_to_space,
    ("", "Identity"): identity,
    ("", "Dropout"): identity,
    ("", "Cast"): cast,
}
