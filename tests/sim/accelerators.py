"""Small accelerators to simulate: random networks at random foldings."""

from __future__ import annotations

from typing import Any

import numpy as np

from bitwright.graph import Linear, Network
from bitwright.graph.random import random_mlp
from bitwright.graph.types import IntArray
from bitwright.hw import Accelerator, Folding, LayerFolding, assemble
from bitwright.hw.folding import divisors


def random_folding(network: Network, seed: int) -> Folding:
    """Any PE and SIMD that divide each layer."""
    draws = np.random.default_rng(seed)
    layers = {
        op.name: LayerFolding(*(int(draws.choice(divisors(size))) for size in op.weights.shape))
        for op in network.operations
        if isinstance(op, Linear)
    }
    return Folding(layers)


def random_accelerator(seed: int, **arguments: Any) -> Accelerator:
    """`random_mlp(seed, **arguments)` at a random folding."""
    network = random_mlp(seed, **arguments)
    return assemble(network, random_folding(network, seed))


def as_tuple(arrays: IntArray | tuple[IntArray, ...]) -> tuple[IntArray, ...]:
    """Results of a network with one or several outputs, alike."""
    return arrays if isinstance(arrays, tuple) else (arrays,)
