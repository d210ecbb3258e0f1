"""The set-up of `make`: names what is missing, and survives being interrupted. pip and venv are stand-ins here."""

from __future__ import annotations

import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ("bash", "dirname", "mkdir", "touch", "rm", "grep", "cat", "chmod", "flock", "env", "make")
PYTHON = """#!/usr/bin/env bash
# Stands in for Python: knows its version, makes an environment, and a pip that fails while `broken` is there.
if [ "$1" = -c ]; then exit "${OLD:-0}"; fi
if [ "$1" = --version ]; then echo "Python 3.99.0"; exit 0; fi
if [ "$2" = venv ]; then mkdir -p .venv/bin; cat "$0" > .venv/bin/python; chmod +x .venv/bin/python; exit 0; fi
echo "$*" >> installed.log
[ ! -e broken ]
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout in a path with a space, with only the set-up in it."""
    folder = tmp_path / "check out"
    (folder / ".ci").mkdir(parents=True)
    for name in (".ci/setup", "Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder of programs: a few of the system's, and stand-ins for g++, perl and Python."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for name in TOOLS:
        found = shutil.which(name)
        if found:
            (folder / name).symlink_to(found)
    for name, text in {"g++": "#!/usr/bin/env bash\n", "perl": "#!/usr/bin/env bash\n", "python3": PYTHON}.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return folder


def _make(checkout: Path, programs: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": str(programs), "HOME": "", **variables}
    make = shutil.which("make")
    assert make is not None
    return subprocess.run([make, "setup"], cwd=checkout, env=environment, capture_output=True, text=True)


def test_set_up_happens_once_and_torch_comes_first_by_its_pin(checkout: Path, programs: Path) -> None:
    assert _make(checkout, programs).returncode == 0
    installed = (checkout / "installed.log").read_text().splitlines()
    assert len(installed) == 2
    assert installed[0].endswith(" torch==2.13.0")
    assert installed[1].endswith("--editable .[dev,peers]")
    assert all("--constraint requirements.lock" in line for line in installed)
    assert _make(checkout, programs).returncode == 0
    assert len((checkout / "installed.log").read_text().splitlines()) == 2


def test_an_interrupted_set_up_starts_anew(checkout: Path, programs: Path) -> None:
    (checkout / "broken").touch()
    first = _make(checkout, programs)
    assert first.returncode != 0
    assert "pip could not install PyTorch" in first.stderr
    (checkout / ".venv" / "half-installed").touch()
    (checkout / "broken").unlink()
    assert _make(checkout, programs).returncode == 0
    assert not (checkout / ".venv" / "half-installed").exists()
    assert (checkout / ".venv" / ".ready").exists()
    assert not (checkout / ".venv" / ".unfinished").exists()


@pytest.mark.parametrize("name", ["g++", "perl"])
def test_a_missing_program_is_named_with_the_fix(checkout: Path, programs: Path, name: str) -> None:
    (programs / name).unlink()
    done = _make(checkout, programs)
    assert done.returncode != 0
    assert f"bitwright set-up: {name} was not found; install it (Debian: apt install make perl g++" in done.stderr
    assert not (checkout / ".venv").exists()


def test_a_python_that_is_too_old_is_named_with_the_fix(checkout: Path, programs: Path) -> None:
    done = _make(checkout, programs, OLD="1")
    assert done.returncode != 0
    assert "Python 3.11 or newer with venv was not found" in done.stderr


def test_the_lock_pins_every_requirement_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    wanted = [*project["dependencies"], *(line for extra in extras for line in extra)]
    lock = dict(line.split("==") for line in (ROOT / "requirements.lock").read_text().split())
    for requirement in map(Requirement, wanted):
        assert lock[requirement.name] in requirement.specifier, requirement
