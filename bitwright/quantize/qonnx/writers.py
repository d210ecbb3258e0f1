"""How each operation of a network looks in QONNX."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import TensorProto

from bitwright.errors import InputError
from bitwright.graph import (
    Add,
    Concat,
    Conv,
    Duplicate,
    IntArray,
    IntType,
    Linear,
    MaxPool,
    Network,
    Operation,
    Permute,
    Requant,
    SumPool,
    Threshold,
    TopK,
    Upsample,
)
from bitwright.quantize.qonnx.datatypes import finn_name
from bitwright.quantize.qonnx.sketch import EXACT, QONNX_DOMAIN, Sketch
from bitwright.quantize.thresholds import bisect_steps

MAX_TABLE_STEPS = 255
"""Requantizations to more levels are arithmetic, to fewer a table of thresholds."""

Pads = tuple[tuple[int, int], ...]
"""Elements added before and after, for each spatial axis."""

Axes = tuple[int, ...]
"""For each ONNX axis behind the batch the network's axis that it is."""


@dataclass(frozen=True)
class Held:
    """The ONNX tensor that holds a network's tensor, and its order of axes."""

    name: str
    axes: Axes


class Writer:
    """What the writers share: the graph, and where each tensor of the network is in it."""

    def __init__(self, network: Network, sketch: Sketch) -> None:
        """Nothing is written yet."""
        self.network = network
        self.sketch = sketch
        self.where: dict[str, Held] = {}
        self.others: dict[tuple[str, Axes], str] = {}

    def hold(self, tensor: str, name: str, axes: Axes) -> None:
        """Say that ONNX tensor `name` holds `tensor`."""
        self.where[tensor] = Held(name, axes)

    def plain(self, tensor: str) -> Axes:
        """The network's own order."""
        return tuple(range(len(self.network.spec(tensor).shape)))

    def first(self, tensor: str) -> Axes:
        """Channels first."""
        rank = len(self.network.spec(tensor).shape)
        return (rank - 1, *range(rank - 1))

    def arranged(self, tensor: str, axes: Axes) -> str:
        """The ONNX tensor with `tensor` in the order `axes`; a Transpose where it is in another."""
        held = self.where[tensor]
        if held.axes == axes:
            return held.name
        if (tensor, axes) not in self.others:
            order = [0, *(held.axes.index(axis) + 1 for axis in axes)]
            shape = tuple(self.sketch.shapes[held.name][place] for place in order)
            name = self.sketch.unique(f"{held.name}_transposed")
            self.others[tensor, axes] = self.sketch.node("Transpose", [held.name], name, shape, perm=order)
        return self.others[tensor, axes]

    def shape(self, tensor: str, axes: Axes) -> tuple[int, ...]:
        """The ONNX shape of a network's tensor in the order `axes`."""
        shape = self.network.spec(tensor).shape
        return (1, *(shape[axis] for axis in axes))

    def result(self, operation: Operation, axes: Axes) -> tuple[str, tuple[int, ...]]:
        """Name and shape for an operation's output, in the order `axes`."""
        name = self.sketch.unique(operation.output)
        self.hold(operation.output, name, axes)
        return name, self.shape(operation.output, axes)

    def channel_shape(self, axes: Axes) -> tuple[int, ...]:
        """The shape of one value for each channel, to broadcast against a tensor in the order `axes`."""
        return (1, *(-1 if axis == len(axes) - 1 else 1 for axis in axes))

    def quant(
        self, source: str, output: str, shape: tuple[int, ...], lo: int, hi: int, rounding: str = "ROUND"
    ) -> None:
        """Round reals to the integers [lo, hi] by a Quant node of scale 1, and a Clip where that has no such type."""
        levels = hi - lo + 1
        bits = max(1, (levels - 1).bit_length())
        top = (1 << (bits - 1)) - 1
        signed = bits > 1 and hi == top and lo in (-top - 1, -top)
        narrow = levels == (1 << bits) - 1 and bits > 1
        exact = signed or narrow or levels == 1 << bits
        if not exact:
            while not (-(1 << (bits - 1)) <= lo and hi < 1 << (bits - 1)):
                bits += 1
            signed, narrow = True, False
        zero = 0 if signed else -lo
        sketch = self.sketch
        inputs = [
            source,
            sketch.constant("one", np.array(1.0, dtype=np.float32)),
            sketch.constant("zero_point", np.array(zero, dtype=np.float32)),
            sketch.constant("bits", np.array(bits, dtype=np.float32)),
        ]
        target = output if exact else sketch.unique(f"{output}_unclipped")
        sketch.node(
            "Quant",
            inputs,
            target,
            shape,
            domain=QONNX_DOMAIN,
            signed=int(signed),
            narrow=int(narrow),
            rounding_mode=rounding,
        )
        if not exact:
            self.clip(target, output, shape, lo, hi)

    def clip(self, source: str, output: str, shape: tuple[int, ...], lo: int, hi: int) -> None:
        """Clip integers to [lo, hi]."""
        bounds = [self.sketch.integers(word, np.array(value)) for word, value in (("least", lo), ("most", hi))]
        self.sketch.node("Clip", [source, *bounds], output, shape)

    def multi_threshold(
        self, source: str, thresholds: str, output: str, shape: tuple[int, ...], axes: Axes, dtype: IntType
    ) -> None:
        """Count the thresholds that are reached, on a tensor in the order `axes`, from the least of `dtype` on."""
        bipolar = dtype.kind == "bipolar"
        self.sketch.node(
            "MultiThreshold",
            [source, thresholds],
            output,
            shape,
            domain=QONNX_DOMAIN,
            out_dtype=finn_name(dtype),
            out_scale=2.0 if bipolar else 1.0,
            out_bias=-1.0 if bipolar else float(dtype.lo),
            data_layout="N" + "".join("C" if axis == len(axes) - 1 else "HWD"[axis] for axis in axes),
        )

    def padded(self, source: str, name: str, padding: Pads, fill: int) -> str:
        """A Pad node in front of what makes `name`, on channels-first tensors."""
        full = [0, 0, *(before for before, _ in padding), 0, 0, *(after for _, after in padding)]
        held = self.sketch.constant(f"{name}_pads", np.array(full, dtype=np.int64))
        value = self.sketch.integers(f"{name}_pad_value", np.array(fill))
        before, rank = self.sketch.shapes[source], len(full) // 2
        shape = tuple(before[axis] + full[axis] + full[axis + rank] for axis in range(rank))
        return self.sketch.node("Pad", [source, held, value], self.sketch.unique(f"{name}_padded"), shape)

    def pool_source(self, operation: MaxPool | SumPool, name: str, fill: int) -> tuple[str, list[int]]:
        """The channels-first input of a pool, and its pads; those as large as the kernel need a node of their own."""
        source = self.arranged(operation.inputs[0], self.first(operation.inputs[0]))
        padding = operation.padding
        pads = [before for before, _ in padding] + [after for _, after in padding]
        if all(max(pair) < kernel for pair, kernel in zip(padding, operation.kernel, strict=True)):
            return source, pads
        return self.padded(source, name, padding, fill), [0] * len(pads)

    def check_sums(self, accumulator: IntType) -> None:
        """Raise InputError where a sum is not exact in float32."""
        if max(-accumulator.lo, accumulator.hi) > EXACT:
            raise InputError(f"its sums reach {accumulator}, beyond the 2^24 of float32; use fewer bits or split it")


def _linear(writer: Writer, operation: Linear) -> None:
    source = operation.inputs[0]
    writer.check_sums(operation.accumulator_type(writer.network.spec(source).dtype))
    axes = writer.plain(operation.output)
    name, shape = writer.result(operation, axes)
    given = writer.arranged(source, writer.plain(source))
    weights = writer.sketch.integers(f"{operation.name}_weights", operation.weights.T, operation.weight_type)
    if operation.bias is None:
        writer.sketch.node("MatMul", [given, weights], name, shape)
        return
    product = writer.sketch.node("MatMul", [given, weights], writer.sketch.unique(f"{name}_product"), shape)
    bias = writer.sketch.integers(f"{operation.name}_bias", operation.bias)
    writer.sketch.node("Add", [product, bias], name, shape)


def _conv(writer: Writer, operation: Conv) -> None:
    source = operation.inputs[0]
    writer.check_sums(operation.accumulator_type(writer.network.spec(source)))
    name, shape = writer.result(operation, writer.first(operation.output))
    given = writer.arranged(source, writer.first(source))
    sketch, padding = writer.sketch, operation.padding
    pads = [before for before, _ in padding] + [after for _, after in padding]
    if operation.pad_value != 0 and any(pads):
        given, pads = writer.padded(given, name, padding, operation.pad_value), [0] * len(pads)
    weights = sketch.integers(f"{operation.name}_weights", np.moveaxis(operation.weights, -1, 1), operation.weight_type)
    inputs = [given, weights]
    if operation.bias is not None:
        inputs.append(sketch.integers(f"{operation.name}_bias", operation.bias))
    sketch.node(
        "Conv",
        inputs,
        name,
        shape,
        kernel_shape=list(operation.kernel),
        strides=list(operation.stride),
        pads=pads,
        dilations=list(operation.dilation),
        group=operation.groups,
    )


def _threshold(writer: Writer, operation: Threshold) -> None:
    _table(writer, operation, operation.thresholds, operation.ascending, operation.output_type)


def _table(writer: Writer, operation: Operation, thresholds: IntArray, ascending: Any, output_type: IntType) -> None:
    """MultiThreshold knows only steps upwards: channels that fall are negated before it."""
    source = operation.inputs[0]
    dtype = writer.network.spec(source).dtype
    if max(-dtype.lo, dtype.hi) >= EXACT:
        raise InputError(f"its input is {dtype}, beyond the 2^24 of float32; use fewer bits")
    axes = writer.where[source].axes
    name, shape = writer.result(operation, axes)
    given, sketch = writer.where[source].name, writer.sketch
    # Beyond the input's type all thresholds are alike: never or always reached.
    table = np.clip(thresholds, dtype.lo, dtype.hi + 1)
    if not np.all(ascending):
        signs = np.where(ascending, 1, -1)
        held = sketch.integers(f"{operation.name}_signs", signs.reshape(writer.channel_shape(axes)))
        given = sketch.node("Mul", [given, held], sketch.unique(f"{name}_signed"), sketch.shapes[given])
        table = np.where(np.asarray(ascending)[:, None], table, np.sort(1 - table, axis=1))
    if table.shape[1] == 0:
        table = np.full((1, 1), dtype.hi + dtype.hi - dtype.lo + 1)
    held = sketch.integers(f"{operation.name}_thresholds", table)
    writer.multi_threshold(given, held, name, shape, axes, output_type)


def _requant(writer: Writer, operation: Requant) -> None:
    source, dtype = operation.inputs[0], operation.output_type
    spec = writer.network.spec(source)
    channels = len(operation.multiplier)
    if dtype.hi - dtype.lo <= MAX_TABLE_STEPS:
        lo, hi = np.full(channels, spec.dtype.lo), np.full(channels, spec.dtype.hi)
        found = bisect_steps(lambda x: operation.run(x).astype(np.int64) - dtype.lo, lo, hi, dtype.hi - dtype.lo)
        _table(writer, operation, found.thresholds, found.ascending, dtype)
        return
    product = operation.product_type(spec.dtype)
    writer.check_sums(product)
    axes = writer.where[source].axes
    name, shape = writer.result(operation, axes)
    given, sketch = writer.where[source].name, writer.sketch
    spread = writer.channel_shape(axes)
    for word, kind, values, neutral in (
        ("multiplier", "Mul", operation.multiplier, 1),
        ("offset", "Add", operation.offset, 0),
    ):
        if np.any(values != neutral):
            held = sketch.integers(f"{operation.name}_{word}", values.reshape(spread))
            given = sketch.node(kind, [given, held], sketch.unique(f"{name}_{word}"), shape)
    if operation.shift:
        held = sketch.constant(f"{operation.name}_factor", np.array(2.0**-operation.shift, dtype=np.float32))
        given = sketch.node("Mul", [given, held], sketch.unique(f"{name}_real"), shape)
        writer.quant(given, name, shape, dtype.lo, dtype.hi, "FLOOR")
    else:
        writer.clip(given, name, shape, dtype.lo, dtype.hi)


def _flatten(writer: Writer, operation: Operation) -> None:
    source = operation.inputs[0]
    name, shape = writer.result(operation, (0,))
    writer.sketch.node("Flatten", [writer.arranged(source, writer.plain(source))], name, shape, axis=1)


def _reshape(writer: Writer, operation: Operation) -> None:
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


def _permute(writer: Writer, operation: Permute) -> None:
    _gather(writer, operation, operation.order)


def _duplicate(writer: Writer, operation: Duplicate) -> None:
    channels = writer.network.spec(operation.inputs[0]).shape[-1]
    _gather(writer, operation, np.concatenate([np.arange(channels), operation.copies]))


def _arg_max(writer: Writer, operation: Operation) -> None:
    name, shape = writer.result(operation, ())
    given = writer.where[operation.inputs[0]].name
    writer.sketch.node("ArgMax", [given], name, shape, element=TensorProto.INT64, axis=1, keepdims=0)


def _top_k(writer: Writer, operation: TopK) -> None:
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


def _max_pool(writer: Writer, operation: MaxPool) -> None:
    name, shape = writer.result(operation, writer.first(operation.output))
    # Padding never wins: every window holds an element that is at least the least of its type.
    source, pads = writer.pool_source(operation, name, writer.network.spec(operation.inputs[0]).dtype.lo)
    writer.sketch.node(
        "MaxPool",
        [source],
        name,
        shape,
        kernel_shape=list(operation.kernel),
        strides=list(operation.stride),
        pads=pads,
        dilations=list(operation.dilation),
    )


def _sum_pool(writer: Writer, operation: SumPool) -> None:
    """An average, times its size, rounded: the quotient is off by less than half an integer."""
    source, sketch = operation.inputs[0], writer.sketch
    accumulator = operation.accumulator_type(writer.network.spec(source))
    if max(-accumulator.lo, accumulator.hi) > EXACT >> 2:
        raise InputError(f"its sums reach {accumulator}, beyond 2^22; use fewer bits or a smaller kernel")
    name, shape = writer.result(operation, writer.first(operation.output))
    given, pads = writer.pool_source(operation, name, 0)
    mean = sketch.node(
        "AveragePool",
        [given],
        sketch.unique(f"{name}_mean"),
        shape,
        kernel_shape=list(operation.kernel),
        strides=list(operation.stride),
        pads=pads,
        count_include_pad=1,
    )
    size = sketch.integers(f"{operation.name}_size", np.array(int(np.prod(operation.kernel))))
    total = sketch.node("Mul", [mean, size], sketch.unique(f"{name}_real"), shape)
    dtype = writer.network.spec(operation.output).dtype
    writer.quant(total, name, shape, dtype.lo, dtype.hi)


def _add(writer: Writer, operation: Add) -> None:
    specs = [writer.network.spec(tensor) for tensor in operation.inputs]
    reach = sum(max(-product.lo, product.hi) for product in operation.product_types(*specs))
    writer.check_sums(IntType(-reach, reach))
    axes = writer.where[operation.inputs[0]].axes
    name, shape = writer.result(operation, axes)
    parts = []
    for tensor, multiplier in zip(operation.inputs, operation.multipliers.tolist(), strict=True):
        part = writer.arranged(tensor, axes)
        if multiplier != 1:
            held = writer.sketch.integers(f"{operation.name}_multiplier", np.array(multiplier))
            part = writer.sketch.node("Mul", [part, held], writer.sketch.unique(f"{name}_part"), shape)
        parts.append(part)
    writer.sketch.node("Add" if len(parts) == 2 else "Sum", parts, name, shape)


def _concat(writer: Writer, operation: Concat) -> None:
    axes = writer.where[operation.inputs[0]].axes
    name, shape = writer.result(operation, axes)
    parts = [writer.arranged(tensor, axes) for tensor in operation.inputs]
    writer.sketch.node("Concat", parts, name, shape, axis=axes.index(len(axes) - 1) + 1)


def _upsample(writer: Writer, operation: Upsample) -> None:
    source, sketch = operation.inputs[0], writer.sketch
    name, shape = writer.result(operation, writer.first(operation.output))
    given = writer.arranged(source, writer.first(source))
    scales = sketch.constant(f"{operation.name}_factors", np.array([1, 1, *operation.factors], dtype=np.float32))
    none = sketch.constant("no_region", np.zeros(0, dtype=np.float32))
    sketch.node(
        "Resize",
        [given, none, scales],
        name,
        shape,
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )


WRITERS: dict[str, Callable[[Writer, Any], None]] = {
    "Linear": _linear,
    "Conv": _conv,
    "Threshold": _threshold,
    "Requant": _requant,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Permute": _permute,
    "Duplicate": _duplicate,
    "ArgMax": _arg_max,
    "TopK": _top_k,
    "MaxPool": _max_pool,
    "SumPool": _sum_pool,
    "Add": _add,
    "Concat": _concat,
    "Upsample": _upsample,
}
"""The form of each kind of operation."""
