"""The integer network: the one exact definition that hardware, simulators and reports answer to."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright.errors import InputError
from bitwright.graph.drawing import draw_network
from bitwright.graph.executor import Executor
from bitwright.graph.operation import Operation, check_name
from bitwright.graph.scaling import InputQuantizer, OutputScale, permuted
from bitwright.graph.table import network_table
from bitwright.graph.types import IntArray, TensorSpec

Outputs = IntArray | tuple[IntArray, ...]
"""One array when the network has one output, else one for each."""

INDEX_KINDS = ("ArgMax", "TopK")


@dataclass(frozen=True, eq=False)
class Golden:
    """What PyTorch answered when the network was lowered: integer inputs and integer outputs, frames in axis 0."""

    inputs: IntArray
    outputs: tuple[IntArray, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "outputs", tuple(self.outputs))


@dataclass(frozen=True, eq=False)
class Network:
    """An acyclic graph of integer operations in topological order, checked when it is made.

    `outputs` are tensor names. `input_quantizer` turns real inputs into integers; `output_scales` maps output
    tensors to their affine real meaning (identity when missing; indices never have one). `golden` are vectors that
    PyTorch computed. Raises InputError for double names, unknown tensors and shapes that do not fit.
    """

    name: str
    input_name: str
    input_spec: TensorSpec
    operations: tuple[Operation, ...]
    outputs: tuple[str, ...]
    input_quantizer: InputQuantizer | None = None
    output_scales: Mapping[str, OutputScale] = field(default_factory=dict)
    golden: Golden | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "operations", tuple(self.operations))
        outputs = (self.outputs,) if isinstance(self.outputs, str) else tuple(self.outputs)
        object.__setattr__(self, "outputs", outputs)
        object.__setattr__(self, "output_scales", dict(self.output_scales or {}))
        check_name(self.name, "network")
        check_name(self.input_name, f"network '{self.name}'")
        self._check_outputs()
        self._check_ends()

    @cached_property
    def specs(self) -> dict[str, TensorSpec]:
        """Shape and type of every tensor, the input first, then in the order of the operations."""
        specs = {self.input_name: self.input_spec}
        if any(length < 1 for length in self.input_spec.shape):
            raise InputError(f"network '{self.name}': its input {self.input_spec} has an empty axis")
        names: set[str] = set()
        for operation in self.operations:
            if operation.name in names:
                raise InputError(f"network '{self.name}': two operations are named '{operation.name}'; rename one")
            names.add(operation.name)
            for tensor in operation.inputs:
                if tensor not in specs:
                    raise operation.error(
                        f"reads tensor '{tensor}', which no earlier operation makes; list operations in order"
                    )
            if operation.output in specs:
                raise operation.error(f"makes tensor '{operation.output}', which exists already; rename one")
            specs[operation.output] = operation.infer(*(specs[tensor] for tensor in operation.inputs))
        for tensor, spec in specs.items():
            if spec.dtype.width > 63:
                raise InputError(f"network '{self.name}': tensor '{tensor}' is {spec}; no tensor may exceed 63 bits")
        return specs

    def _check_outputs(self) -> None:
        if not self.outputs or len(set(self.outputs)) != len(self.outputs):
            raise InputError(f"network '{self.name}': needs at least one output, each named once, not {self.outputs}")
        for tensor in self.outputs:
            if tensor not in self.specs:
                raise InputError(f"network '{self.name}': its output '{tensor}' is no tensor of it")
        for operation in self.operations:
            if operation.output not in self.outputs and not self.consumers(operation.output):
                raise operation.error("nobody reads its output; remove it or make it an output of the network")

    def _check_ends(self) -> None:
        if self.input_quantizer is not None and self.input_quantizer.dtype != self.input_spec.dtype:
            raise InputError(
                f"network '{self.name}': its input quantizer gives {self.input_quantizer.dtype}, "
                f"its input is {self.input_spec}"
            )
        if self.input_quantizer is not None and self.input_quantizer.axes is not None:
            self._check_axes(self.input_quantizer.axes, "input quantizer", self.input_name)
        rows = 1 if self.input_quantizer is None else len(self.input_quantizer.thresholds)
        if rows > 1 and rows != (self.input_spec.shape or (1,))[-1]:
            raise InputError(
                f"network '{self.name}': its input quantizer has thresholds for {rows} channels, "
                f"its input is {self.input_spec}"
            )
        for tensor, scale in self.output_scales.items():
            if tensor not in self.outputs:
                raise InputError(f"network '{self.name}': a scale is given for '{tensor}', which is no output of it")
            if scale.axes is not None:
                self._check_axes(scale.axes, "output scale", tensor)
            for values in (scale.scale, scale.offset):
                if np.ndim(values) and np.shape(values) != self.specs[tensor].shape[-1:]:
                    raise InputError(
                        f"network '{self.name}': output '{tensor}' is {self.specs[tensor]}, "
                        f"but its scale has {np.size(values)} values"
                    )
        if self.golden is not None:
            self.input_spec.check(self.golden.inputs, f"network '{self.name}': golden input")
            if len(self.golden.outputs) != len(self.outputs):
                raise InputError(f"network '{self.name}': golden holds {len(self.golden.outputs)} outputs")
            for tensor, values in zip(self.outputs, self.golden.outputs, strict=True):
                self.specs[tensor].check(values, f"network '{self.name}': golden output '{tensor}'")
                if len(values) != len(self.golden.inputs):
                    raise InputError(f"network '{self.name}': golden inputs and outputs differ in frames")

    def _check_axes(self, axes: tuple[int, ...], what: str, tensor: str) -> None:
        if len(axes) != len(self.specs[tensor].shape):
            raise InputError(
                f"network '{self.name}': its {what} has {len(axes)} axes, but tensor '{tensor}' is {self.specs[tensor]}"
            )

    def spec(self, tensor: str) -> TensorSpec:
        """Shape and type of a tensor. Raises InputError when there is no such tensor."""
        if tensor not in self.specs:
            raise InputError(f"network '{self.name}' has no tensor '{tensor}'; it has {', '.join(self.specs)}")
        return self.specs[tensor]

    @cached_property
    def output_specs(self) -> tuple[TensorSpec, ...]:
        """Shape and type of every output, in order."""
        return tuple(self.specs[tensor] for tensor in self.outputs)

    def consumers(self, tensor: str) -> tuple[Operation, ...]:
        """The operations that read a tensor, in order."""
        return tuple(operation for operation in self.operations if tensor in operation.inputs)

    def producer(self, tensor: str) -> Operation | None:
        """The operation that makes a tensor; None for the network's input."""
        return next((operation for operation in self.operations if operation.output == tensor), None)

    def macs(self, operation: Operation) -> int:
        """Multiply-accumulates of one frame in an operation."""
        return operation.macs(*(self.specs[tensor] for tensor in operation.inputs))

    @property
    def total_macs(self) -> int:
        """Multiply-accumulates of one frame."""
        return sum(self.macs(operation) for operation in self.operations)

    @property
    def weight_bits(self) -> int:
        """Bits of all weights."""
        return sum(operation.weight_bits for operation in self.operations)

    def trace(self, x: IntArray) -> dict[str, IntArray]:
        """Every tensor for a batch of inputs, by the definitions of the operations alone."""
        self.input_spec.check(x)
        values = {self.input_name: x.astype(self.input_spec.dtype.numpy)}
        for operation in self.operations:
            result = operation.run(*(values[tensor] for tensor in operation.inputs))
            values[operation.output] = result.astype(self.specs[operation.output].dtype.numpy, copy=False)
        return values

    def run(self, x: IntArray) -> Outputs:
        """The outputs for a batch of integer inputs, exact: an array, or a tuple when there are several."""
        self.input_spec.check(x)
        results = self._executor.run(x)
        return results[0] if len(results) == 1 else results

    @cached_property
    def _executor(self) -> Executor:
        return Executor(self)

    def quantize(self, x: NDArray[Any]) -> IntArray:
        """Real inputs (batch, ...) to the network's integers, in the network's order of axes.

        Integers are in that order already and pass after a check of shape and range; where the module's order has
        another shape, such as (channels, height, width), integers of that shape are brought into the network's.
        """
        given = np.asarray(x)
        axes = None if self.input_quantizer is None else self.input_quantizer.axes
        if axes is not None and given.dtype.kind in "iu" and given.shape[1:] == self.module_input_shape:
            given = given if given.shape[1:] == self.input_spec.shape else permuted(given, axes, "input")
        if self.input_quantizer is None and given.dtype.kind not in "iu":
            raise InputError(f"network '{self.name}' has no input quantizer; give integers of type {self.input_spec}")
        values = given if self.input_quantizer is None else self.input_quantizer(given)
        self.input_spec.check(values)
        return values

    @property
    def module_input_shape(self) -> tuple[int, ...]:
        """The shape, without batch, of the real inputs that `quantize` takes: the PyTorch module's order of axes."""
        axes = None if self.input_quantizer is None else self.input_quantizer.axes
        shape = self.input_spec.shape
        return shape if axes is None else tuple(shape[axes.index(axis)] for axis in range(len(shape)))

    def dequantize(self, y: Outputs) -> NDArray[Any] | tuple[NDArray[Any], ...]:
        """Integer outputs to real numbers, `y * scale + offset` in float64 in the order of axes of the output scale.

        Indices stay integers.
        """
        values = y if isinstance(y, tuple) else (y,)
        if len(values) != len(self.outputs):
            raise InputError(f"network '{self.name}' has {len(self.outputs)} outputs, not {len(values)}")
        results = tuple(self._real(tensor, value) for tensor, value in zip(self.outputs, values, strict=True))
        return results[0] if len(results) == 1 else results

    def _real(self, tensor: str, value: IntArray) -> NDArray[Any]:
        maker = self.producer(tensor)
        if maker is not None and maker.kind in INDEX_KINDS:
            return value
        return self.output_scales.get(tensor, OutputScale())(value)

    def predict(self, x: NDArray[Any]) -> NDArray[Any] | tuple[NDArray[Any], ...]:
        """Real inputs to real outputs (or indices): `dequantize(run(quantize(x)))`."""
        return self.dequantize(self.run(self.quantize(x)))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the network's content; equal for equal networks, so it serves as a cache key."""
        from bitwright.graph.format import network_bytes

        return network_bytes(self)[-64:].decode()

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the network to one file, whole or not at all. Raises OutputError when the place cannot be written."""
        from bitwright.graph.format import save_network

        return save_network(self, path)

    def draw(self, path: str | os.PathLike[str]) -> Path:
        """Write an SVG picture of the graph. Raises OutputError when the place cannot be written."""
        return draw_network(self, path)

    def __str__(self) -> str:
        return network_table(self)

    def __repr__(self) -> str:
        return f"<Network '{self.name}': {len(self.operations)} operations, {self.weight_bits} weight bits>"

    @staticmethod
    def load(path: str | os.PathLike[str]) -> Network:
        """Read a network file. Raises NetworkFormatError, naming the place, for anything but a sound one."""
        from bitwright.graph.format import load_network

        return load_network(path)
