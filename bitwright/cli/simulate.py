"""`bitwright simulate`: frames through the RTL, values and cycles."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bitwright.cli.answer import JsonFlag, answer, say
from bitwright.cli.options import (
    ClockMhz,
    DataFolder,
    FoldingFile,
    Frames,
    InputFile,
    NetworkArgument,
    StallSeed,
    TargetCycles,
    TargetFps,
)
from bitwright.cli.target import Target, make_stalls

Wave = Annotated[Path | None, typer.Option("--wave", help="Write a waveform of the run, a VCD file.")]
OutputFile = Annotated[Path | None, typer.Option("--output", "-o", help="Write the integer outputs, a .npy file.")]
Simulator = Annotated[str, typer.Option("--simulator", help="verilator or cxxrtl.")]


def simulate(
    network: NetworkArgument,
    frames: Frames = None,
    input_file: InputFile = None,
    output: OutputFile = None,
    wave: Wave = None,
    stalls: StallSeed = None,
    simulator: Simulator = "verilator",
    target_cycles: TargetCycles = None,
    target_fps: TargetFps = None,
    clock_mhz: ClockMhz = 100.0,
    folding: FoldingFile = None,
    mnist: DataFolder = None,
    as_json: JsonFlag = False,
) -> None:
    """Run frames through the RTL; tells accuracy where labels are known, cycles, and frames a second."""
    from bitwright.cli.subject import read_subject

    subject = read_subject(network, mnist)
    x, labels, source = subject.frames(frames, input_file)
    design = Target(target_cycles, target_fps, clock_mhz, folding).build(subject.network)
    say(f"{subject.name}: {len(x)} frames through the RTL")
    result = design.simulate(x, stalls=make_stalls(stalls), simulator=simulator, wave=wave)  # type: ignore[arg-type]
    if output is not None:
        _save(output, result.outputs)
    report = design.cycles(frames=len(x), stalls=make_stalls(stalls))
    accuracy = None if labels is None else subject.accuracy(result.outputs, labels)
    frames_per_second = clock_mhz * 1e6 / report.interval
    document = {
        "network": subject.name,
        "data": source,
        "frames": len(x),
        "accuracy": accuracy,
        "cycles": result.cycles,
        "latency": report.latency,
        "interval": report.interval,
        "clock_mhz": clock_mhz,
        "frames_per_second": frames_per_second,
        "output": None if output is None else str(output),
        "wave": None if wave is None else str(wave),
    }
    text = f"{subject.name}, {source}: {len(x)} frames in {result.cycles:,} cycles; latency {report.latency}, "
    text += f"interval {report.interval}, {frames_per_second:,.0f} frames/s at {clock_mhz:g} MHz"
    if accuracy is not None:
        text += f"; accuracy {100 * accuracy:.2f} %"
    answer(document, text, as_json)


def _save(path: Path, outputs: object) -> None:
    import io

    import numpy as np

    from bitwright.errors import InputError
    from bitwright.output import write_file

    if isinstance(outputs, tuple):
        raise InputError("--output takes one array, this network has several outputs; use Design.simulate in Python")
    buffer = io.BytesIO()
    np.save(buffer, outputs, allow_pickle=False)  # type: ignore[arg-type]
    write_file(path, buffer.getvalue())
