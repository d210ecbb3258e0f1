"""`bitwright synth`: resources and clock on a device."""

from __future__ import annotations

from typing import Annotated

import typer

from bitwright.cli.answer import JsonFlag, answer, say
from bitwright.cli.options import (
    ClockMhz,
    DeviceName,
    FoldingFile,
    NetworkArgument,
    Seed,
    TargetCycles,
    TargetFps,
)
from bitwright.cli.target import Target

Timeout = Annotated[float, typer.Option("--timeout", help="Seconds for all tools together.")]


def synth(
    network: NetworkArgument,
    device: DeviceName = "ecp5-85k",
    seed: Seed = 1,
    timeout: Timeout = 600.0,
    target_cycles: TargetCycles = None,
    target_fps: TargetFps = None,
    clock_mhz: ClockMhz = 100.0,
    folding: FoldingFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Synthesize, place and route: LUTs, flip-flops, block RAMs, DSPs, Fmax."""
    from bitwright.cli.subject import read_subject

    subject = read_subject(network)
    design = Target(target_cycles, target_fps, clock_mhz, folding).build(subject.network)
    say(f"{subject.name}: synthesis for {device}")
    report = design.synthesize(device, seed=seed, timeout_s=timeout)
    answer(report.to_dict(), str(report), as_json)
