"""The fast and exact way to run a Network: each operation's quickest method whose result cannot differ.

A plan is made once for a network. Bipolar inputs against bipolar or ternary weights go through the packed kernel, and
stay packed from layer to layer where a bipolar Threshold follows; other products go through integer kernels, or
floating-point matrix products whose every partial sum is an exact integer. Batches go through in chunks, and a tensor
is dropped after its last reader, so memory stays bounded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bitwright.graph.plan import plan
from bitwright.graph.types import IntArray
from bitwright.graph.values import Values

if TYPE_CHECKING:
    from bitwright.graph.network import Network

CHUNK_BYTES = 1 << 26
"""Intermediate arrays of one chunk of frames, about."""


class Executor:
    """A network's plan: one step for each operation, or for an operation and the Threshold fused into it."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.steps = plan(network)
        last = {tensor: index for index, (_, sources) in enumerate(self.steps) for tensor in sources}
        kept = set(network.outputs)
        self.dropped = [
            tuple(tensor for tensor in sources if last[tensor] == index and tensor not in kept)
            for index, (_, sources) in enumerate(self.steps)
        ]
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
        for (step, _), dropped in zip(self.steps, self.dropped, strict=True):
            step(values)
            for tensor in dropped:
                values.drop(tensor)
        return tuple(values.plain(tensor) for tensor in self.network.outputs)
