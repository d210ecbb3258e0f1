"""`bitwright compare`: designs side by side."""

from __future__ import annotations

from typing import Annotated

import typer

from bitwright.cli.answer import JsonFlag, answer
from bitwright.cli.options import (
    ClockMhz,
    DataFolder,
    FoldingFile,
    Frames,
    NetworksArgument,
    TargetCycles,
    TargetFps,
)
from bitwright.cli.target import Target

DeviceOrNone = Annotated[
    str | None, typer.Option("--device", "-d", help="Also synthesize for this FPGA, e.g. ecp5-85k. [default: do not]")
]
Simulate = Annotated[bool, typer.Option("--simulate/--no-simulate", help="Run test images through the RTL.")]
Technology = Annotated[str, typer.Option("--technology", "-t", help="The technology table for energy.")]


def compare(
    networks: NetworksArgument,
    device: DeviceOrNone = None,
    simulate: Simulate = True,
    frames: Frames = None,
    technology: Technology = "horowitz45",
    target_cycles: TargetCycles = None,
    target_fps: TargetFps = None,
    clock_mhz: ClockMhz = 100.0,
    folding: FoldingFile = None,
    mnist: DataFolder = None,
    as_json: JsonFlag = False,
) -> None:
    """Accuracy, cycles, frames a second, resources and energy of several networks in one table."""
    from bitwright.cli.gather import Wanted, gather
    from bitwright.report import rich_table

    target = Target(target_cycles, target_fps, clock_mhz, folding)
    wanted = Wanted(target, device, simulate, frames, technology, mnist)
    entries = [gather(name, wanted) for name in networks]
    answer({"designs": [entry.as_json() for entry in entries]}, rich_table(entries), as_json)
