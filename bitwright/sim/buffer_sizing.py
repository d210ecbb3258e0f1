"""The smallest buffers that keep the full throughput, found on the cycle model."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bitwright.cache import cached_build, content_key
from bitwright.errors import DeadlockError
from bitwright.hw.accelerator import Accelerator
from bitwright.hw.folding import Folding
from bitwright.hw.repeat import RepeatStage
from bitwright.hw.timing import TimingGraph
from bitwright.hw.window import WindowStage
from bitwright.sim.cycle_model import steady_interval, sustains
from bitwright.sim.flat_graph import flatten


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
    the most bits first; throughput never falls when a buffer grows, so each depth is found by bisection. Depths are
    kept in the build cache.
    """
    buffers = sized_buffers(accelerator)
    if not buffers:
        return accelerator.folding
    graph = with_depths(accelerator.timing, {one.name: one.most for one in buffers})
    flat = flatten(graph)
    digest = hashlib.sha256()
    for array in (flat.actors, flat.spans, flat.edges, flat.patterns):
        digest.update(array.tobytes())

    def build(folder: Path) -> None:
        (folder / "depths.json").write_text(json.dumps(_smallest(graph, buffers)))

    folder = cached_build("buffers", content_key(digest.hexdigest(), *map(str, buffers)), build)
    return Folding(accelerator.folding.layers, json.loads((folder / "depths.json").read_text()))


def _smallest(graph: TimingGraph, buffers: tuple[SizedBuffer, ...]) -> dict[str, int]:
    depths = {one.name: one.most for one in buffers}
    interval = math.ceil(steady_interval(graph))
    pending = [sorted(buffers, key=lambda one: (-one.most * one.width, one.name))]
    while pending:
        group = pending.pop()
        # Most buffers may be as small as can be, so whole groups are tried at once.
        least = {**depths, **{one.name: one.least for one in group}}
        if keeps(with_depths(graph, least), interval):
            depths = least
        elif len(group) > 1:
            half = len(group) // 2
            pending += [group[half:], group[:half]]
        else:
            depths[group[0].name] = _bisect(graph, depths, group[0], interval)
    return depths


def _bisect(graph: TimingGraph, depths: Mapping[str, int], buffer: SizedBuffer, interval: int) -> int:
    """The smallest depth of one buffer, more than its least, beside the others' depths."""
    low, high = buffer.least + 1, depths[buffer.name]
    while low < high:
        middle = (low + high) // 2
        if keeps(with_depths(graph, {**depths, buffer.name: middle}), interval):
            high = middle
        else:
            low = middle + 1
    return high


def keeps(graph: TimingGraph, interval: int) -> bool:
    """Whether a design still reaches an interval; one that gets stuck does not."""
    try:
        return sustains(graph, interval)
    except DeadlockError:
        return False
