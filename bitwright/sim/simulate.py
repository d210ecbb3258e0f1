"""Simulating an accelerator's Verilog on frames: values, and the cycle in which every beat was accepted."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bitwright.errors import DeadlockError, InputError, OutputError, SimulationError
from bitwright.graph.types import IntArray
from bitwright.hw.accelerator import Accelerator
from bitwright.sim import bulk, probe
from bitwright.sim.cxxrtl import build_cxxrtl
from bitwright.sim.interface import Interface
from bitwright.sim.stalls import Stalls

SimulatorName = Literal["verilator", "cxxrtl"]
Cycles = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class SimResult:
    """What a simulation gave.

    `outputs`: the network's output for each frame, (frames, *shape), in the output type's NumPy dtype.
    `cycles`: cycles from the first after reset until the last beat was accepted.
    `input_cycles`, `output_cycles`: the cycle in which each beat was accepted, frames * beats values.
    For a design with several outputs `outputs` and `output_cycles` are tuples, in the order of the network's outputs.
    `seconds`: wall time of the run, without the build.
    """

    outputs: IntArray | tuple[IntArray, ...]
    cycles: int
    input_cycles: Cycles
    output_cycles: Cycles | tuple[Cycles, ...]
    seconds: float


def build(
    accelerator: Accelerator, simulator: SimulatorName = "verilator", *, trace: bool = False, fabric: str = "generic"
) -> bulk.Simulator:
    """Compile the accelerator's simulator, or find it in the build cache."""
    sources = accelerator.verilog(fabric)
    interface = Interface.of(accelerator.input, accelerator.outputs, accelerator.weight_inputs)
    if simulator == "verilator":
        return bulk.build_verilator(sources, interface, trace=trace)
    if simulator == "cxxrtl":
        if trace:
            raise InputError("waves come from Verilator; use simulator='verilator' with wave=...")
        return build_cxxrtl(sources, interface)
    raise InputError(f"unknown simulator '{simulator}'; use 'verilator' or 'cxxrtl'")


def longest_pause(accelerator: Accelerator, drive: bulk.Drive) -> int:
    """Cycles without any accepted beat after which a run is certainly stuck.

    Between two beats at the ports no stage of a live design fires more than a few frames' worth, and no firing waits
    longer than for a beat's whole way and the longest pause of source and sinks.
    """
    graph = accelerator.timing
    work = sum(actor.firings for actor in graph.actors) + sum(edge.latency for edge in graph.edges)
    pause = 1 if drive.gaps is None else 1 + int(drive.gaps.max(initial=0))
    for mask in drive.ready or ():
        if mask is not None:
            open_cycles = np.flatnonzero(mask)
            pause += int(np.diff(open_cycles, append=open_cycles[0] + len(mask)).max())
    return 1000 + 4 * work * pause


def make_drive(
    accelerator: Accelerator, x: IntArray, stalls: Stalls | None = None, max_cycles: int | None = None
) -> bulk.Drive:
    """The beats and stalls of a run on the frames `x`. Raises InputError when they do not fit the input."""
    outputs = accelerator.outputs
    beats = accelerator.input.pack(x)
    gaps, ready = None, None
    if stalls is not None and stalls.input_gap:
        gaps = stalls.input_gaps(len(beats))
    if stalls is not None and stalls.output_gap:
        ready = tuple(stalls.output_ready(output_index=place) for place in range(len(outputs)))
    expected = tuple(len(x) * port.beats for port in outputs)
    weights = tuple(stream.beats for stream in accelerator.weight_inputs)
    drive = bulk.Drive(beats, expected, gaps, ready, weights=weights, max_cycles=max_cycles)
    return replace(drive, quiet_cycles=longest_pause(accelerator, drive))


def check_finished(accelerator: Accelerator, drive: bulk.Drive, result: bulk.BulkResult, fabric: str) -> None:
    """Raise DeadlockError or SimulationError when a run ended before its last beat."""
    if result.status == bulk.DONE:
        return
    frames = drive.expected[0] // accelerator.outputs[0].beats
    counts = f"{result.received} of {sum(drive.expected)} output beats came"
    if result.status == bulk.OUT_OF_CYCLES:
        raise SimulationError(f"not finished after max_cycles = {result.cycles} cycles, {counts}; raise max_cycles")
    stage, why = probe.stuck_stage(accelerator, drive, frames, fabric)
    raise DeadlockError(
        f"deadlock: stage '{stage}' {why}; {counts}, nothing moved for {drive.quiet_cycles} cycles; "
        "look at it with wave='deadlock.vcd'",
        stage,
    )


def simulate(
    accelerator: Accelerator,
    x: IntArray,
    stalls: Stalls | None = None,
    simulator: SimulatorName = "verilator",
    wave: str | os.PathLike[str] | None = None,
    max_cycles: int | None = None,
    *,
    fabric: str = "generic",
    limit: float = bulk.RUN_LIMIT_SECONDS,
) -> SimResult:
    """Run the accelerator's Verilog on frames `x`, (frames, *input shape), integers of the input's type.

    The simulator is compiled on first use and kept in the build cache. `stalls` makes source and sinks pause; `wave`
    writes a VCD file of the whole run; `fabric` chooses the popcount's Verilog. A run may last `max_cycles` cycles and
    `limit` seconds.

    Raises InputError for frames that do not fit, DeadlockError naming the stage when nothing moves any more,
    SimulationError when a limit is passed or the simulator breaks down, OutputError when the wave cannot be written,
    ToolMissingError.
    """
    drive = make_drive(accelerator, x, stalls, max_cycles)
    path = _wave_path(wave)
    built = build(accelerator, simulator, trace=path is not None, fabric=fabric)
    memories = accelerator.verilog(fabric).memories
    result = bulk.run(built, drive, memories, wave=path, limit=limit)
    check_finished(accelerator, drive, result, fabric)
    ports = accelerator.outputs
    outputs = tuple(port.unpack(beats, len(x)) for port, beats in zip(ports, result.outputs, strict=True))
    return SimResult(
        outputs=outputs[0] if len(ports) == 1 else outputs,
        cycles=result.cycles,
        input_cycles=result.input_cycles,
        output_cycles=result.output_cycles[0] if len(ports) == 1 else result.output_cycles,
        seconds=result.seconds,
    )


def _wave_path(wave: str | os.PathLike[str] | None) -> Path | None:
    if wave is None:
        return None
    path = Path(wave).absolute()
    if path.suffix != ".vcd":
        raise InputError(f"waves are VCD; name the file {path.with_suffix('.vcd').name}")
    try:
        path.touch()
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from error
    return path
