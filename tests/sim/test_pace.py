"""What a given pace tells of a design: whether it goes on so for ever, and how many words its buffers hold then."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from bitwright.errors import DeadlockError
from bitwright.graph.random_cnn import random_cnn
from bitwright.hw import assemble, fold
from bitwright.hw.firings import least_cycles
from bitwright.hw.timing import TimingGraph
from bitwright.sim.buffer_sizing import size_buffers, sized_buffers, with_depths
from bitwright.sim.cycle_model import evaluate, slots_at, steady_interval
from bitwright.sim.flat_graph import flatten
from tests.fuzz.campaign import random_folding

FRAMES = 60


def roomy(seed: int) -> TimingGraph:
    """A random network's design whose buffers never fill."""
    network = random_cnn(seed)
    design = assemble(network, random_folding(network, seed))
    return with_depths(design.timing, {one.name: one.most for one in sized_buffers(design)})


def measured_interval(graph: TimingGraph) -> float:
    """Cycles a frame late in a run of which every event was evaluated; infinite where it gets stuck."""
    try:
        return _late_interval(graph)
    except DeadlockError:
        return math.inf


def _late_interval(graph: TimingGraph) -> float:
    plain = evaluate(graph, FRAMES, gaps=np.zeros(FRAMES * flatten(graph).input_beats, dtype=np.int64))
    ends = np.max([beats.reshape(FRAMES, -1)[:, -1] for beats in plain.output_cycles], axis=0)
    return float(ends[-1] - ends[FRAMES // 2]) / (FRAMES - 1 - FRAMES // 2)


@pytest.mark.parametrize("seed", range(30))
def test_a_design_goes_on_at_its_interval_and_not_faster(seed: int) -> None:
    graph = roomy(seed)
    flat = flatten(graph)
    interval = steady_interval(graph)
    assert interval == pytest.approx(measured_interval(graph), rel=0.02)
    assert slots_at(graph, flat, math.ceil(interval), ()) is not None
    assert slots_at(graph, flat, math.ceil(interval) - 1, ()) is None


@pytest.mark.parametrize("seed", range(30))
def test_no_more_slots_than_were_in_use_are_needed(seed: int) -> None:
    graph = roomy(seed)
    pace = math.ceil(steady_interval(graph))
    places = [place for place, edge in enumerate(graph.edges) if edge.source not in (graph.INPUT, graph.WEIGHTS)]
    slots = slots_at(graph, flatten(graph), pace, places)
    assert slots is not None
    edges = list(graph.edges)
    for place, used in zip(places, slots.tolist(), strict=True):
        assert used <= edges[place].capacity
        edges[place] = replace(edges[place], capacity=used)
    tight = replace(graph, edges=tuple(edges))
    for one, other in zip(
        evaluate(graph, 12, pace=pace).output_cycles, evaluate(tight, 12, pace=pace).output_cycles, strict=True
    ):
        assert np.array_equal(one, other)


@pytest.mark.parametrize(("seed", "slack"), [(101, 2), (107, 1), (114, 4), (120, 1)])
def test_one_word_less_than_the_sized_depth_is_slower(seed: int, slack: int) -> None:
    network = random_cnn(seed, max_size=12)
    design = assemble(network, fold(network, target_cycles=slack * least_cycles(network)))
    buffers = sized_buffers(design)
    depths = size_buffers(design).buffers
    interval = measured_interval(with_depths(design.timing, {one.name: one.most for one in buffers}))
    assert measured_interval(with_depths(design.timing, depths)) == interval
    for one in buffers:
        less = depths[one.name] - 1
        if less >= one.least:
            assert measured_interval(with_depths(design.timing, {**depths, one.name: less})) > interval, one.name
