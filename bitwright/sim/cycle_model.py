"""The cycle model: when every beat moves, computed from the stages' timing descriptions without simulating any logic.

It evaluates a `hw.timing.TimingGraph` exactly. Cycle 0 is the first cycle after reset. The time of a firing is the
largest of the times it has to wait for plus one cycle here or there, so it follows from earlier firings alone (the
max-plus view of a timed event graph: Baccelli, Cohen, Olsder, Quadrat, "Synchronization and Linearity", 1992).

The environment of a design:

- the source offers beat k in cycle `accepted[k-1] + 1 + gap[k]` (beat 0 in `gap[0]`) and holds it; the beat is accepted
  in the cycle of the firing that takes it;
- the sink of output o accepts a beat in the first cycle in which it is there and `mask[o][cycle % len(mask[o])]` is
  true, at most one a cycle;
- a stream of weights always offers a beat.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bitwright.errors import DeadlockError, InputError
from bitwright.hw.timing import Edge, TimingGraph
from bitwright.native import load_kernel
from bitwright.sim.flat_graph import FlatGraph, flatten
from bitwright.sim.stalls import Stalls

if TYPE_CHECKING:
    from bitwright.hw.accelerator import Accelerator

Cycles = NDArray[np.int64]

KERNEL = Path(__file__).with_name("cycle_model.cpp")
LONGEST_SEARCH = 16384
"""Frames after which the search for a steady state gives up."""
LONGEST_PACED = 8
"""The same for a run at a given pace, for each frame that the buffers hold and one more."""


@dataclass(frozen=True)
class StageCycles:
    """What a stage did in the cycles of a run: it fired, had its data but no room for the result, or lacked data."""

    name: str
    busy: int
    stalled: int
    starved: int


@dataclass(frozen=True, eq=False)
class CycleReport:
    """The timing of a run of `frames` frames.

    `latency`: the cycle in which the first output beat was accepted (cycle 0 is the first after reset).
    `interval`: cycles between the last output beats of two frames, once steady; a whole number unless the steady state
    spans several frames. With random stalls there is no steady state: the mean over the run (one frame: its cycles).
    `total`: cycles until nothing moves any more. `input_cycles`, `output_cycles`: the cycle in which each beat was
    accepted (for several outputs a tuple). `stages`: for each actor busy + stalled + starved = total.
    """

    frames: int
    latency: int
    interval: int | float
    total: int
    input_cycles: Cycles
    output_cycles: Cycles | tuple[Cycles, ...]
    stages: tuple[StageCycles, ...]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Raw results of `evaluate`: as `CycleReport`, with always a tuple of outputs.

    `period` frames take `shift` cycles in the steady state; 0 where none was looked for or found. `slots`:
    for each edge that was asked for the slots ever in use together; with no more than these the run would be the same.
    """

    total: int
    input_cycles: Cycles
    output_cycles: tuple[Cycles, ...]
    stages: tuple[StageCycles, ...]
    period: int
    shift: int
    slots: Cycles


def _wait_for_ready(mask: NDArray[np.bool_]) -> Cycles:
    """For each place of a repeated ready mask, the number of cycles until it is true."""
    places = np.flatnonzero(mask)
    if places.size == 0:
        raise InputError("a ready mask without any ready cycle would wait for ever; set at least one cycle")
    after = np.append(places, places[0] + mask.size)
    here = np.arange(mask.size)
    return np.asarray(after[np.searchsorted(after, here)] - here, dtype=np.int64)


def _pointer(array: NDArray[Any] | None) -> Any:
    return None if array is None else array.ctypes.data_as(ctypes.c_void_p)


def _stuck(graph: TimingGraph, blocked: Cycles) -> DeadlockError:
    """Follow from a stage that waits to the one it waits for, until a stage comes up again: that circle is stuck."""
    names = [graph.INPUT, *(actor.name for actor in graph.actors)]
    edges: list[Edge] = list(graph.edges)

    def waits_for(name: str) -> tuple[str, Edge, bool]:
        edge = edges[int(blocked[names.index(name), 0])]
        full = edge.source == name
        return (edge.target if full else edge.source), edge, full

    stage = next(name for name in names[1:] if blocked[names.index(name), 0] >= 0)
    seen: list[str] = []
    while stage not in seen:
        seen.append(stage)
        stage = waits_for(stage)[0]
    circle = seen[seen.index(stage) :]
    stage = next((name for name in circle if waits_for(name)[2]), stage)
    other, edge, full = waits_for(stage)
    _, frame, firing = (int(value) for value in blocked[names.index(stage)])
    reason = f"the buffer to '{other}' is full (capacity {edge.capacity})" if full else f"no beat comes from '{other}'"
    return DeadlockError(
        f"stage '{stage}' is stuck in frame {frame} at firing {firing}: {reason}; raise the capacity of the buffers "
        f"around {', '.join(repr(name) for name in circle)}",
        stage,
    )


def evaluate(
    graph: TimingGraph,
    frames: int,
    gaps: NDArray[Any] | None = None,
    ready_masks: Sequence[NDArray[Any] | None] | None = None,
    pace: int = 0,
) -> Evaluation:
    """The cycle of every input and output beat of `frames` frames.

    `gaps`: for each input beat the cycles that the source waits before offering it (none: 0). `ready_masks`: for each
    output the repeated pattern of cycles in which its sink is ready (None: always). `pace`: the source starts no frame
    before cycle `frame * pace`; where that is too fast to go on for ever, only `period` (0) is told. Without gaps and
    masks, the evaluation stops as soon as frames are proven to repeat, and the rest is written down exactly.

    Raises InputError for a graph or environment that makes no sense, DeadlockError when nothing can move any more.
    """
    if frames < 1:
        raise InputError(f"the cycle model needs at least 1 frame, not {frames}")
    return _evaluate(graph, flatten(graph), frames, gaps, ready_masks, pace)


def _evaluate(
    graph: TimingGraph,
    flat: FlatGraph,
    frames: int,
    gaps: NDArray[Any] | None = None,
    ready_masks: Sequence[NDArray[Any] | None] | None = None,
    pace: int = 0,
    asked: Sequence[int] = (),
) -> Evaluation:
    if gaps is not None:
        gaps = np.ascontiguousarray(gaps, dtype=np.int64)
        if gaps.shape != (frames * flat.input_beats,) or gaps.min() < 0:
            raise InputError(f"gaps need one value >= 0 for each of {frames * flat.input_beats} input beats")
    masks = list(ready_masks) if ready_masks is not None else [None] * len(flat.output_beats)
    if len(masks) != len(flat.output_beats):
        raise InputError(f"{len(masks)} ready masks for {len(flat.output_beats)} outputs; give one each")
    waits = [np.zeros(0, dtype=np.int64) if mask is None else _wait_for_ready(np.asarray(mask, bool)) for mask in masks]
    wait_lengths = np.array([wait.size for wait in waits], dtype=np.int64)
    all_waits = np.concatenate(waits)

    count = len(flat.actors)
    accepted_in = np.empty(frames * flat.input_beats, dtype=np.int64)
    accepted_out = np.empty(frames * sum(flat.output_beats), dtype=np.int64)
    totals = np.zeros((count, 2), dtype=np.int64)
    blocked = np.zeros((count, 3), dtype=np.int64)
    found = np.zeros(3, dtype=np.int64)
    slots = np.array(asked, dtype=np.int64)
    steady = gaps is None and all(mask is None for mask in masks)
    run = load_kernel(KERNEL).cycle_model_evaluate
    run.restype = ctypes.c_int64
    integer = ctypes.c_int64
    failed = run(
        integer(count), _pointer(flat.actors), _pointer(flat.events), integer(pace), integer(len(flat.edges)),
        _pointer(flat.edges), integer(flat.input_edge), integer(frames), _pointer(gaps), _pointer(all_waits),
        _pointer(wait_lengths), integer(steady), _pointer(accepted_in), _pointer(accepted_out), _pointer(totals),
        _pointer(blocked), _pointer(found), integer(len(slots)), _pointer(slots),
    )  # fmt: skip
    if failed:
        for place, starts in enumerate(flat.starts):
            if len(starts):
                blocked[place, 2] = starts[blocked[place, 2]]
        raise _stuck(graph, blocked)
    total = int(totals[:, 1].max()) + 1
    stages = []
    for actor, (stalled, _) in zip(graph.actors, totals[1:].tolist(), strict=False):
        busy = actor.firings * frames
        stages.append(StageCycles(actor.name, busy, stalled, total - busy - stalled))
    ends = np.cumsum([frames * beats for beats in flat.output_beats])[:-1]
    return Evaluation(
        total, accepted_in, tuple(np.split(accepted_out, ends)), tuple(stages), int(found[1]), int(found[2]), slots
    )


def _last_beats(outputs: Sequence[Cycles], frames: int) -> Cycles:
    """For each frame the cycle in which its last beat, over all outputs, was accepted."""
    return np.asarray(np.max([cycles.reshape(frames, -1)[:, -1] for cycles in outputs], axis=0), dtype=np.int64)


def slots_at(graph: TimingGraph, flat: FlatGraph, pace: int, edges: Sequence[int]) -> Cycles | None:
    """At a frame each `pace` cycles the slots in use together of each of `edges`; None when the design cannot go on so.

    A source that does not wait makes no beat later, so a design that goes on takes at most `pace` cycles a frame. The
    answer is proven: frames repeat at the pace, or some circle of events takes longer (`critical_circle.h`). A run that
    shows neither in LONGEST_PACED frames for each that the buffers hold counts as one that does not go on.
    """
    _, _, capacity, _, beats = flat.edges.T
    try:
        found = _evaluate(graph, flat, LONGEST_PACED * (1 + int((-(-capacity // beats)).max())), pace=pace, asked=edges)
    except DeadlockError:
        return None
    return found.slots if found.period and found.shift == pace * found.period else None


def steady_interval(graph: TimingGraph) -> int | float:
    """Cycles a frame in the long run, from the proven period; from the second half of many frames if none appears.

    Raises DeadlockError when the design cannot go on.
    """
    # No actor fires more than once a cycle. At that pace a source keeps no buffer full, so frames repeat soon.
    least = max(actor.firings for actor in graph.actors)
    flat = flatten(graph)
    if slots_at(graph, flat, least, ()) is not None:
        return least
    frames = 64
    while True:
        found = _evaluate(graph, flat, frames)
        if found.period:
            return _proven_interval(found)
        if frames >= LONGEST_SEARCH:
            last = _last_beats(found.output_cycles, frames)
            return float(last[-1] - last[frames // 2]) / (frames - 1 - frames // 2)
        frames *= 4


def _proven_interval(found: Evaluation) -> int | float:
    whole, rest = divmod(found.shift, found.period)
    return whole if rest == 0 else found.shift / found.period


def cycles(accelerator: Accelerator, frames: int, stalls: Stalls | None = None) -> CycleReport:
    """When each beat of `frames` frames passes the accelerator's ports, and what each stage does meanwhile.

    Equals what `sim.simulate` measures on the RTL with the same `stalls`, cycle for cycle. Raises InputError for
    frames < 1, DeadlockError naming the stage when the design cannot go on.
    """
    graph = accelerator.timing
    gaps, masks = None, None
    if stalls is not None and frames >= 1:
        gaps = stalls.input_gaps(frames * accelerator.input.beats) if stalls.input_gap else None
        if stalls.output_gap:
            masks = [stalls.output_ready(output_index=place) for place in range(len(accelerator.outputs))]
    result = evaluate(graph, frames, gaps, masks)
    outputs = result.output_cycles
    if gaps is None and masks is None:
        interval = _proven_interval(result) if result.period else steady_interval(graph)
    else:
        last = _last_beats(outputs, frames)
        interval = float(last[-1] - last[0]) / (frames - 1) if frames > 1 else result.total
    return CycleReport(
        frames=frames,
        latency=int(min(beats[0] for beats in outputs)),
        interval=interval,
        total=result.total,
        input_cycles=result.input_cycles,
        output_cycles=outputs[0] if len(outputs) == 1 else outputs,
        stages=result.stages,
    )
