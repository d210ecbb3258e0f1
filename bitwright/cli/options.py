"""The arguments and options that several subcommands share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bitwright.errors import FoldingError

if TYPE_CHECKING:
    from bitwright.graph import Network
    from bitwright.hw import Folding

NetworkArgument = Annotated[
    str,
    typer.Argument(
        metavar="NETWORK",
        help="A network file, a checkpoint file, or the name of a shipped checkpoint (tfc-w1a1, tfc-w2a2, tfc-int8 ...).",
    ),
]
NetworksArgument = Annotated[list[str], typer.Argument(metavar="NETWORK...", help="Network files or checkpoints.")]
OutFolder = Annotated[Path, typer.Option("--output", "-o", help="The folder to write; made anew, replaced whole.")]
TargetCycles = Annotated[
    int | None, typer.Option("--target-cycles", help="Cycles a frame that no layer may exceed. [default: 64]")
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
DeviceName = Annotated[str, typer.Option("--device", "-d", help="The FPGA, e.g. ecp5-85k, up5k, hx8k, xc7.")]
Seed = Annotated[int, typer.Option("--seed", help="The seed of whatever is random.")]
StallSeed = Annotated[
    int | None, typer.Option("--stalls", help="Seed of random stalls on both sides. [default: no stalls]")
]

DEFAULT_TARGET_CYCLES = 64


def choose_folding(
    network: Network, target_cycles: int | None, target_fps: float | None, clock_mhz: float, file: Path | None
) -> Folding:
    """The folding that the options ask for. Raises FoldingError when they contradict each other or cannot be met."""
    from bitwright.hw import fold

    if sum(option is not None for option in (target_cycles, target_fps, file)) > 1:
        raise FoldingError("--target-cycles, --target-fps and --folding exclude each other; give one of them")
    if file is not None:
        return _read_folding(file)
    if target_fps is not None:
        return fold(network, target_fps=target_fps, clock_mhz=clock_mhz)
    return fold(network, target_cycles=DEFAULT_TARGET_CYCLES if target_cycles is None else target_cycles)


def _read_folding(file: Path) -> Folding:
    from bitwright.hw import Folding

    try:
        given: Any = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise FoldingError(f"cannot read the folding {file} ({error.strerror}); check the path") from error
    except ValueError as error:
        raise FoldingError(f"the folding {file} is not JSON ({error}); write {{layer: {{pe, simd}}}}") from error
    return Folding.from_json(given)
