"""doctor tells what is missing and what mends it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bitwright.cli import health
from tests.cli.conftest import Run


def test_all_is_well_here(run: Run) -> None:
    outcome = run("doctor", "--json")
    assert outcome.code == 0
    assert outcome.json["ok"]
    names = {check["name"] for check in outcome.json["checks"]}
    assert {"Python", "g++", "make", "perl", "verilator", "cocotb", "pyosys", "torch", "build cache"} <= names
    assert all(check["fix"] == "" for check in outcome.json["checks"])


def test_missing_programs_are_named_with_the_fix(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    outcome = run("doctor", "--json")
    assert outcome.code == 1
    missing = {check["name"]: check["fix"] for check in outcome.json["checks"] if not check["ok"]}
    assert "apt install g++" in missing["g++"]
    assert set(missing) == {"g++", "make", "perl"}


def test_missing_and_other_packages_are_named_with_the_pin(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    found = health.importlib.metadata.version

    def version(name: str) -> str:
        if name == "cocotb":
            raise health.importlib.metadata.PackageNotFoundError(name)
        return "0.1" if name == "pyosys" else found(name)

    monkeypatch.setattr(health.importlib.metadata, "version", version)
    outcome = run("doctor", "--json")
    assert outcome.code == 1
    missing = {check["name"]: check for check in outcome.json["checks"] if not check["ok"]}
    assert missing["cocotb"]["fix"] == "pip install cocotb==2.1.0"
    assert missing["pyosys"]["fix"] == "pip install pyosys==0.70"
    assert set(missing) == {"cocotb", "pyosys"}


def test_a_cache_that_cannot_be_written(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BITWRIGHT_CACHE", str(tmp_path / "file" / "cache"))
    outcome = run("doctor")
    assert outcome.code == 1
    assert "set BITWRIGHT_CACHE" in outcome.out
