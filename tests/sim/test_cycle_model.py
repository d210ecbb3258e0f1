"""The cycle model against a plain cycle-by-cycle simulation of the same contract, and its own promises."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitwright.errors import DeadlockError, InputError
from bitwright.hw.timing import Actor, Edge, TimingGraph, pass_through
from bitwright.sim.cycle_model import evaluate
from tests.sim.timing_oracle import graphs, step_through


def _agree(
    graph: TimingGraph, frames: int, gaps: np.ndarray | None = None, masks: list[np.ndarray | None] | None = None
) -> bool:
    """Compare model and oracle; returns whether the graph ran (False: both say deadlock)."""
    observed = step_through(graph, frames, gaps, masks)
    if observed is None:
        with pytest.raises(DeadlockError) as caught:
            evaluate(graph, frames, gaps, masks)
        assert caught.value.stage in {actor.name for actor in graph.actors}
        return False
    found = evaluate(graph, frames, gaps, masks)
    assert found.input_cycles.tolist() == observed.inputs
    assert [cycles.tolist() for cycles in found.output_cycles] == observed.outputs
    assert [(stage.busy, stage.stalled, stage.starved) for stage in found.stages] == observed.stages
    assert found.total == observed.total
    return True


@given(graph=graphs(), frames=st.integers(1, 6))
@settings(max_examples=300, deadline=None)
def test_random_graphs_agree(graph: TimingGraph, frames: int) -> None:
    _agree(graph, frames)


@given(graph=graphs(), frames=st.integers(1, 4), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=200, deadline=None)
def test_random_stalls_agree(graph: TimingGraph, frames: int, seed: int) -> None:
    draws = np.random.default_rng(seed)
    beats = int(graph.actors[0].release[0][-1]) * frames
    outputs = sum(edge.target == graph.OUTPUT for edge in graph.edges)
    masks: list[np.ndarray | None] = [draws.random(draws.integers(1, 30)) < 0.5 for _ in range(outputs)]
    for mask in masks:
        assert mask is not None
        mask[draws.integers(len(mask))] = True
    _agree(graph, frames, draws.geometric(0.4, beats) - 1, masks)


@given(graph=graphs(most_actors=8))
@settings(max_examples=100, deadline=None)
def test_extrapolated_frames_equal_evaluated_ones(graph: TimingGraph) -> None:
    frames = 150
    outputs = sum(edge.target == graph.OUTPUT for edge in graph.edges)
    try:
        found = evaluate(graph, frames)
    except DeadlockError:
        return
    in_full = evaluate(graph, frames, ready_masks=[np.ones(1, dtype=bool)] * outputs)
    assert in_full.period == 0
    assert np.array_equal(found.input_cycles, in_full.input_cycles)
    assert all(map(np.array_equal, found.output_cycles, in_full.output_cycles))
    assert found.stages == in_full.stages
    assert found.total == in_full.total


def _chain(beats: int, capacity: int, latency: int, stages: int = 2) -> TimingGraph:
    names = [f"stage{number}" for number in range(stages)]
    ends = [TimingGraph.INPUT, *names, TimingGraph.OUTPUT]
    edges = tuple(Edge(*pair, capacity, latency) for pair in itertools.pairwise(ends))
    return TimingGraph(tuple(pass_through(name, beats) for name in names), edges)


@pytest.mark.parametrize(("beats", "period", "shift"), [(1, 3, 5), (2, 3, 10), (3, 1, 5)])
def test_steady_states_that_span_several_frames(beats: int, period: int, shift: int) -> None:
    # 3 slots, each in use for 4 cycles of latency and 1 until it is free again: 3 beats in 5 cycles.
    graph = _chain(beats, capacity=3, latency=4)
    found = evaluate(graph, 300)
    assert (found.period, found.shift) == (period, shift)
    assert _agree(graph, 40)
    in_full = evaluate(graph, 300, ready_masks=[np.ones(1, dtype=bool)])
    assert np.array_equal(found.output_cycles[0], in_full.output_cycles[0])


def test_a_chain_by_hand() -> None:
    found = evaluate(_chain(beats=2, capacity=8, latency=3, stages=3), 1, gaps=np.array([1, 4]))
    assert found.input_cycles.tolist() == [1, 6]
    assert found.output_cycles[0].tolist() == [10, 15]
    assert found.total == 16


def test_the_sink_takes_one_beat_in_each_ready_cycle() -> None:
    mask = np.array([False, False, False, True, True])
    found = evaluate(_chain(beats=4, capacity=8, latency=1), 1, ready_masks=[mask])
    assert found.output_cycles[0].tolist() == [3, 4, 8, 9]


def test_thousands_of_frames_are_written_down_exactly() -> None:
    found = evaluate(_chain(beats=16, capacity=4, latency=2), 100_000)
    assert found.period == 1
    assert found.input_cycles[-1] == 1_600_000 - 1
    assert found.stages[0].busy == 1_600_000


def test_a_buffer_too_small_for_a_replay_is_named() -> None:
    whole, one = np.full(4, 4), np.ones(4, dtype=int)
    replay = Actor("mvu", 4, (whole,), (np.array([0, 0, 0, 4]),), (one,))
    graph = TimingGraph(
        (pass_through("feed", 4), replay),
        (Edge("input", "feed", 0, 0), Edge("feed", "mvu", 3, 1), Edge("mvu", "output", 2, 1)),
    )
    with pytest.raises(DeadlockError, match=r"stage 'feed' is stuck in frame 0 at firing 3: .*'mvu' is full"):
        evaluate(graph, 5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"edges": (Edge("input", "a", 0, 0),)}, "output"),
        ({"edges": (Edge("input", "a", 0, 0), Edge("a", "b", 1, 1), Edge("a", "output", 1, 1))}, "ends at no actor"),
        ({"edges": (Edge("input", "a", 0, 0), Edge("a", "output", 0, 1))}, "capacity"),
        ({"edges": (Edge("input", "a", 0, 0), Edge("a", "a", 1, 1), Edge("a", "output", 1, 1))}, "own actor"),
        ({"actors": (pass_through("a", 2, outputs=2),)}, "pattern for each"),
        ({"actors": (pass_through("input", 2),)}, "different names"),
        ({"actors": (Actor("a", 3, (np.arange(2),), (np.arange(2),), (np.ones(3),)),)}, "that many entries"),
        ({"actors": (Actor("a", 2, (np.array([2, 1]),), (np.array([1, 1]),), (np.ones(2),)),)}, "must not fall"),
        ({"actors": (Actor("a", 2, (np.array([1, 2]),), (np.array([1, 2]),), (np.array([0, 2]),)),)}, "0 or 1"),
        ({"actors": (Actor("a", 2, (np.array([1, 2]),), (np.array([1, 2]),), (np.array([0, 0]),)),)}, "at least one"),
    ],
)
def test_graphs_that_make_no_sense(change: dict[str, object], message: str) -> None:
    parts: dict[str, object] = {
        "actors": (pass_through("a", 2),),
        "edges": (Edge("input", "a", 0, 0), Edge("a", "output", 2, 1)),
    }
    with pytest.raises(InputError, match=message):
        evaluate(TimingGraph(**{**parts, **change}), 1)  # type: ignore[arg-type]


def test_unequal_beats_of_an_edge_are_named() -> None:
    graph = TimingGraph(
        (pass_through("a", 2), pass_through("b", 3)),
        (Edge("input", "a", 0, 0), Edge("a", "b", 2, 1), Edge("b", "output", 2, 1)),
    )
    with pytest.raises(InputError, match=r"edge a -> b: 2 beats of a frame go in and 3 come out"):
        evaluate(graph, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"frames": 0}, "at least 1 frame"),
        ({"frames": 1, "gaps": np.zeros(3)}, "each of 2 input beats"),
        ({"frames": 1, "gaps": np.array([0, -1])}, ">= 0"),
        ({"frames": 1, "ready_masks": [None, None]}, "2 ready masks for 1 outputs"),
        ({"frames": 1, "ready_masks": [np.zeros(4)]}, "wait for ever"),
    ],
)
def test_environments_that_make_no_sense(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        evaluate(_chain(beats=2, capacity=2, latency=1), **arguments)  # type: ignore[arg-type]
