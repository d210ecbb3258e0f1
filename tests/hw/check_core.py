"""The claim every core makes: its RTL equals the operations' definitions, and its cycles equal the cycle model's."""

from __future__ import annotations

from typing import Any

import numpy as np

from bitwright.graph import Network, Operation, TensorSpec
from bitwright.graph.random import random_values
from bitwright.hw import Accelerator, Folding, LayerFolding, assemble
from bitwright.sim.cycle_model import cycles
from bitwright.sim.simulate import simulate
from bitwright.sim.stalls import Stalls

STALLS = (None, Stalls(seed=1, input_gap=2.0, output_gap=0.4), Stalls(seed=2, input_gap=0.0, output_gap=0.8))


def chain(spec: TensorSpec, *operations: Operation, outputs: tuple[str, ...] = ()) -> Network:
    """Operations in a row as a network; the input tensor is called "x"."""
    return Network("core", "x", spec, operations, outputs or (operations[-1].output,))


def several(values: Any) -> tuple[Any, ...]:
    """A tuple also where a design with a single output has a single array."""
    return values if isinstance(values, tuple) else (values,)


def check_core(
    network: Network, folding: dict[str, tuple[Any, ...]] | None = None, *, frames: int = 5, seed: int = 0
) -> Accelerator:
    """Build the network at {operation: fields of LayerFolding}, with and without stalls; compare values and cycles."""
    layers = {name: LayerFolding(*one) for name, one in (folding or {}).items()}
    accelerator = assemble(network, Folding(layers))
    x = random_values(network.input_spec, frames, seed)
    trace = network.trace(x)
    expected = [trace[tensor] for tensor in network.outputs]
    for stalls in STALLS:
        result = simulate(accelerator, x, stalls=stalls)
        model = cycles(accelerator, frames, stalls=stalls)
        for tensor, want, have in zip(network.outputs, expected, several(result.outputs), strict=True):
            assert np.array_equal(have, want), f"{tensor} differs with {stalls}, folding {folding}"
        assert np.array_equal(result.input_cycles, model.input_cycles), f"input cycles differ with {stalls}"
        for want, have in zip(several(model.output_cycles), several(result.output_cycles), strict=True):
            assert np.array_equal(have, want), f"output cycles differ with {stalls}"
    return accelerator
