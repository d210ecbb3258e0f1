"""`bitwright compile`: a network becomes a folder of Verilog."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bitwright.cli.answer import JsonFlag, answer, say
from bitwright.cli.onnx_options import DropSoftmax, InputShape, InputType, onnx_options
from bitwright.cli.options import (
    ClockMhz,
    DataFolder,
    FoldingFile,
    NetworkArgument,
    OutFolder,
    TargetCycles,
    TargetFps,
)
from bitwright.cli.target import Target

if TYPE_CHECKING:
    from bitwright.design import Design

Fabric = Annotated[
    str, typer.Option("--fabric", help="How popcounts are laid out: generic, lut6, lut4_ecp5 or lut4_ice40.")
]

FittingDevice = Annotated[
    str | None, typer.Option("--device", "-d", help="An FPGA the design shall fit, e.g. ecp5-85k; alone: the fastest.")
]


def compile(
    network: NetworkArgument,
    output: OutFolder,
    target_cycles: TargetCycles = None,
    target_fps: TargetFps = None,
    clock_mhz: ClockMhz = 100.0,
    folding: FoldingFile = None,
    device: FittingDevice = None,
    fabric: Fabric = "generic",
    input_shape: InputShape = None,
    input_type: InputType = None,
    drop_softmax: DropSoftmax = False,
    mnist: DataFolder = None,
    as_json: JsonFlag = False,
) -> None:
    """Write Verilog, memories, a manifest and a stand-alone testbench into a folder."""
    from bitwright.cli.subject import read_subject
    from bitwright.delivery import MANIFEST

    subject = read_subject(network, mnist, onnx_options(input_shape, input_type, drop_softmax))
    say(f"{subject.name}: building")
    design = Target(target_cycles, target_fps, clock_mhz, folding, device).build(subject.network)
    folder = design.write(output, fabric)
    document = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    cycles = document["cycles"]
    lines = [
        f"{folder}: top module {document['top']}, {len(document['files'])} files",
        f"latency {cycles['latency']} cycles, interval {cycles['interval']} cycles, "
        f"{clock_mhz * 1e6 / cycles['interval']:,.0f} frames/s at {clock_mhz:g} MHz",
        *(
            f"  {name}: PE {one['pe']}, SIMD {one['simd']}"
            + (f", {one['pixels']} pixels" if "pixels" in one else "")
            + (", weights streamed in" if "weights" in one else "")
            for name, one in document["folding"].items()
        ),
    ]
    found = {} if device is None else {"estimate": estimated(design, device, lines)}
    answer({"folder": str(folder), **document, **found}, "\n".join(lines), as_json)


def estimated(design: Design, device: str, lines: list[str]) -> dict[str, Any]:
    """What the design is expected to take of the device, for the document; a line about it is added to `lines`."""
    found = design.resources(device)
    used = f" ({found.efficiency:.0%} of their bits used)" if found.brams else ""
    lines.append(f"about {found.luts:,} LUTs, {found.brams} block RAMs{used}, {found.dsps} DSP blocks on {device}")
    if design.folding.streamed:
        lines.append(
            f"the weights of {', '.join(design.folding.streamed)} do not fit on {device}: they are streamed in"
        )
    return {"device": device, **found.to_dict()}
