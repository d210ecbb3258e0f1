"""`bitwright verify`: is the hardware the same function."""

from __future__ import annotations

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


def verify(
    network: NetworkArgument,
    frames: Frames = None,
    input_file: InputFile = None,
    stalls: StallSeed = None,
    target_cycles: TargetCycles = None,
    target_fps: TargetFps = None,
    clock_mhz: ClockMhz = 100.0,
    folding: FoldingFile = None,
    mnist: DataFolder = None,
    as_json: JsonFlag = False,
) -> None:
    """Prove on real inputs that RTL, PyTorch and the integer network give the same integers; exit 1 if not."""
    from bitwright.cli.subject import read_subject

    subject = read_subject(network, mnist)
    design = Target(target_cycles, target_fps, clock_mhz, folding).build(subject.network)
    if subject.module is None or input_file is not None:
        x, _, source = subject.frames(frames, input_file)
        against = "the integer network"
        say(f"{subject.name}: {len(x)} frames, RTL against {against}")
        design.verify(subject.network, x, stalls=make_stalls(stalls))
    else:
        x, _, source = subject.real_frames(frames)
        against = "PyTorch"
        say(f"{subject.name}: {len(x)} frames, RTL against {against}")
        design.verify(subject.module, x, stalls=make_stalls(stalls))
    document = {"network": subject.name, "equal": True, "frames": len(x), "against": against, "data": source}
    answer(document, f"{subject.name}: RTL equals {against} on {len(x):,} frames, bit for bit ({source})", as_json)
