"""The smallest buffers that keep the full throughput, found on the cycle model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from bitwright.errors import DeadlockError
from bitwright.hw.accelerator import Accelerator
from bitwright.hw.folding import Folding
from bitwright.hw.repeat import RepeatStage
from bitwright.hw.timing import TimingGraph
from bitwright.hw.window import WindowStage
from bitwright.sim.cycle_model import steady_interval, sustains


@dataclass(frozen=True)
class SizedBuffer:
    """A buffer whose depth is free: its stage, bits of a word, the least depth that works, one that always suffices."""

    name: str
    width: int
    least: int
    most: int


def sized_buffers(accelerator: Accelerator) -> tuple[SizedBuffer, ...]:
    """The line buffers and FIFOs of a design, in the order of the data's way."""
    found = []
    for placed in accelerator.placed:
        stage = placed.component
        if isinstance(stage, WindowStage):
            least, frame = stage.schedule.least_depth, stage.schedule.frame_words
            found.append(SizedBuffer(stage.name, len(stage.i.payload), least, least + frame))
        elif isinstance(stage, RepeatStage) and not placed.operations:
            found.append(SizedBuffer(stage.name, len(stage.i.payload), 1, 2 * stage.beats_in))
    return tuple(found)


def with_depths(graph: TimingGraph, depths: Mapping[str, int]) -> TimingGraph:
    """The timing graph with other capacities of the named buffers."""
    edges = tuple(
        replace(edge, capacity=depths[edge.target])
        if edge.target in depths and edge.source == f"{edge.target}.buffer"
        else edge
        for edge in graph.edges
    )
    return replace(graph, edges=edges)


def size_buffers(accelerator: Accelerator) -> Folding:
    """The accelerator's folding with the smallest depths that keep the interval of unlimited buffers.

    One word less in any one of them makes the design slower, or stuck. Buffers are made smaller in turn, the one with
    the most bits first; throughput never falls when a buffer grows, so each depth is found by bisection.
    """
    buffers = sized_buffers(accelerator)
    depths = {one.name: one.most for one in buffers}
    if not depths:
        return accelerator.folding
    graph = accelerator.timing
    interval = math.ceil(steady_interval(with_depths(graph, depths)))
    for buffer in sorted(buffers, key=lambda one: (-one.most * one.width, one.name)):
        low, high = buffer.least, buffer.most
        while low < high:
            middle = (low + high) // 2
            if keeps(with_depths(graph, {**depths, buffer.name: middle}), interval):
                high = middle
            else:
                low = middle + 1
        depths[buffer.name] = high
    return Folding(accelerator.folding.layers, depths)


def keeps(graph: TimingGraph, interval: int) -> bool:
    """Whether a design still reaches an interval; one that gets stuck does not."""
    try:
        return sustains(graph, interval)
    except DeadlockError:
        return False
