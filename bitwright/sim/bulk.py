"""The bulk runner: a design compiled to a program of its own that takes and gives packed beats as arrays.

The program runs in its own process, on files mapped into memory: it can be stopped at any moment, and a simulator that
crashes or never ends takes nothing else down. It runs the loop of `harness/bulk.cpp`, which costs little more than the
bare clock.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright.cache import cached_build, content_key
from bitwright.errors import InputError, SimulationError
from bitwright.hw.sources import VerilogSources
from bitwright.sim import verilator, verilator_model
from bitwright.sim.interface import Interface
from bitwright.sim.process import first_error, progress_bar, run_program
from bitwright.sim.verilator_compile import compile_model, key_text

HARNESS = Path(__file__).parent / "harness" / "bulk.cpp"
PROGRAM = "simulator"

TRANSLATE = ("-O3", "--x-assign", "fast", "--x-initial", "fast", "--no-assert")

DONE, OUT_OF_CYCLES, QUIET = 1, 2, 3
"""How a run ended: every expected beat came; the cycle limit came first; nothing moved any more."""

RUN_LIMIT_SECONDS = 3600.0
UNLIMITED = 1 << 63

_CONTROL = np.dtype(
    [
        (name, np.uint64)
        for name in ("input_beats", "max_cycles", "quiet_cycles", "status", "cycles", "input_done", "outputs_done")
    ]
)

_TAP_STATE = np.dtype([(name, np.uint64) for name in ("valid", "ready", "done")])


@dataclass(frozen=True)
class Simulator:
    """A compiled design: its program, its streams, and the bytes of the inner streams it can record."""

    program: Path
    interface: Interface
    taps: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class Drive:
    """What one run feeds and expects.

    `beats`: uint8 (input beats, bytes). `expected`: beats to wait for on each output. `gaps`: uint32, cycles the
    source waits before each beat, or None. `ready`: for each output a cyclic bool array, or None (always ready).
    `taps`: beats to record of each inner stream. `weights`: for each weight stream its beats, uint8, which
    repeat without a pause. A run without any accepted beat for `quiet_cycles` cycles ends.
    """

    beats: NDArray[np.uint8]
    expected: tuple[int, ...]
    gaps: NDArray[np.uint32] | None = None
    ready: tuple[NDArray[np.bool_] | None, ...] | None = None
    taps: tuple[int, ...] = ()
    weights: tuple[NDArray[np.uint8], ...] = ()
    max_cycles: int | None = None
    quiet_cycles: int = 100_000


@dataclass(frozen=True, eq=False)
class BulkResult:
    """What came out: for each output its beats (uint8, one row a beat) and the cycle each was accepted in.

    `status` is DONE, OUT_OF_CYCLES or QUIET. `taps` holds the recorded inner streams in the same form, and
    `tap_valid`, `tap_ready` what they did in the last cycle. `seconds` is wall time, with the start of the program.
    """

    status: int
    cycles: int
    received: int
    seconds: float
    input_cycles: NDArray[np.int64]
    outputs: tuple[NDArray[np.uint8], ...]
    output_cycles: tuple[NDArray[np.int64], ...]
    taps: tuple[NDArray[np.uint8], ...] = ()
    tap_valid: tuple[bool, ...] = ()
    tap_ready: tuple[bool, ...] = ()


def build_verilator(
    sources: VerilogSources, interface: Interface, *, trace: bool = False, taps: Sequence[int] = ()
) -> Simulator:
    """The design as a verilated program, from the build cache where it is there.

    Memories are no part of the build: one program serves every network of the same hardware. `trace` makes a program
    that can write VCD waves. With `taps` the top module is a probe wrapper that brings out inner streams of so many
    bytes a beat. Raises SimulationError or ToolMissingError.
    """
    model = verilator_model.model_header(sources.top, interface, taps)
    translate = (*TRANSLATE, *(("--trace-vcd",) if trace else ()))
    key = content_key(
        sources.key(with_memories=False),
        model,
        HARNESS.read_text(),
        " ".join(translate),
        key_text(),
    )

    def build(folder: Path) -> None:
        for name, text in sources.sources.items():
            (folder / name).write_text(text, encoding="utf-8")
        files = verilator.verilate(folder, sources.top, sorted(sources.sources), translate)
        (folder / "model.h").write_text(model)
        compile_model(folder, files, HARNESS, trace, PROGRAM)
        for scrap in folder.glob("*.o"):
            scrap.unlink()

    folder = cached_build("verilator", key, build)
    return Simulator(folder / PROGRAM, interface, tuple(taps))


def memory_folder(memories: Mapping[str, str]) -> Path:
    """A folder that holds the `$readmemh` images, named by their content."""

    def build(folder: Path) -> None:
        for name, text in memories.items():
            (folder / name).write_text(text)

    return cached_build("memories", content_key(*(part for item in sorted(memories.items()) for part in item)), build)


class _Files:
    """The arrays of one run as files that the program maps."""

    def __init__(self, folder: Path, drive: Drive, simulator: Simulator) -> None:
        self.folder = folder
        self._write("input.beats", drive.beats)
        self._write("input.gaps", np.zeros(0, np.uint32) if drive.gaps is None else drive.gaps.astype(np.uint32))
        self._room("input.cycles", 8 * len(drive.beats))
        for i, words in enumerate(drive.weights):
            self._write(f"weights{i}.beats", words)
        ready = drive.ready or (None,) * len(drive.expected)
        for i, (beats, size, mask) in enumerate(
            zip(drive.expected, simulator.interface.output_bytes, ready, strict=True)
        ):
            self._room(f"output{i}.beats", beats * size)
            self._room(f"output{i}.cycles", beats * 8)
            self._write(f"output{i}.ready", np.zeros(0, np.uint8) if mask is None else mask.astype(np.uint8))
        for i, (beats, size) in enumerate(zip(drive.taps, simulator.taps, strict=True)):
            self._room(f"tap{i}.beats", beats * size)
            self._room(f"tap{i}.cycles", beats * 8)
        self._room("taps.state", len(simulator.taps) * _TAP_STATE.itemsize)
        self.control: Any = np.memmap(folder / "control", _CONTROL, "w+", shape=(1,))
        self.control["input_beats"] = len(drive.beats)
        self.control["max_cycles"] = UNLIMITED if drive.max_cycles is None else drive.max_cycles
        self.control["quiet_cycles"] = drive.quiet_cycles

    def _write(self, name: str, values: NDArray[Any]) -> None:
        np.ascontiguousarray(values).tofile(self.folder / name)

    def _room(self, name: str, size: int) -> None:
        with open(self.folder / name, "wb") as handle:
            handle.truncate(size)

    def cycles(self, name: str) -> NDArray[np.int64]:
        return np.fromfile(self.folder / f"{name}.cycles", dtype=np.int64)

    def beats(self, name: str, size: int) -> NDArray[np.uint8]:
        return np.fromfile(self.folder / f"{name}.beats", dtype=np.uint8).reshape(-1, size)

    def status(self, field_name: str) -> int:
        return int(self.control[field_name][0])


def run(
    simulator: Simulator,
    drive: Drive,
    memories: Mapping[str, str],
    *,
    wave: Path | None = None,
    limit: float = RUN_LIMIT_SECONDS,
) -> BulkResult:
    """Reset the design, feed it, and take its beats until all expected ones came.

    `wave` names the VCD file of a simulator built with `trace`. Raises SimulationError when the program breaks down or
    takes more than `limit` seconds; Ctrl-C stops it at once.
    """
    interface = simulator.interface
    if drive.beats.ndim != 2 or drive.beats.shape[1] != interface.input_bytes or drive.beats.dtype != np.uint8:
        raise InputError(
            f"input beats must be uint8 of shape (beats, {interface.input_bytes}), "
            f"not {drive.beats.dtype} {drive.beats.shape}; use PortSpec.pack()"
        )
    if tuple(words.shape[1] for words in drive.weights) != interface.weight_bytes:
        raise InputError(f"the weight streams need beats of {interface.weight_bytes} bytes; use WeightStream.beats")
    images = memory_folder(memories)
    total = max(1, sum(drive.expected))
    with (
        tempfile.TemporaryDirectory(prefix="bitwright-run-") as scratch,
        progress_bar("simulation") as bar,
    ):
        files = _Files(Path(scratch), drive, simulator)
        started = time.perf_counter()
        finished = run_program(
            [str(simulator.program), f"{scratch}/", str(wave) if wave else "-", f"+memories={images}"],
            limit=limit,
            what="the simulator",
            cwd=images,
            tick=lambda: bar.update(files.status("outputs_done") / total),
        )
        seconds = time.perf_counter() - started
        # A memory image that is missing or too short is but a warning to Verilator.
        warned = "%Warning" in finished.stdout + finished.stderr
        if finished.status or warned or not files.status("status"):
            raise SimulationError(f"the simulator broke down: {first_error(finished)}")
        taps = np.fromfile(Path(scratch) / "taps.state", dtype=_TAP_STATE)
        return BulkResult(
            status=files.status("status"),
            cycles=files.status("cycles"),
            received=files.status("outputs_done"),
            seconds=seconds,
            input_cycles=files.cycles("input")[: files.status("input_done")],
            outputs=tuple(files.beats(f"output{i}", size) for i, size in enumerate(interface.output_bytes)),
            output_cycles=tuple(files.cycles(f"output{i}") for i in range(len(interface.output_bytes))),
            taps=tuple(files.beats(f"tap{i}", simulator.taps[i])[: tap["done"]] for i, tap in enumerate(taps)),
            tap_valid=tuple(bool(tap["valid"]) for tap in taps),
            tap_ready=tuple(bool(tap["ready"]) for tap in taps),
        )
