"""Which axis of the graph's input holds the channels, told by the first node that cares."""

from __future__ import annotations

from bitwright.quantize.qonnx.model import CHANNELS_LAST, MICROSOFT, QONNX, Model, Node

FIRST = frozenset(
    {
        *("Conv", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "BatchNormalization"),
        *("Resize", "Upsample", "QLinearConv", "QLinearAveragePool", "QLinearGlobalAveragePool"),
    }
)
"""Operators on (batch, channels, ...), of standard ONNX and onnxruntime."""

FLAT = frozenset({"Flatten", "Reshape", "Squeeze", "MatMul", "Gemm", "XnorPopcountMatMul", "Concat", "ArgMax", "TopK"})
"""Operators that take elements in the order in which they come."""


ELEMENTWISE = frozenset({"Add", "Sub", "Mul", "Div", "Quant", "IntQuant"})
"""Operators whose constants may differ by channel."""


def input_channel_axis(model: Model, ndim: int) -> int | None:
    """The ONNX axis with the input's channels; None when the input keeps its order of axes.

    Looks along everything that works element by element, in the order of the graph.
    """
    if ndim not in (3, 4):
        return None
    same = {model.input.name}
    for node in model.nodes:
        if not same.intersection(node.inputs):
            continue
        axis = _axis(node, ndim) or _constant_axis(model, node, ndim)
        if axis is not None:
            return axis
        if node.kind in FLAT:
            return None
        same.update(node.outputs)
    return None


def _constant_axis(model: Model, node: Node, ndim: int) -> int | None:
    """The axis along which the constant of arithmetic, or a quantizer's scale, differs by channel."""
    if node.kind not in ELEMENTWISE:
        return None
    for array in (model.constants[name] for name in node.inputs if name in model.constants):
        shape = (1,) * (ndim - array.ndim) + array.shape
        long = [axis for axis, size in enumerate(shape) if size > 1]
        if len(long) == 1 and len(shape) == ndim and long[0] > 0:
            return long[0]
    return None


def _axis(node: Node, ndim: int) -> int | None:
    if node.domain == CHANNELS_LAST or node.kind in ("Im2Col", "MaxPoolNHWC"):
        return ndim - 1
    layout = node.text("data_layout", "") if node.domain == QONNX and "data_layout" in node.attributes else ""
    if "C" in layout and layout.index("C") < ndim:
        return layout.index("C")
    if node.kind == "Transpose":
        order = node.integers("perm", None)
        if order == [0, ndim - 1, *range(1, ndim - 1)]:
            return ndim - 1
        return 1 if order == [0, *range(2, ndim), 1] else None
    return 1 if node.domain in ("", MICROSOFT) and node.kind in FIRST else None
