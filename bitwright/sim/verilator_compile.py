"""From the C++ that Verilator writes to a program: g++ on a few large files, beside parts that all designs share."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bitwright.cache import cache_root, cached_build, content_key
from bitwright.native import compiler, processor
from bitwright.sim.process import run_all
from bitwright.sim.verilator import BUILD_LIMIT_SECONDS, DEFINES, STANDARD, root, version

POPCOUNT = Path(__file__).parent / "harness" / "popcount.h"

FAST = ("-O2", "-march=native")
SLOW = ("-O0", "-march=native")
RUNTIME = ("-O0",)
TRACING_RUNTIME = ("-O1",)
"""Verilator's run-time does nothing in a bulk run after the start; with waves it writes them."""

SMALL_BYTES = 100_000
"""C++ text that is not worth a second compiler."""


def key_text() -> str:
    """What a compiled model depends on besides its own text."""
    return " ".join((*FAST, *SLOW, *RUNTIME, *TRACING_RUNTIME, STANDARD, version(), processor(), POPCOUNT.read_text()))


def flags(optimize: Sequence[str], trace: bool) -> list[str]:
    """Arguments of g++ for Verilator's C++."""
    include = root() / "include"
    defines = [f"-D{name}" for name in (*DEFINES, f"VM_TRACE={int(trace)}", f"VM_TRACE_VCD={int(trace)}")]
    return [*optimize, STANDARD, "-w", *defines, f"-I{include}", f"-I{include / 'vltstd'}"]


def _runtime_key(trace: bool) -> str:
    return content_key(key_text(), str(trace))


def runtime(trace: bool, stop: threading.Event | None = None) -> Path:
    """The folder with Verilator's own run-time objects, the same for every design; compiled on first use."""
    names = ["verilated", "verilated_threads", *(["verilated_vcd_c"] if trace else [])]

    def build(folder: Path) -> None:
        include = root() / "include"
        gxx = [compiler(), *flags(TRACING_RUNTIME if trace else RUNTIME, trace)]
        commands = [[*gxx, "-c", str(include / f"{name}.cpp"), "-o", f"{name}.o"] for name in names]
        run_all(commands, limit=BUILD_LIMIT_SECONDS, what="g++ (Verilator's run-time)", cwd=folder, stop=stop)

    return cached_build("verilator-runtime", _runtime_key(trace), build)


def precompiled_headers() -> Path:
    """The path of a popcount.h with a precompiled form, of it and all of Verilator's headers that it includes."""

    def build(folder: Path) -> None:
        (folder / POPCOUNT.name).write_text(POPCOUNT.read_text())
        # g++ takes the one of the folder that was compiled with the same flags.
        (folder / f"{POPCOUNT.name}.gch").mkdir()
        commands = [
            [compiler(), *flags(level, False), "-x", "c++-header", POPCOUNT.name, "-o", f"{POPCOUNT.name}.gch/{name}"]
            for name, level in (("fast", FAST), ("slow", SLOW))
        ]
        run_all(commands, limit=BUILD_LIMIT_SECONDS, what="g++ (Verilator's headers)", cwd=folder)

    return cached_build("verilator-headers", content_key(key_text(), str(root())), build) / POPCOUNT.name


def _first_header(trace: bool) -> Path:
    """popcount.h, precompiled unless this is the first build of all, which has enough to do."""
    first = not (cache_root() / "verilator-runtime" / _runtime_key(trace)).exists()
    return POPCOUNT if first or trace else precompiled_headers()


def _bins(sources: Sequence[Path]) -> list[list[Path]]:
    """`sources` in groups of about the same size: one if there is little to do, else one for each processor."""
    total = sum(source.stat().st_size for source in sources)
    count = min(os.cpu_count() or 1, len(sources), 1 + total // SMALL_BYTES)
    groups: list[list[Path]] = [[] for _ in range(count)]
    sizes = [0] * count
    for source in sorted(sources, key=lambda path: (-path.stat().st_size, path.name)):
        smallest = sizes.index(min(sizes))
        groups[smallest].append(source)
        sizes[smallest] += source.stat().st_size
    return groups


def compile_model(folder: Path, translated: Sequence[Path], main: Path, trace: bool, program: str) -> None:
    """Compile what `verilator.verilate` made below `folder` and the C++ file `main` to the executable `folder/program`.

    Reading Verilator's headers takes longer than compiling a small file, so the files are included into as few as keep
    the processors busy. Its "slow" files run once, at start, and are compiled without optimization. The first build
    of all compiles the run-time at the same time.
    """
    gxx = compiler()
    header = _first_header(trace)
    slow = [path for path in translated if path.stem.endswith("__Slow") or path.stem.endswith("__Syms")]
    fast = [path for path in translated if path not in slow]
    units = [("slow", slow, SLOW), *((f"fast{i}", group, FAST) for i, group in enumerate(_bins([*fast, main])))]
    commands = []
    for name, group, level in units:
        paths = [header, *(path.relative_to(folder) if path != main else main for path in group)]
        (folder / f"{name}_unit.cpp").write_text("".join(f'#include "{path}"\n' for path in paths))
        commands.append([gxx, *flags(level, trace), "-I.", "-Icpp", "-c", f"{name}_unit.cpp", "-o", f"{name}.o"])
    stop = threading.Event()
    with ThreadPoolExecutor(max_workers=1) as pool:
        try:
            shared = pool.submit(runtime, trace, stop)
            run_all(commands, limit=BUILD_LIMIT_SECONDS, what="g++", cwd=folder)
            objects = [*(f"{name}.o" for name, _, _ in units), *map(str, sorted(shared.result().glob("*.o")))]
        except BaseException:
            stop.set()
            raise
    link = [gxx, "-o", program, *objects, "-pthread"]
    run_all([link], limit=BUILD_LIMIT_SECONDS, what="g++ (link)", cwd=folder)
