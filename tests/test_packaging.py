"""The wheel holds the whole package, installs into a fresh environment, and works outside the checkout."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ("pyproject.toml", "README.md", "LICENSE")


def _run(*command: str | Path, cwd: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([str(word) for word in command], cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in SOURCES:
        shutil.copy(ROOT / name, source / name)
    shutil.copytree(ROOT / "bitwright", source / "bitwright", ignore=shutil.ignore_patterns("__pycache__"))
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "wheel")
    _run(*pip, "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", folder, source, cwd=folder)
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that has the wheel, and this one's packages by a path file."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    interpreter = folder / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--python", interpreter, "install")
    _run(*pip, "--no-deps", "--no-index", wheel, cwd=folder)
    purelib = _run(interpreter, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip()
    (Path(purelib) / "packages.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return interpreter


def test_wheel_holds_every_file_of_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
        metadata = archive.read(next(name for name in archive.namelist() if name.endswith("/METADATA"))).decode()
        licences = [name for name in archive.namelist() if name.endswith("LICENSE")]
    files = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "bitwright").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert packed == files
    assert "License-Expression: Apache-2.0" in metadata
    assert len(licences) == 1


def test_installed_command_works_outside_the_checkout(python: Path, tmp_path: Path) -> None:
    command = python.parent / "bitwright"
    assert _run(command, "--version", cwd=tmp_path).startswith("bitwright ")
    report = json.loads(_run(command, "doctor", "--json", cwd=tmp_path))
    assert report["ok"]
    where = _run(python, "-c", "import bitwright; print(bitwright.__file__)", cwd=tmp_path).strip()
    assert Path(where).is_relative_to(python.parents[1])


def test_installed_package_proves_a_shipped_network_outside_the_checkout(python: Path, tmp_path: Path) -> None:
    command = python.parent / "bitwright"
    common = ("digits-w1a1", "--target-cycles", "32", "--json")
    manifest = json.loads(_run(command, "compile", *common, "-o", "out", cwd=tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == {"out"}
    assert manifest["cycles"]["interval"] <= 32
    assert json.loads(_run(command, "verify", *common, "--frames", "20", cwd=tmp_path))["against"] == "PyTorch"


def test_benchmarks_need_a_checkout_and_say_so(python: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [python.parent / "bitwright", "bench", "simulation"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "bitwright: error: benchmarks are not installed with the package; run this in a clone of the repository"
    ]
