"""Nodes all of whose inputs are constants: computed once, by ONNX's own reference implementation."""

from __future__ import annotations

import numpy as np
from onnx import helper
from onnx.reference import ReferenceEvaluator

from bitwright.quantize.qonnx.handler import Values
from bitwright.quantize.qonnx.model import Node
from bitwright.quantize.qonnx.value import Constant, RealInput, Scaled, Value


def fold(node: Node, values: Values) -> tuple[Value, ...]:
    """The constant outputs of a standard node with constant inputs."""
    if node.domain:
        raise node.error("has only constant inputs, and is not known here", "fold it before the export")
    feeds = {name: value.values for name, value in zip(node.inputs, values, strict=True) if isinstance(value, Constant)}
    graph = helper.make_graph(
        [node.proto],
        "constant",
        [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(one.dtype), one.shape)
            for name, one in feeds.items()
        ],
        [helper.make_empty_tensor_value_info(name) for name in node.outputs if name],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", node.version)])
    try:
        with np.errstate(all="ignore"):
            results = ReferenceEvaluator(model).run(None, feeds)
    except (ValueError, TypeError, RuntimeError, LookupError, ArithmeticError, AttributeError) as error:
        line = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise node.error(f"cannot be computed on constants ({line})", "fold it before the export") from error
    found = iter(results)
    return tuple(Constant(np.asarray(next(found))) if name else Constant(np.zeros(0)) for name in node.outputs)


def shape_of(node: Node, value: Value) -> Constant:
    """Shape: that of a batch of one frame."""
    if isinstance(value, Constant):
        shape: tuple[int, ...] = value.values.shape
    elif isinstance(value, RealInput | Scaled):
        shape = value.index.shape
    else:
        raise node.error("asks for the shape of indices", "use a constant")
    start, end = node.integer("start", 0), node.integer("end", len(shape))
    return Constant(np.array(shape[start:end], dtype=np.int64))
