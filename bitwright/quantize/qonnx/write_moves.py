"""What moves and chooses elements in QONNX."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from bitwright.graph import Concat, Duplicate, IntArray, Operation, Permute, TopK
from bitwright.quantize.qonnx.writer import Writer


def write_flatten(writer: Writer, operation: Operation) -> None:
    """One axis: a Flatten."""
    source = operation.inputs[0]
    name, shape = writer.result(operation, (0,))
    writer.sketch.node("Flatten", [writer.arranged(source, writer.plain(source))], name, shape, axis=1)


def write_reshape(writer: Writer, operation: Operation) -> None:
    """Another shape in the network's order: a Reshape."""
    source = operation.inputs[0]
    axes = writer.plain(operation.output)
    name, shape = writer.result(operation, axes)
    held = writer.sketch.constant(f"{operation.name}_shape", np.array(shape, dtype=np.int64))
    writer.sketch.node("Reshape", [writer.arranged(source, writer.plain(source)), held], name, shape)


def _gather(writer: Writer, operation: Operation, order: IntArray) -> None:
    source = operation.inputs[0]
    axes = writer.where[source].axes
    name, shape = writer.result(operation, axes)
    held = writer.sketch.constant(f"{operation.name}_order", order.astype(np.int64))
    axis = axes.index(len(axes) - 1) + 1
    writer.sketch.node("Gather", [writer.where[source].name, held], name, shape, axis=axis)


def write_permute(writer: Writer, operation: Permute) -> None:
    """Another order of channels: a Gather."""
    _gather(writer, operation, operation.order)


def write_duplicate(writer: Writer, operation: Duplicate) -> None:
    """Channels again behind themselves: a Gather."""
    channels = writer.network.spec(operation.inputs[0]).shape[-1]
    _gather(writer, operation, np.concatenate([np.arange(channels), operation.copies]))


def write_concat(writer: Writer, operation: Concat) -> None:
    """Channels side by side: a Concat."""
    axes = writer.where[operation.inputs[0]].axes
    name, shape = writer.result(operation, axes)
    parts = [writer.arranged(tensor, axes) for tensor in operation.inputs]
    writer.sketch.node("Concat", parts, name, shape, axis=axes.index(len(axes) - 1) + 1)


def write_arg_max(writer: Writer, operation: Operation) -> None:
    """The channel of the largest score: an ArgMax."""
    name, shape = writer.result(operation, ())
    given = writer.where[operation.inputs[0]].name
    writer.sketch.node("ArgMax", [given], name, shape, element=TensorProto.INT64, axis=1, keepdims=0)


def write_top_k(writer: Writer, operation: TopK) -> None:
    """The channels of the largest scores: a TopK."""
    name, shape = writer.result(operation, (0,))
    values = writer.sketch.unique(f"{name}_values")
    writer.sketch.shapes[values], writer.sketch.kinds[values] = shape, TensorProto.FLOAT
    held = writer.sketch.constant(f"{operation.name}_k", np.array([operation.k], dtype=np.int64))
    given = writer.where[operation.inputs[0]].name
    writer.sketch.node(
        "TopK",
        [given, held],
        name,
        shape,
        element=TensorProto.INT64,
        outputs=[values, name],
        axis=1,
        largest=1,
        sorted=1,
    )
