"""How a design behaves in time, as a timed dataflow graph: the vocabulary in which each core describes itself.

An actor fires at most once a cycle. Firing k happens in the first cycle after firing k-1 in which every beat it needs
has arrived on its input edges and every edge it produces on has a free slot. `sim.cycle_model` evaluates such a graph;
the tests hold it to the RTL, difference 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pattern = NDArray[Any]
"""One integer for each firing of a frame."""


@dataclass(frozen=True, eq=False)
class Actor:
    """One firing rule.

    `need[i][k]`: beats of this frame that must have arrived on input edge i before firing k (cumulative).
    `release[i][k]`: beats of this frame whose slots on input edge i are free after firing k (cumulative).
    `produce[o][k]`: 1 if firing k puts a beat on output edge o, else 0.
    """

    name: str
    firings: int
    need: tuple[Pattern, ...]
    release: tuple[Pattern, ...]
    produce: tuple[Pattern, ...]


@dataclass(frozen=True)
class Edge:
    """A buffer of `capacity` beats; a beat produced in cycle s can be used from cycle s + latency."""

    source: str
    target: str
    capacity: int
    latency: int


@dataclass(frozen=True)
class TimingGraph:
    """Actors in the order of the data's way, and the edges between them.

    Edges from `INPUT` and to `OUTPUT` (one for each output, in order) are the design's ports: an edge from INPUT
    holds no beat, the actor's firing is the acceptance. An edge from `WEIGHTS` is the same for a stream of weights,
    which always offers a beat.
    """

    actors: tuple[Actor, ...]
    edges: tuple[Edge, ...]

    INPUT = "input"
    OUTPUT = "output"
    WEIGHTS = "weights"


def cumulative(counts: Pattern) -> Pattern:
    """Running totals: from what each firing takes to what has been taken."""
    return np.cumsum(counts)


def pass_through(name: str, beats: int, outputs: int = 1) -> Actor:
    """An actor that takes one beat and gives one beat to each output in every firing."""
    ones = np.ones(beats, dtype=np.int64)
    return Actor(name, beats, (cumulative(ones),), (cumulative(ones),), (ones,) * outputs)
