"""Thresholds and requantizations in QONNX."""

from __future__ import annotations

from typing import Any

import numpy as np

from bitwright.errors import InputError
from bitwright.graph import IntArray, IntType, Operation, Requant, Threshold
from bitwright.quantize.qonnx.sketch import EXACT
from bitwright.quantize.qonnx.writer import Writer
from bitwright.quantize.thresholds import bisect_steps

MAX_TABLE_STEPS = 255
"""Requantizations to more levels are arithmetic, to fewer a table of thresholds."""


def write_threshold(writer: Writer, operation: Threshold) -> None:
    """A table of thresholds: a MultiThreshold."""
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


def write_requant(writer: Writer, operation: Requant) -> None:
    """A multiplication, a shift and a clip as arithmetic on floats, or, to few levels, a MultiThreshold."""
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
