"""The fast and exact way to run a Network: each operation's quickest method whose result cannot differ.

A plan is made once for a network. Bipolar inputs against bipolar or ternary weights go through the packed kernel, and
stay packed from layer to layer where a bipolar Threshold follows; other products go through floating-point matrix
products whose every partial sum is an exact integer. Batches go through in chunks, so memory stays bounded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from bitwright.graph.matmul import ExactMatmul
from bitwright.graph.operation import Operation
from bitwright.graph.ops import Linear, Requant, Threshold
from bitwright.graph.packed import PackedWeights, Words, pack, unpack
from bitwright.graph.packed_layer import PackedLinear, PackedThreshold
from bitwright.graph.steps import FastThreshold, fast_requant
from bitwright.graph.types import IntArray, TensorSpec

if TYPE_CHECKING:
    from bitwright.graph.network import Network

CHUNK_BYTES = 1 << 26
"""Intermediate arrays of one chunk of frames, about."""


class Values:
    """The tensors of one chunk of frames, each as integers, as packed bits, or both."""

    def __init__(self, specs: dict[str, TensorSpec]) -> None:
        self.specs = specs
        self._plain: dict[str, IntArray] = {}
        self._packed: dict[str, Words] = {}

    def plain(self, tensor: str) -> IntArray:
        """The integers (frames, *shape), unpacked on first use."""
        if tensor not in self._plain:
            self._plain[tensor] = unpack(self._packed[tensor], self.specs[tensor].shape[0])
        return self._plain[tensor]

    def packed(self, tensor: str) -> Words:
        """The bits of a bipolar vector, packed on first use."""
        if tensor not in self._packed:
            self._packed[tensor] = pack(self._plain[tensor])
        return self._packed[tensor]

    def set_plain(self, tensor: str, values: IntArray) -> None:
        """Keep integers in the tensor's own dtype."""
        self._plain[tensor] = values.astype(self.specs[tensor].dtype.numpy, copy=False)

    def set_packed(self, tensor: str, words: Words) -> None:
        """Keep packed bits."""
        self._packed[tensor] = words


Step = Callable[[Values], None]


class Executor:
    """A network's plan: one step for each operation, or for a Linear and the Threshold fused into it."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.steps: list[Step] = []
        fused: set[str] = set()
        for operation in network.operations:
            if operation.name in fused:
                continue
            if isinstance(operation, Linear) and is_packed(operation, network.spec(operation.inputs[0])):
                threshold = fusable(network, operation)
                if threshold is not None:
                    fused.add(threshold.name)
                self.steps.append(_packed_step(operation, threshold))
            else:
                self.steps.append(_plain_step(operation, network.spec(operation.inputs[0])))
        widest = max(spec.size for spec in network.specs.values())
        self.chunk = max(1, CHUNK_BYTES // (8 * widest))

    def run(self, x: IntArray) -> tuple[IntArray, ...]:
        """Every output for inputs that were checked already."""
        parts = [self._run_chunk(x[start : start + self.chunk]) for start in range(0, max(1, len(x)), self.chunk)]
        if len(parts) == 1:
            return parts[0]
        return tuple(np.concatenate(pieces) for pieces in zip(*parts, strict=True))

    def _run_chunk(self, x: IntArray) -> tuple[IntArray, ...]:
        values = Values(self.network.specs)
        values.set_plain(self.network.input_name, x)
        for step in self.steps:
            step(values)
        return tuple(values.plain(tensor) for tensor in self.network.outputs)


def is_packed(operation: Linear, spec: TensorSpec) -> bool:
    """Whether a Linear can run on packed bits: a bipolar vector against weights of -1, 0, +1."""
    return len(spec.shape) == 1 and spec.dtype.kind == "bipolar" and operation.weight_type.kind != "integer"


def fusable(network: Network, operation: Linear) -> Threshold | None:
    """The bipolar Threshold that alone reads a Linear's output, if that is so."""
    readers = network.consumers(operation.output)
    if operation.output in network.outputs or len(readers) != 1:
        return None
    reader = readers[0]
    return reader if isinstance(reader, Threshold) and reader.output_type.kind == "bipolar" else None


def _packed_step(operation: Linear, threshold: Threshold | None) -> Step:
    source = operation.inputs[0]
    weights = PackedWeights.of(operation.weights)
    if threshold is None:
        linear = PackedLinear.of(operation, weights)
        return lambda values: values.set_plain(operation.output, linear(values.packed(source)))
    target = threshold.output
    fused = PackedThreshold.of(operation, threshold, weights)
    return lambda values: values.set_packed(target, fused(values.packed(source)))


def _plain_step(operation: Operation, spec: TensorSpec) -> Step:
    method: Callable[..., IntArray] = operation.run
    if isinstance(operation, Linear):
        method = ExactMatmul.of(operation, spec.dtype)
    elif isinstance(operation, Threshold):
        method = FastThreshold.of(operation, spec.dtype)
    elif isinstance(operation, Requant):
        method = fast_requant(operation, spec.dtype)
    sources, target = operation.inputs, operation.output
    return lambda values: values.set_plain(target, method(*(values.plain(source) for source in sources)))
