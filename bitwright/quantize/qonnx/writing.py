"""write_qonnx(): an integer network as an ONNX graph that other tools read, and that computes its very integers."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from onnx import TensorProto

from bitwright.errors import InputError
from bitwright.graph import InputQuantizer, Network, Operation, OutputScale
from bitwright.output import write_file
from bitwright.quantize.qonnx.datatypes import finn_name
from bitwright.quantize.qonnx.sketch import QONNX_DOMAIN, Sketch
from bitwright.quantize.qonnx.writer import Writer
from bitwright.quantize.qonnx.writers import WRITERS

MAX_FILE_BYTES = (1 << 31) - 1
"""Protocol buffers hold no more."""


MAX_FLOAT32 = float(np.finfo(np.float32).max)


def write_qonnx(network: Network, path: str | os.PathLike[str]) -> Path:
    """Write a network as QONNX, for the `qonnx` package, FINN and other tools; whole or not at all.

    Integers travel as float32, and every tensor has the name it has in the network: weights are integers behind MatMul
    and Conv, thresholds and requantizations are MultiThreshold nodes, images are channels first between convolutions.
    The graph takes what the network takes: real inputs in the module's order of axes when there is an input quantizer
    (a Quant, BipolarQuant or MultiThreshold node, its scale rounded to float32), else integers in the network's order.
    Real outputs come from Mul and Add nodes behind the integers. The batch is 1.

    Executors give exactly the network's integers. Raises InputError for sums beyond 2^24, which float32 rounds, and
    OutputError when the place cannot be written.
    """
    data = _Graph(network).model_bytes()
    if len(data) > MAX_FILE_BYTES:
        raise InputError(f"network '{network.name}' is larger than 2 GiB, which one ONNX file cannot hold; split it")
    target = Path(path)
    write_file(target, data)
    return target


class _Graph:
    def __init__(self, network: Network) -> None:
        self.network = network
        self.sketch = Sketch(network.name)
        self.writer = Writer(network, self.sketch)

    def model_bytes(self) -> bytes:
        source = self._input()
        for operation in self.network.operations:
            self._operation(operation)
        outputs = [self._output(tensor) for tensor in self.network.outputs]
        data: bytes = self.sketch.model(source, outputs).SerializeToString(deterministic=True)
        return data

    def _operation(self, operation: Operation) -> None:
        if operation.kind not in WRITERS:
            raise operation.error("has no form in QONNX")
        try:
            WRITERS[operation.kind](self.writer, operation)
        except InputError as error:
            raise InputError(f"{operation.kind} '{operation.name}': {error}") from error

    # The two ends

    def _input(self) -> str:
        network, sketch = self.network, self.sketch
        quantizer, shape = network.input_quantizer, network.input_spec.shape
        name = sketch.unique(network.input_name)
        if quantizer is None:
            sketch.shapes[name], sketch.kinds[name] = (1, *shape), TensorProto.FLOAT
            word = network.input_spec.dtype
            sketch.annotations[name] = finn_name(word)
            self.writer.hold(network.input_name, name, tuple(range(len(shape))))
            return name
        axes = quantizer.axes or tuple(range(len(shape)))
        fed = [0] * len(shape)
        for place, axis in enumerate(axes):
            fed[axis] = shape[place]
        real = sketch.unique(f"{network.input_name}_real")
        full = (1, *fed)
        sketch.shapes[real], sketch.kinds[real] = full, TensorProto.FLOAT
        # Axis a of the fed tensor is axis axes.index(a) of the network's.
        held = tuple(axes.index(axis) for axis in range(len(axes)))
        if quantizer.kind == "thresholds":
            table = np.array(quantizer.thresholds)
            table = np.where(np.abs(table) > MAX_FLOAT32, np.copysign(np.inf, table), table).astype(np.float32)
            thresholds = sketch.constant("input_thresholds", table)
            self.writer.multi_threshold(real, thresholds, name, full, held, quantizer.dtype)
        else:
            self._quantize(quantizer, real, name, full)
        self.writer.hold(network.input_name, name, held)
        return real

    def _quantize(self, quantizer: InputQuantizer, real: str, name: str, shape: tuple[int, ...]) -> None:
        sketch = self.sketch
        one = sketch.constant("one", np.array(1.0, dtype=np.float32))
        if quantizer.kind == "bipolar":
            if quantizer.threshold != 0:
                bound = np.float32(quantizer.threshold)
                if bound < quantizer.threshold:
                    bound = np.nextafter(bound, np.float32(np.inf))
                held = sketch.constant("input_threshold", np.array(bound, dtype=np.float32))
                real = sketch.node("Sub", [real, held], sketch.unique("input_shifted"), shape)
            sketch.node("BipolarQuant", [real, one], name, shape, domain=QONNX_DOMAIN)
            return
        if quantizer.scale != 1:
            held = sketch.constant("input_scale", np.array(quantizer.scale, dtype=np.float32))
            real = sketch.node("Div", [real, held], sketch.unique("input_steps"), shape)
        shift = quantizer.zero_point
        rounded = name if shift == 0 else sketch.unique("input_rounded")
        lo, hi = quantizer.dtype.lo - shift, quantizer.dtype.hi - shift
        self.writer.quant(real, rounded, shape, lo, hi)
        if shift:
            held = sketch.integers("input_zero_point", np.array(shift))
            sketch.node("Add", [rounded, held], name, shape)

    def _output(self, tensor: str) -> str:
        scale = self.network.output_scales.get(tensor, OutputScale())
        rank = len(self.network.specs[tensor].shape)
        maker = self.network.producer(tensor)
        if maker is not None and maker.kind in ("ArgMax", "TopK"):
            return self.writer.where[tensor].name
        axes = scale.axes or tuple(range(rank))
        name = self.writer.arranged(tensor, axes)
        shape = self.sketch.shapes[name]
        for word, kind, values, neutral in (("scale", "Mul", scale.scale, 1.0), ("offset", "Add", scale.offset, 0.0)):
            if np.all(np.asarray(values) == neutral):
                continue
            array = np.asarray(values, dtype=np.float32)
            if array.ndim:
                # Channels are the network's last axis.
                array = array.reshape([-1 if axis == rank - 1 else 1 for axis in axes])[None]
            held = self.sketch.constant(f"{tensor}_{word}", array)
            name = self.sketch.node(kind, [name, held], self.sketch.unique(f"{tensor}_times_{word}"), shape)
        return name
