"""The timing contract stepped cycle by cycle: slow, plain, and written without a look at the cycle model."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from hypothesis import strategies as st

from bitwright.hw.timing import Actor, Edge, TimingGraph


@dataclass(eq=False)
class Buffer:
    edge: Edge
    produced: list[int] = field(default_factory=list)
    released: int = 0
    released_now: int = 0

    def arrived(self, cycle: int) -> int:
        return sum(1 for made in self.produced if made + self.edge.latency <= cycle)

    def free(self) -> bool:
        return len(self.produced) - self.released < self.edge.capacity


@dataclass(eq=False)
class Stage:
    actor: Actor
    inputs: list[Buffer]
    outputs: list[Buffer]
    frame: int = 0
    firing: int = 0
    busy: int = 0
    stalled: int = 0
    starved: int = 0


@dataclass(frozen=True)
class Observed:
    """Cycles of acceptance at the ports and (busy, stalled, starved) of each stage."""

    inputs: list[int]
    outputs: list[list[int]]
    stages: list[tuple[int, int, int]]
    total: int


def step_through(
    graph: TimingGraph, frames: int, gaps: np.ndarray | None = None, masks: list[np.ndarray | None] | None = None
) -> Observed | None:
    """Run `frames` frames; None when nothing happens any more (deadlock). Actors must be in topological order."""
    buffers = [Buffer(edge) for edge in graph.edges]
    stages = [
        Stage(
            actor,
            [buffer for buffer in buffers if buffer.edge.target == actor.name],
            [buffer for buffer in buffers if buffer.edge.source == actor.name],
        )
        for actor in graph.actors
    ]
    entry = next(buffer for buffer in buffers if buffer.edge.source == graph.INPUT)
    exits = [buffer for buffer in buffers if buffer.edge.target == graph.OUTPUT]
    taker = next(stage for stage in stages if entry in stage.inputs)
    beats = int(taker.actor.release[taker.inputs.index(entry)][-1]) * frames
    wanted = [
        frames * int(stage.actor.produce[stage.outputs.index(b)].sum())
        for b in exits
        for stage in stages
        if b in stage.outputs
    ]
    masks = masks or [None] * len(exits)
    accepted_in: list[int] = []
    accepted_out: list[list[int]] = [[] for _ in exits]
    wait = int(gaps[0]) if gaps is not None else 0
    patience = 50 + max([int(max(gaps)) if gaps is not None else 0, *(len(m) for m in masks if m is not None)])
    patience += max(edge.latency for edge in graph.edges)
    quiet = 0
    cycle = 0
    log: list[list[str]] = [[] for _ in stages]
    while True:
        moved = False
        offered = wait == 0 and len(accepted_in) < beats
        wait = max(0, wait - 1)
        for place, stage in enumerate(stages):
            if stage.frame == frames:
                log[place].append("starved")
                continue
            k = stage.firing
            there = True
            for i, buffer in enumerate(stage.inputs):
                if buffer.edge.source == graph.WEIGHTS:
                    continue
                per_frame = int(stage.actor.release[i][-1])
                count = len(accepted_in) + offered if buffer is entry else buffer.arrived(cycle)
                there &= count >= stage.frame * per_frame + int(stage.actor.need[i][k])
            room = all(buffer.free() for o, buffer in enumerate(stage.outputs) if stage.actor.produce[o][k])
            if not (there and room):
                log[place].append("stalled" if there else "starved")
                continue
            log[place].append("busy")
            moved = True
            for i, buffer in enumerate(stage.inputs):
                done = stage.frame * int(stage.actor.release[i][-1]) + int(stage.actor.release[i][k])
                if buffer is entry:
                    if done > len(accepted_in):
                        accepted_in.append(cycle)
                        if gaps is not None and len(accepted_in) < beats:
                            wait = int(gaps[len(accepted_in)])
                else:
                    buffer.released_now = done
            for o, buffer in enumerate(stage.outputs):
                if stage.actor.produce[o][k]:
                    buffer.produced.append(cycle)
            stage.firing += 1
            if stage.firing == stage.actor.firings:
                stage.firing, stage.frame = 0, stage.frame + 1
        for o, buffer in enumerate(exits):
            mask = masks[o]
            ready = mask is None or bool(mask[cycle % len(mask)])
            if ready and buffer.arrived(cycle) > len(accepted_out[o]):
                accepted_out[o].append(cycle)
                buffer.released_now = len(accepted_out[o])
                moved = True
        for buffer in buffers:
            buffer.released = max(buffer.released, buffer.released_now)
        cycle += 1
        finished = all(stage.frame == frames for stage in stages)
        if finished and [len(times) for times in accepted_out] == wanted:
            counts = [(row.count("busy"), row.count("stalled"), row.count("starved")) for row in log]
            return Observed(accepted_in, accepted_out, counts, cycle)
        quiet = 0 if moved else quiet + 1
        if quiet > patience:
            return None


def _steps(draw: st.DrawFn, beats: int, firings: int) -> tuple[np.ndarray, np.ndarray]:
    """A need and a release pattern: free in kind, or spread evenly, or filled first and replayed to the end."""
    kind = draw(st.sampled_from(["any", "replay", "even"]))
    number = np.arange(1, firings + 1)
    if kind == "even":
        ramp = np.minimum(beats, -(-number * beats // firings))
        return ramp, ramp
    if kind == "replay":
        need = np.minimum(beats, -(-number * beats // draw(st.integers(1, firings))))
        return need, np.minimum(need, np.maximum(0, beats - (firings - number)))
    places = sorted(draw(st.lists(st.integers(0, firings - 1), min_size=beats, max_size=beats)))
    later = [min(firings - 1, place + draw(st.integers(0, 2))) for place in places]
    need, release = (np.array([sum(p <= k for p in where) for k in range(firings)]) for where in (places, later))
    need[-1] = release[-1] = beats
    return need, release


def _port_steps(draw: st.DrawFn, beats: int, firings: int) -> tuple[np.ndarray, np.ndarray]:
    """The same for the input port, which shows one beat at a time."""
    places = set(draw(st.permutations(range(firings)))[:beats])
    release = np.cumsum([k in places for k in range(firings)])
    held = [draw(st.booleans()) for _ in range(firings)]
    before = np.concatenate([[0], release[:-1]])
    need = np.where(held, np.minimum(beats, before + 1), release)
    need[-1] = beats
    return np.maximum.accumulate(need), release


@st.composite
def graphs(draw: st.DrawFn, most_actors: int = 5) -> TimingGraph:
    """Random acyclic graphs of forks, joins, replays and rate changes; some cannot run for lack of capacity."""
    edges: list[Edge] = []
    patterns: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    produces: dict[str, list[np.ndarray]] = {}
    port_beats = draw(st.integers(1, 5))
    loose: list[tuple[str, np.ndarray]] = [(TimingGraph.INPUT, np.ones(port_beats, dtype=int))]

    def take(target: str) -> np.ndarray:
        source, produce = loose.pop(draw(st.integers(0, len(loose) - 1)))
        capacity = draw(st.integers(1, 4)) + (int(produce.sum()) if draw(st.integers(0, 3)) else 0)
        edges.append(Edge(source, target, capacity, draw(st.integers(0, 3))))
        if source != TimingGraph.INPUT:
            produces[source].append(produce)
        return produce

    for number in range(draw(st.integers(1, most_actors))):
        name = f"stage{number}"
        patterns[name], produces[name] = [], []
        firings = draw(st.integers(port_beats if number == 0 else 1, 7))
        for _ in range(1 if number == 0 else draw(st.integers(1, min(2, len(loose))))):
            beats = int(take(name).sum())
            patterns[name].append((_port_steps if number == 0 else _steps)(draw, beats, firings))
        if draw(st.integers(0, 3)) == 0:
            edges.append(Edge(TimingGraph.WEIGHTS, name, 0, 0))
            patterns[name].append(_port_steps(draw, draw(st.integers(1, firings)), firings))
        for _ in range(draw(st.integers(1, 2))):
            produce = np.array(draw(st.lists(st.integers(0, 1), min_size=firings, max_size=firings)))
            produce[draw(st.integers(0, firings - 1))] = 1
            loose.append((name, produce))
    while loose:
        take(TimingGraph.OUTPUT)
    actors = tuple(
        Actor(
            name,
            len(produces[name][0]),
            tuple(need for need, _ in patterns[name]),
            tuple(release for _, release in patterns[name]),
            tuple(produces[name]),
        )
        for name in patterns
    )
    return TimingGraph(actors, tuple(edges))
