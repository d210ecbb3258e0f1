"""What adds up in QONNX: linear layers, convolutions, Add."""

from __future__ import annotations

import numpy as np

from bitwright.graph import Add, Conv, IntType, Linear
from bitwright.quantize.qonnx.writer import Writer


def write_linear(writer: Writer, operation: Linear) -> None:
    """A MatMul by integer weights, with an Add for the bias."""
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


def write_conv(writer: Writer, operation: Conv) -> None:
    """A Conv by integer weights, with a Pad where its value is not 0."""
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


def write_add(writer: Writer, operation: Add) -> None:
    """An Add or Sum of the inputs times their multipliers."""
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
