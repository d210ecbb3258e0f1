"""`bitwright report`: the comparison as one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bitwright.cli.answer import JsonFlag, answer
from bitwright.cli.compare import DeviceOrNone, Simulate, Technology
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

OutFile = Annotated[Path, typer.Option("--output", "-o", help="The HTML file to write.")]
Title = Annotated[str, typer.Option("--title", help="The heading of the page.")]


def report(
    networks: NetworksArgument,
    output: OutFile = Path("report.html"),
    title: Title = "bitwright report",
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
    """Write a self-contained HTML report with table, plots and a drawing of each network."""
    from bitwright.cli.gather import Wanted, gather
    from bitwright.delivery import versions
    from bitwright.output import write_file
    from bitwright.report import page

    target = Target(target_cycles, target_fps, clock_mhz, folding)
    wanted = Wanted(target, device, simulate, frames, technology, mnist)
    entries = [gather(name, wanted) for name in networks]
    write_file(output, page(title, entries, versions()))
    document = {"report": str(output), "designs": [entry.as_json() for entry in entries]}
    answer(document, f"{output}: {len(entries)} designs", as_json)
