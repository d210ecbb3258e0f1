"""The smallest buffers that keep the full throughput, found on the cycle model."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bitwright.cache import cached_build, content_key
from bitwright.hw.accelerator import Accelerator
from bitwright.hw.folding import Folding
from bitwright.hw.repeat import RepeatStage
from bitwright.hw.timing import TimingGraph
from bitwright.hw.window import WindowStage
from bitwright.native import kernel_text
from bitwright.sim.cycle_model import KERNEL, slots_at, steady_interval
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
    kept in the build cache, for the same graph and code.
    """
    buffers = sized_buffers(accelerator)
    if not buffers:
        return accelerator.folding
    graph = with_depths(accelerator.timing, {one.name: one.most for one in buffers})
    flat = flatten(graph)
    digest = hashlib.sha256()
    for array in (flat.actors, flat.edges, flat.events):
        digest.update(array.tobytes())

    def build(folder: Path) -> None:
        (folder / "depths.json").write_text(json.dumps(_smallest(graph, buffers)))

    code = (kernel_text(KERNEL), *(path.read_text() for path in sorted(Path(__file__).parent.glob("*.py"))))
    folder = cached_build("buffers", content_key(*code, digest.hexdigest(), *map(str, buffers)), build)
    return Folding(accelerator.folding.layers, json.loads((folder / "depths.json").read_text()))


class _Sizing:
    """A graph whose buffers are tried in other depths."""

    def __init__(self, graph: TimingGraph, buffers: tuple[SizedBuffer, ...]) -> None:
        self._graph = graph
        self._flat = flatten(graph)
        ends = [(edge.source, edge.target) for edge in graph.edges]
        self._places = {one.name: ends.index((f"{one.name}.buffer", one.name)) for one in buffers}
        self._interval = math.ceil(steady_interval(graph))

    def words(self, depths: Mapping[str, int]) -> dict[str, int] | None:
        """The most words that each buffer holds at full throughput; None when the depths do not keep it."""
        flat = self._flat.with_capacities({self._places[name]: depth for name, depth in depths.items()})
        slots = slots_at(self._graph, flat, self._interval, tuple(self._places.values()))
        return None if slots is None else dict(zip(self._places, slots.tolist(), strict=True))


def _smallest(graph: TimingGraph, buffers: tuple[SizedBuffer, ...]) -> dict[str, int]:
    sizing = _Sizing(graph, buffers)
    depths = {one.name: one.most for one in buffers}
    held = sizing.words(depths) or depths
    pending = [sorted(buffers, key=lambda one: (-one.most * one.width, one.name))]
    while pending:
        group = pending.pop()
        # Most buffers may be as small as can be, so whole groups are tried at once.
        least = {**depths, **{one.name: one.least for one in group}}
        words = sizing.words(least)
        if words is not None:
            depths, held = least, words
        elif len(group) > 1:
            half = len(group) // 2
            pending += [group[half:], group[:half]]
        else:
            depths, held = _bisect(sizing, depths, held, group[0])
    return depths


def _bisect(
    sizing: _Sizing, depths: dict[str, int], held: dict[str, int], buffer: SizedBuffer
) -> tuple[dict[str, int], dict[str, int]]:
    """`depths` with the smallest of one buffer, more than its least, beside the others', and what they hold then.

    A buffer needs no more words than it held in a run that kept the throughput.
    """
    low, high = buffer.least + 1, held[buffer.name]
    while low < high:
        middle = (low + high) // 2
        words = sizing.words({**depths, buffer.name: middle})
        if words is None:
            low = middle + 1
        else:
            high, held = max(low, words[buffer.name]), words
    return {**depths, buffer.name: high}, held
