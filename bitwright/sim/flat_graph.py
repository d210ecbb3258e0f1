"""A timing graph checked and laid out in arrays, as the kernel of the cycle model takes it."""

from __future__ import annotations

from dataclasses import dataclass
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
    target, capacity, latency, beats a frame). `patterns`: need, release and produce of each edge, one after another.

    An event is a firing and those behind it that neither need, free nor produce anything new: they follow in the next
    cycles whatever happens elsewhere. `spans` are the firings of each event, actor after actor.
    """

    actors: NDArray[np.int64]
    spans: NDArray[np.int32]
    edges: NDArray[np.int64]
    patterns: NDArray[np.int32]
    input_edge: int
    input_beats: int
    starts: tuple[NDArray[np.int64], ...]
    """For each actor the firing with which each event begins."""
    output_beats: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class _Events:
    """The patterns of an actor at the firings with which its events begin: `inputs` (need, release), `outputs`."""

    starts: NDArray[np.int64]
    inputs: tuple[tuple[NDArray[Any], NDArray[Any]], ...]
    outputs: tuple[NDArray[Any], ...]


_EVENTS: WeakKeyDictionary[Actor, _Events] = WeakKeyDictionary()
"""Of actors that were flattened before: graphs that differ in the capacity of their edges share them."""


def _events(actor: Actor) -> _Events:
    """Check an actor's patterns, and cut them down to its events."""
    found = _EVENTS.get(actor)
    if found is None:
        _check_patterns(actor)
        starts = events(actor)
        inputs = tuple((need[starts], release[starts]) for need, release in _pairs(actor))
        found = _EVENTS[actor] = _Events(starts, inputs, tuple(produce[starts] for produce in actor.produce))
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


def _beats(edge: Edge, produce: NDArray[Any], need: NDArray[Any]) -> int:
    made, taken = int(produce.sum()), int(need[-1])
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
    firsts: list[NDArray[np.int64]] = [np.zeros(0, dtype=np.int64), *(one.starts for one in known.values())]
    index = {actor.name: 1 + place for place, actor in enumerate(graph.actors)}
    needs = {name: iter(one.inputs) for name, one in known.items()}
    produces = {name: iter(one.outputs) for name, one in known.items()}
    kinds = [(SOURCE, 0), *((STAGE, len(one.starts)) for one in known.values())]
    edges: list[tuple[int, ...]] = []
    patterns: list[NDArray[Any]] = []
    input_edge = 0
    for edge in graph.edges:
        if edge.source == graph.INPUT:
            need, release = next(needs[edge.target])
            produce = np.ones(int(need[-1]), dtype=np.int64)
            kinds[0] = (SOURCE, len(produce))
            input_edge = len(edges)
            edges.append((0, index[edge.target], 1, 0, _beats(edge, produce, need)))
        elif edge.source == graph.WEIGHTS:
            need, release = next(needs[edge.target])
            produce = np.ones(int(need[-1]), dtype=np.int64)
            edges.append((len(kinds), index[edge.target], 1, 0, _beats(edge, produce, need)))
            kinds.append((STAGE, len(produce)))
        elif edge.target == graph.OUTPUT:
            produce = next(produces[edge.source])
            need = release = np.arange(1, 1 + int(produce.sum()), dtype=np.int64)
            edges.append((index[edge.source], len(kinds), edge.capacity, edge.latency, len(need)))
            kinds.append((SINK, len(need)))
        else:
            need, release = next(needs[edge.target])
            produce = next(produces[edge.source])
            beats = _beats(edge, produce, need)
            edges.append((index[edge.source], index[edge.target], edge.capacity, edge.latency, beats))
        patterns += [need, release, produce]
    if any(firings < 1 for _, firings in kinds):
        raise InputError("every port of a timing graph must carry at least one beat a frame")
    firsts[0] = np.arange(kinds[0][1])
    added = [count for _, count in kinds[len(firsts) :]]
    firsts += [np.arange(count) for count in added]
    ends = [len(firsts[0]), *(actor.firings for actor in graph.actors), *added]
    return FlatGraph(
        np.array(kinds, dtype=np.int64),
        np.concatenate([np.diff(first, append=end) for first, end in zip(firsts, ends, strict=True)]).astype(np.int32),
        np.array(edges, dtype=np.int64),
        np.concatenate(patterns).astype(np.int32),
        input_edge,
        kinds[0][1],
        tuple(firsts),
        tuple(firings for kind, firings in kinds if kind == SINK),
    )
