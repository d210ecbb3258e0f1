"""read_qonnx(): an ONNX graph becomes an integer network with exactly its integers."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bitwright.errors import InputError, LoweringError, NetworkFormatError
from bitwright.graph import BIPOLAR, InputQuantizer, IntType, Network, OutputScale
from bitwright.quantize.qonnx import (
    convolutions,
    elementwise,
    endings,
    joins,
    pooling,
    products,
    qdq,
    qoperator,
    quantizers,
    shapes,
    taking,
    upsampling,
)
from bitwright.quantize.qonnx.arranging import in_order, layout_of_input
from bitwright.quantize.qonnx.builder import Builder
from bitwright.quantize.qonnx.datatypes import finn_type
from bitwright.quantize.qonnx.folding import fold, shape_of
from bitwright.quantize.qonnx.handler import Handler
from bitwright.quantize.qonnx.layouts import input_channel_axis
from bitwright.quantize.qonnx.loading import load_model
from bitwright.quantize.qonnx.model import Model, Node, one_line
from bitwright.quantize.qonnx.signatures import REFUSED, REQUIRED
from bitwright.quantize.qonnx.ties import FloatTies
from bitwright.quantize.qonnx.value import (
    Constant,
    Indices,
    RealInput,
    Scaled,
    Softened,
    Unavailable,
    Value,
    on_grid,
    plain_index,
)
from bitwright.quantize.value import Reals

HANDLERS: dict[tuple[str, str], Handler] = {
    **quantizers.HANDLERS,
    **qdq.HANDLERS,
    **qoperator.HANDLERS,
    **elementwise.HANDLERS,
    **products.HANDLERS,
    **convolutions.HANDLERS,
    **pooling.HANDLERS,
    **joins.HANDLERS,
    **upsampling.HANDLERS,
    **shapes.HANDLERS,
    **taking.HANDLERS,
    **endings.HANDLERS,
}
"""The reading of each operator, by domain and operator type."""

QUANTIZERS = frozenset(quantizers.HANDLERS) | frozenset(qdq.HANDLERS) | frozenset(qoperator.HANDLERS)
"""Operators one of which a quantized graph of real inputs holds."""

MOVERS = (frozenset(shapes.HANDLERS) | frozenset(taking.HANDLERS) | frozenset(qdq.HANDLERS)) - {
    ("", "Cast"),
    ("", "Dropout"),
}
"""Operators that keep the integers behind a constant."""


EXPORT_AGAIN = "check the graph by onnx.checker, and export it again"


@dataclass(frozen=True)
class Reading:
    """A network, what each ONNX tensor is of it, by the ONNX tensor's name, and where float32 rounding may decide."""

    network: Network
    values: Mapping[str, Value]
    ties: tuple[FloatTies, ...]


def read_qonnx(
    path: str | os.PathLike[str],
    *,
    input_shape: Sequence[int] | None = None,
    input_type: IntType | None = None,
    drop_softmax: bool = False,
    name: str | None = None,
) -> Network:
    """The integer network of a quantized ONNX file: QONNX, FINN-style, or QDQ.

    `input_shape` (without batch) is needed where the file leaves axes open. `input_type` says that the graph is fed
    with integers of that type (pixels 0 to 255: `IntType.unsigned(8)`); without it the input is real and the graph
    quantizes it first, or its FINN annotation or element type says which integers it takes. `drop_softmax` returns the
    scores before a last Softmax instead of probabilities.

    The integers are those of the `qonnx` package's executor, tensor by tensor; tensors and operations have the names
    of the ONNX tensors and nodes. Where the graph sums scaled floats, executors round, and RoundingTieWarning tells
    whether that can decide an integer. Raises NetworkFormatError for a file that is no sound ONNX model, and
    LoweringError (node, operator, reason, way out) for what has no exact integer form.
    """
    return read_model(
        load_model(path), input_shape=input_shape, input_type=input_type, drop_softmax=drop_softmax, name=name
    ).network


def read_model(
    model: Model,
    *,
    input_shape: Sequence[int] | None = None,
    input_type: IntType | None = None,
    drop_softmax: bool = False,
    name: str | None = None,
) -> Reading:
    """As read_qonnx, for a loaded model; keeps the meaning of every ONNX tensor."""
    shape, batch = _input_shape(model, input_shape)
    _check_quantized(model, input_type)
    nodes = qdq.merge_clips(model.nodes, model.constants)
    builder = Builder(model.input.name, batch, drop_softmax)
    values: dict[str, Value] = {key: Constant(array) for key, array in model.constants.items()}
    values[model.input.name] = _input_value(model, builder, shape, input_type)
    for node in nodes:
        given = [values[one] if one else None for one in node.inputs]
        results = _read(builder, node, given)
        if len(results) < len([one for one in node.outputs if one]):
            raise node.error(f"has {len(node.outputs)} outputs", "use the first alone")
        while builder.shifted:
            tensor, bias = builder.shifted.popitem()
            for key, value in values.items():
                if isinstance(value, Scaled) and value.tensor == tensor:
                    values[key] = value.behind_bias(bias)
        values.update({key: value for key, value in zip(node.outputs, results, strict=False) if key})
    network = _network(model, builder, values, name)
    builder.warn()
    return Reading(network, values, tuple(builder.ties))


def _check_quantized(model: Model, input_type: IntType | None) -> None:
    integers = input_type or finn_type(model.input.annotation) or _integer_dtype(model.input.dtype)
    known = all((node.domain, node.kind) in HANDLERS for node in model.nodes)
    if known and integers is None and not any((node.domain, node.kind) in QUANTIZERS for node in model.nodes):
        raise LoweringError(
            model.name,
            "is a float model: none of its nodes quantizes",
            "quantize it: in Brevitas and export_qonnx, by onnxruntime.quantization.quantize_static, or in PyTorch by "
            "bitwright.quantize.post_training_quantize() and lower(); or give input_type, if it is fed with integers",
        )


def _read(builder: Builder, node: Node, given: list[Value | None]) -> tuple[Value, ...]:
    key = (node.domain, node.kind)
    if key == ("", "Shape") and given and given[0] is not None:
        return (shape_of(node, given[0]),)
    constant = all(isinstance(one, Constant) for one in given if one is not None)
    if constant and node.domain == "" and key not in MOVERS:
        return fold(node, given)
    if key not in HANDLERS and node.kind in REFUSED:
        raise node.error(*REFUSED[node.kind])
    if key not in HANDLERS:
        where = f"of the domain '{node.domain}' " if node.domain else ""
        raise node.error(
            f"{where}is not known here", "see docs/qonnx.md for the operators that are, or take it out of the graph"
        )
    needed = REQUIRED.get(node.kind, 1)
    if len(given) < needed or any(one is None for one in given[:needed]):
        raise node.error(f"needs {needed} inputs, not {len([one for one in given if one is not None])}", EXPORT_AGAIN)
    try:
        return HANDLERS[key](builder, node, given)
    except (ValueError, IndexError) as error:
        # Shapes that do not broadcast, axes that do not exist: the graph is not sound.
        raise node.error(
            f"has inputs or attributes that do not fit each other ({_line(error)})", EXPORT_AGAIN
        ) from error


def _line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _input_shape(model: Model, given: Sequence[int] | None) -> tuple[tuple[int, ...], int]:
    """The input's shape without batch, and the batch that the graph was exported for (1 where it is dynamic)."""
    found = model.input.shape
    if len(found) < 2:
        raise NetworkFormatError(
            f"input '{one_line(model.input.name)}' has shape {found}; export it with a batch axis first"
        )
    if given is not None:
        shape = tuple(int(length) for length in given)
        fits = len(shape) == len(found) - 1 and all(b in (None, 0, a) for a, b in zip(shape, found[1:], strict=True))
        if not fits or any(length < 1 for length in shape):
            raise InputError(
                f"input_shape {shape} does not fit the input '{one_line(model.input.name)}' of shape {found[1:]}"
            )
    else:
        open_ = [axis for axis, length in enumerate(found) if axis and not length]
        if open_:
            raise NetworkFormatError(
                f"input '{one_line(model.input.name)}' has shape {found}, axes {open_} dynamic; "
                "give input_shape, without batch (on the command line: bitwright convert --input-shape)"
            )
        shape = tuple(length for length in found[1:] if length)
    return shape, found[0] or 1


def _input_value(model: Model, builder: Builder, shape: tuple[int, ...], given: IntType | None) -> Value:
    axis = input_channel_axis(model, len(shape) + 1)
    source = RealInput(shape, plain_index(shape)) if axis is None else layout_of_input(shape, axis)
    dtype = given or finn_type(model.input.annotation) or _integer_dtype(model.input.dtype)
    if dtype is None:
        if model.input.dtype != np.float32:
            raise NetworkFormatError(f"input '{one_line(model.input.name)}' is {model.input.dtype}; export in float32")
        return source
    # Integers need no quantizer; one of scale 1 takes images given in the graph's order of axes to the network's.
    quantizer = None
    if source.axes is not None:
        quantizer = InputQuantizer(dtype=dtype, kind="bipolar" if dtype == BIPOLAR else "integer", axes=source.axes)
    builder.set_input(model.nodes[0], dtype, source.shape, quantizer)
    return on_grid(model.input.name, source.shape, dtype, np.ones(source.shape[-1]), source.index)


def _integer_dtype(dtype: np.dtype[np.generic]) -> IntType | None:
    return {
        np.dtype(np.uint8): IntType.unsigned(8),
        np.dtype(np.int8): IntType.signed_bits(8),
        np.dtype(np.bool_): IntType.unsigned(1),
    }.get(dtype)


def _network(model: Model, builder: Builder, values: dict[str, Value], name: str | None) -> Network:
    outputs, scales = [], {}
    for output in model.outputs:
        tensor, scale = _output(builder, model, output, values)
        if tensor in outputs:
            raise LoweringError(
                one_line(output)[:200], "returns the same integers as another output", "return each tensor once"
            )
        outputs.append(tensor)
        if scale is not None:
            scales[tensor] = scale
    if not builder.operations or builder.input_spec is None:
        raise LoweringError(
            model.name,
            "has no layer that computes with integers",
            "quantize it: in Brevitas, or by post_training_quantize() and lower() for a float model",
        )
    return Network(
        name=name or model.name,
        input_name=builder.input_name,
        input_spec=builder.input_spec,
        operations=builder.needed(outputs),
        outputs=tuple(outputs),
        input_quantizer=builder.input_quantizer,
        output_scales=scales,
    )


def _output(builder: Builder, model: Model, output: str, values: dict[str, Value]) -> tuple[str, OutputScale | None]:
    value = values[output]
    maker = (
        next(node for node in model.nodes if output in node.outputs) if output != model.input.name else model.nodes[0]
    )
    if isinstance(value, Indices):
        return value.tensor, None
    if isinstance(value, Softened):
        raise maker.error(
            "ends the graph, and probabilities have no integer form",
            "read the scores before it by drop_softmax=True, or end in ArgMax",
        )
    if isinstance(value, Unavailable):
        raise maker.error(f"returns {value.reason}", value.fix)
    scaled = builder.integers(maker, value)
    if not scaled.affine:
        scaled = builder.materialized(maker, scaled)
    axes = axes_between(scaled)
    if axes is None:
        scaled = in_order(builder, maker, scaled, tuple(range(scaled.index.ndim)))
    slope, offset = scaled.parts()
    return scaled.tensor, OutputScale(_scalar(slope), _scalar(offset), axes or None)


def axes_between(value: Scaled) -> tuple[int, ...] | None:
    """The permutation from the network's axes to the ONNX tensor's, () for none; None where no permutation tells."""
    shape, index = value.shape, value.index[0]
    if index.shape == shape and np.array_equal(index.reshape(-1), np.arange(index.size)):
        return ()
    for axes in itertools.permutations(range(len(shape))):
        moved = plain_index(shape)[0].transpose(axes)
        if moved.shape == index.shape and np.array_equal(moved, index):
            return axes
    return None


def _scalar(values: Reals) -> float | Reals:
    return float(values[0]) if np.all(values == values[0]) else np.array(values)
