"""Pools and upsampling in QONNX."""

from __future__ import annotations

import numpy as np

from bitwright.errors import InputError
from bitwright.graph import MaxPool, SumPool, Upsample
from bitwright.quantize.qonnx.sketch import EXACT
from bitwright.quantize.qonnx.writer import Writer


def write_max_pool(writer: Writer, operation: MaxPool) -> None:
    """A MaxPool."""
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


def write_sum_pool(writer: Writer, operation: SumPool) -> None:
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


def write_upsample(writer: Writer, operation: Upsample) -> None:
    """A Resize to the nearest element."""
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
