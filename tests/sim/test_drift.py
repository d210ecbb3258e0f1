"""Skipped frames: the cycle model with and without its shortcuts tells the same."""

from __future__ import annotations

import numpy as np
import pytest

from bitwright.graph.random import random_mlp
from bitwright.graph.random_cnn import random_cnn
from bitwright.hw import assemble
from bitwright.sim.cycle_model import evaluate
from tests.fuzz.campaign import random_folding

FRAMES = 150


@pytest.mark.parametrize("seed", range(40))
def test_shortcuts_change_nothing(seed: int) -> None:
    network = random_cnn(seed) if seed % 4 else random_mlp(seed)
    graph = assemble(network, random_folding(network, seed)).timing
    quick = evaluate(graph, FRAMES)
    # With gaps, even of no cycles, every event is evaluated.
    beats = len(quick.input_cycles)
    plain = evaluate(graph, FRAMES, gaps=np.zeros(beats, dtype=np.int64))
    assert np.array_equal(quick.input_cycles, plain.input_cycles)
    for one, other in zip(quick.output_cycles, plain.output_cycles, strict=True):
        assert np.array_equal(one, other)
    assert quick.total == plain.total
    assert quick.stages == plain.stages
