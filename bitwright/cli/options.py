"""The arguments and options that several subcommands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

NetworkArgument = Annotated[
    str,
    typer.Argument(
        metavar="NETWORK",
        help="A network file, a quantized .onnx file, a checkpoint file, or a shipped checkpoint: tfc-w1a1 ...",
    ),
]
NetworksArgument = Annotated[
    list[str], typer.Argument(metavar="NETWORK...", help="Network files, .onnx files or checkpoints.")
]
OutFolder = Annotated[Path, typer.Option("--output", "-o", help="The folder to write; made anew, replaced whole.")]
TargetCycles = Annotated[
    int | None, typer.Option("--target-cycles", help="Cycles a frame that no layer may exceed. [default: about 64]")
]
TargetFps = Annotated[
    float | None, typer.Option("--target-fps", help="Frames a second to reach at --clock-mhz, instead of cycles.")
]
ClockMhz = Annotated[float, typer.Option("--clock-mhz", help="The clock for frames a second, in MHz.")]
FoldingFile = Annotated[
    Path | None,
    typer.Option("--folding", help='A JSON file with PE and SIMD by layer: {"linear0": {"pe": 16, "simd": 49}, ...}.'),
]
Frames = Annotated[int | None, typer.Option("--frames", "-n", help="How many test images. [default: all of them]")]
InputFile = Annotated[
    Path | None, typer.Option("--input", help="Integer frames of your own, a .npy file of shape (frames, ...).")
]
DataFolder = Annotated[
    Path | None, typer.Option("--mnist", help="Folder with the four MNIST IDX files, for the full MNIST.")
]
DeviceName = Annotated[str, typer.Option("--device", "-d", help="The FPGA, e.g. ecp5-85k, ice40-up5k, xilinx-7.")]
Seed = Annotated[int, typer.Option("--seed", help="The seed of whatever is random.")]
StallSeed = Annotated[
    int | None, typer.Option("--stalls", help="Seed of random stalls on both sides. [default: no stalls]")
]
