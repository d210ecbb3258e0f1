"""Small C++ kernels, compiled once by g++ for this machine's processor and kept in the build cache."""

from __future__ import annotations

import ctypes
import functools
import platform
import shutil
import subprocess
from pathlib import Path

from bitwright.cache import cached_build, content_key
from bitwright.errors import SimulationError, ToolMissingError

FLAGS = ("-O3", "-march=native", "-std=c++17", "-shared", "-fPIC", "-Wall", "-Wextra")


@functools.cache
def processor() -> str:
    """What `-march=native` depends on: machine type and, where the system tells them, the processor's features."""
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.exists():
        return platform.machine() + platform.processor()
    lines = cpuinfo.read_text(errors="replace").splitlines()
    return platform.machine() + "".join(
        next((line for line in lines if line.startswith(field)), "") for field in ("model name", "flags")
    )


def compiler() -> str:
    """The path of g++. Raises ToolMissingError when there is none."""
    found = shutil.which("g++")
    if found is None:
        raise ToolMissingError("g++ was not found; install a C++ compiler (Debian: apt install g++)")
    return found


def kernel_text(source: Path) -> str:
    """The C++ file `source` and the headers of its folder, which it may include."""
    return "".join(path.read_text() for path in (source, *sorted(source.parent.glob("*.h"))))


@functools.cache
def load_kernel(source: Path) -> ctypes.CDLL:
    """Compile the C++ file `source` (with C linkage) to a shared library, once, and load it.

    It may include headers of its own folder.
    """
    text = kernel_text(source)
    gxx = compiler()

    def build(folder: Path) -> None:
        command = [gxx, *FLAGS, "-o", str(folder / "kernel.so"), str(source)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise SimulationError(f"g++ could not compile {source.name}: {done.stderr.strip().splitlines()[-1]}")

    folder = cached_build("kernels", content_key(text, processor(), " ".join(FLAGS)), build)
    return ctypes.CDLL(str(folder / "kernel.so"))
