"""A timing graph checked and laid out in arrays, as the kernel of the cycle model takes it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from bitwright.errors import InputError
from bitwright.hw.timing import Actor, Edge, TimingGraph

STAGE, SOURCE, SINK = 0, 1, 2


@dataclass(frozen=True, eq=False)
class FlatGraph:
    """`actors`: rows (kind, events) of the source, the stages, then a sink for each output and a stage that
    gives the beats of each weight stream, in the order of their edges. `edges`: rows (source,
    target, capacity, latency, beats a frame).

    An event is a firing and those behind it that neither need, free nor produce anything new: they follow in the next
    cycles whatever happens elsewhere. `events` has for each event of each actor in turn: need and release of each
    input, produce of each output, the firings it stands for.
    """

    actors: NDArray[np.int64]
    edges: NDArray[np.int64]
    events: NDArray[np.int32]
    input_edge: int
    input_beats: int
    starts: tuple[NDArray[np.int64], ...]
    """For each actor the firing with which each event begins."""
    output_beats: tuple[int, ...]

    def with_capacities(self, capacities: Mapping[int, int]) -> FlatGraph:
        """The same graph with other capacities of some edges, by their place."""
        edges = self.edges.copy()
        for place, capacity in capacities.items():
            edges[place, _CAPACITY] = capacity
        return replace(self, edges=edges)


_CAPACITY = 2


@dataclass(frozen=True, eq=False)
class _Events:
    """The firings with which an actor's events begin, its rows of `FlatGraph.events`, and the beats of its edges."""

    starts: NDArray[np.int64]
    rows: NDArray[np.int32]
    taken: tuple[int, ...]
    given: tuple[int, ...]


_EVENTS: WeakKeyDictionary[Actor, _Events] = WeakKeyDictionary()
"""Of actors that were flattened before: graphs that differ in the capacity of their edges share them."""


def _events(actor: Actor) -> _Events:
    """Check an actor's patterns, and cut them down to its events."""
    found = _EVENTS.get(actor)
    if found is None:
        _check_patterns(actor)
        starts = events(actor)
        columns = [pattern[starts] for pattern in (*itertools.chain(*_pairs(actor)), *actor.produce)]
        columns.append(np.diff(starts, append=actor.firings))
        found = _EVENTS[actor] = _Events(
            starts,
            np.stack(columns, axis=1).astype(np.int32),
            tuple(int(need[-1]) for need in actor.need),
            tuple(int(produce.sum()) for produce in actor.produce),
        )
    return found


def _check_patterns(actor: Actor) -> None:
    patterns = (*actor.need, *actor.release, *actor.produce)
    if actor.firings < 1 or any(pattern.shape != (actor.firings,) for pattern in patterns):
        raise InputError(f"actor '{actor.name}' fires {actor.firings} times; every pattern needs that many entries")
    for need, release in zip(actor.need, actor.release, strict=True):
        falls = min(np.diff(need, prepend=0).min(), np.diff(release, prepend=0).min()) < 0
        if falls or (release > need).any() or release[-1] != need[-1]:
            raise InputError(f"actor '{actor.name}': need and release must not fall, release <= need, equal at the end")
    if not all(np.isin(pattern, (0, 1)).all() for pattern in actor.produce):
        raise InputError(f"actor '{actor.name}' may produce 0 or 1 beat in a firing")


def _check(graph: TimingGraph) -> None:
    names = [actor.name for actor in graph.actors]
    sources = (graph.INPUT, graph.WEIGHTS)
    if len({*sources, graph.OUTPUT, *names}) != len(names) + 3:
        raise InputError(
            f"the actors {names} of a timing graph need different names other than 'input', 'weights' and 'output'"
        )
    for edge in graph.edges:
        if edge.source == edge.target:
            raise InputError(f"edge {edge.source} -> {edge.target} leads back to its own actor; leave it out")
        if not {edge.source, edge.target} <= {*names, *sources, graph.OUTPUT}:
            raise InputError(f"edge {edge.source} -> {edge.target} ends at no actor; add the actor to the timing graph")
        if edge.latency < 0 or (edge.source not in sources and edge.capacity < 1):
            raise InputError(f"edge {edge.source} -> {edge.target} needs a capacity of at least 1 and a latency >= 0")
    fed = [edge.target for edge in graph.edges if edge.source in sources]
    inputs_fed = sum(edge.source == graph.INPUT for edge in graph.edges)
    sinks = [edge.source for edge in graph.edges if edge.target == graph.OUTPUT]
    if inputs_fed != 1 or not sinks or not {*fed, *sinks} <= {*names}:
        raise InputError(
            "a timing graph needs one edge from 'input' to an actor and at least one from an actor to 'output'"
        )
    for actor in graph.actors:
        inputs = sum(edge.target == actor.name for edge in graph.edges)
        outputs = sum(edge.source == actor.name for edge in graph.edges)
        if (len(actor.need), len(actor.release), len(actor.produce)) != (inputs, inputs, outputs):
            raise InputError(
                f"actor '{actor.name}' has {inputs} input and {outputs} output edges; give it a pattern for each"
            )


def _beats(edge: Edge, made: int, taken: int) -> int:
    if made != taken or made < 1:
        raise InputError(
            f"edge {edge.source} -> {edge.target}: {made} beats of a frame go in and {taken} come out; "
            "they must be equal and at least 1"
        )
    return made


def _pairs(actor: Actor) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    return list(zip(actor.need, actor.release, strict=True))


def events(actor: Actor) -> NDArray[np.int64]:
    """The firings that need, free or produce something that the firing before did not; the first is one of them."""
    changes = np.zeros(actor.firings, dtype=np.bool_)
    changes[0] = True
    for need, release in _pairs(actor):
        changes[1:] |= (need[1:] != need[:-1]) | (release[1:] != release[:-1])
    for produce in actor.produce:
        changes |= produce != 0
    return np.flatnonzero(changes)


def flatten(graph: TimingGraph) -> FlatGraph:
    """Check `graph` and add its source and sinks. Raises InputError naming the actor or edge that makes no sense.

    A source holds one beat and offers it in the cycle in which it has it: an edge of capacity 1 and latency 0.
    """
    _check(graph)
    known = {actor.name: _events(actor) for actor in graph.actors}
    index = {actor.name: 1 + place for place, actor in enumerate(graph.actors)}
    taken = {name: iter(one.taken) for name, one in known.items()}
    given = {name: iter(one.given) for name, one in known.items()}
    ports: list[tuple[int, int]] = [(SOURCE, 0)]
    edges: list[tuple[int, ...]] = []
    input_edge = 0
    for edge in graph.edges:
        if edge.source == graph.INPUT:
            beats = next(taken[edge.target])
            ports[0] = (SOURCE, beats)
            input_edge = len(edges)
            edges.append((0, index[edge.target], 1, 0, _beats(edge, beats, beats)))
        elif edge.source == graph.WEIGHTS:
            beats = next(taken[edge.target])
            edges.append((len(known) + len(ports), index[edge.target], 1, 0, _beats(edge, beats, beats)))
            ports.append((STAGE, beats))
        elif edge.target == graph.OUTPUT:
            beats = next(given[edge.source])
            edges.append((index[edge.source], len(known) + len(ports), edge.capacity, edge.latency, beats))
            ports.append((SINK, beats))
        else:
            beats = _beats(edge, next(given[edge.source]), next(taken[edge.target]))
            edges.append((index[edge.source], index[edge.target], edge.capacity, edge.latency, beats))
    if any(beats < 1 for _, beats in ports):
        raise InputError("every port of a timing graph must carry at least one beat a frame")
    stages = [(STAGE, len(one.starts)) for one in known.values()]
    port_rows = [_port_rows(kind, beats) for kind, beats in ports]
    rows = [port_rows[0], *(one.rows for one in known.values()), *port_rows[1:]]
    port_starts = [np.arange(beats) for _, beats in ports]
    return FlatGraph(
        np.array([ports[0], *stages, *ports[1:]], dtype=np.int64),
        np.array(edges, dtype=np.int64),
        np.concatenate([one.ravel() for one in rows]),
        input_edge,
        ports[0][1],
        (port_starts[0], *(one.starts for one in known.values()), *port_starts[1:]),
        tuple(beats for kind, beats in ports if kind == SINK),
    )


def _port_rows(kind: int, beats: int) -> NDArray[np.int32]:
    """A beat in each event: a source gives it, a sink takes it."""
    ones = np.ones(beats, dtype=np.int32)
    if kind == SINK:
        counts = np.arange(1, 1 + beats, dtype=np.int32)
        return np.stack([counts, counts, ones], axis=1)
    return np.stack([ones, ones], axis=1)
