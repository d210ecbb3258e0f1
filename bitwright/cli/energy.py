"""`bitwright energy`: what a frame costs, by layer."""

from __future__ import annotations

from typing import Annotated

import typer

from bitwright.cli.answer import JsonFlag, answer
from bitwright.cli.options import ClockMhz, FoldingFile, NetworkArgument, TargetCycles, TargetFps
from bitwright.cli.target import Target

Technology = Annotated[str, typer.Option("--technology", "-t", help="The technology table, e.g. horowitz45.")]


def energy(
    network: NetworkArgument,
    technology: Technology = "horowitz45",
    target_cycles: TargetCycles = None,
    target_fps: TargetFps = None,
    clock_mhz: ClockMhz = 100.0,
    folding: FoldingFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Estimate the energy of a frame: events counted in the built design, times a published table."""
    from bitwright.cli.subject import read_subject

    subject = read_subject(network)
    design = Target(target_cycles, target_fps, clock_mhz, folding).build(subject.network)
    report = design.energy(technology=technology)
    answer(report.to_dict(), str(report), as_json)
