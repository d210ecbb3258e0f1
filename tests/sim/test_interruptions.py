"""Builds and runs that are interrupted, killed, or started twice at once; tools that are missing."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bitwright.cache import cache_root
from bitwright.errors import SimulationError, ToolMissingError
from bitwright.sim import bulk, verilator
from bitwright.sim.process import beside, run_all, run_program
from tests.sim.handmade import Handmade

BUILD = """
from bitwright.sim import bulk
from tests.sim.handmade import Handmade
design = Handmade()
print(bulk.build_verilator(design.sources, design.interface).program, flush=True)
"""

ENDLESS_RUN = """
from bitwright.sim import bulk
from tests.sim.handmade import Handmade
design = Handmade()
simulator = bulk.build_verilator(design.sources, design.interface)
drive = bulk.Drive(design.input.pack(design.frames(1)), (2,), quiet_cycles=1 << 60)
print("running", flush=True)
bulk.run(simulator, drive, design.sources.memories)
"""


@pytest.fixture
def fresh_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A build cache that holds what all builds share and nothing else."""
    bulk.build_verilator(Handmade().sources, Handmade().interface)
    folder = tmp_path / "cache"
    for shared in cache_root().glob("verilator-*"):
        shutil.copytree(shared, folder / shared.name)
    monkeypatch.setenv("BITWRIGHT_CACHE", str(folder))
    return folder


def python(code: str) -> subprocess.Popen[str]:
    root = Path(__file__).parents[2]
    return subprocess.Popen(
        [sys.executable, "-c", code], cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def wait_until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def descendants(pid: int) -> list[int]:
    """The processes started by `pid`, their own included."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] != "Z":
                parents[int(entry.name)] = int(fields[1])
    found = [pid]
    for parent in found:
        found += [child for child, its_parent in parents.items() if its_parent == parent]
    return found[1:]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def works() -> bool:
    design = Handmade()
    x = design.frames(5)
    simulator = bulk.build_verilator(design.sources, design.interface)
    result = bulk.run(simulator, bulk.Drive(design.input.pack(x), (5,)), design.sources.memories)
    return np.array_equal(design.output.unpack(result.outputs[0], 5), design.run(x))


def test_ctrl_c_stops_a_run_and_its_simulator() -> None:
    process = python(ENDLESS_RUN)
    assert process.stdout is not None
    assert process.stdout.readline() == "running\n"
    wait_until(lambda: bool(descendants(process.pid)))
    simulators = descendants(process.pid)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert "KeyboardInterrupt" in stderr
    wait_until(lambda: not any(alive(pid) for pid in simulators))


def test_a_simulator_does_not_outlive_a_killed_caller() -> None:
    process = python(ENDLESS_RUN)
    assert process.stdout is not None
    assert process.stdout.readline() == "running\n"
    wait_until(lambda: any("simulator" in Path(f"/proc/{pid}/cmdline").read_text() for pid in descendants(process.pid)))
    time.sleep(0.2)
    simulators = descendants(process.pid)
    process.kill()
    process.communicate(timeout=60)
    wait_until(lambda: not any(alive(pid) for pid in simulators))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=["kill -9", "Ctrl-C"])
def test_a_build_after_one_that_was_interrupted(fresh_cache: Path, how: signal.Signals) -> None:
    process = python(BUILD)
    wait_until(lambda: bool(list(fresh_cache.glob("verilator/.*.build-*/*_unit.cpp"))))
    process.send_signal(how)
    process.communicate(timeout=60)
    assert process.returncode != 0
    assert not list(fresh_cache.glob("verilator/*/simulator"))
    assert works()
    assert len(list(fresh_cache.glob("verilator/*/simulator"))) == 1
    assert not list(fresh_cache.glob("verilator/.*.build-*"))


def test_two_builds_at_once(fresh_cache: Path) -> None:
    one, other = python(BUILD), python(BUILD)
    answers = {process.communicate(timeout=300)[0] for process in (one, other)}
    assert (one.returncode, other.returncode) == (0, 0)
    assert len(answers) == 1
    assert works()


def test_a_tool_that_hangs_is_stopped_with_its_children() -> None:
    before = descendants(os.getpid())
    with pytest.raises(SimulationError, match=r"the tool was stopped at its limit of 0\.5 s"):
        run_program(["sh", "-c", "sleep 600 & sleep 600"], limit=0.5, what="the tool")
    assert set(descendants(os.getpid())) <= set(before)


def test_one_failure_stops_the_others(tmp_path: Path) -> None:
    before = descendants(os.getpid())
    with pytest.raises(SimulationError, match="both failed: error: no"):
        run_all([["sleep", "600"], ["sh", "-c", "echo error: no; exit 1"]], limit=600, what="both", cwd=tmp_path)
    assert set(descendants(os.getpid())) <= set(before)


@pytest.mark.parametrize("count", [1, 2])
def test_what_runs_beside_is_stopped_by_an_error(tmp_path: Path, count: int) -> None:
    before = descendants(os.getpid())
    sleep = ["sleep", "600"]

    def work() -> None:
        if count == 1:
            run_program(sleep, limit=600, what="the sleep")
        else:
            run_all([sleep] * count, limit=600, what="the sleep", cwd=tmp_path)

    def fail() -> None:
        with beside(work):
            wait_until(lambda: len(descendants(os.getpid())) >= len(before) + count)
            raise ValueError("first")

    with pytest.raises(ValueError, match="first"):
        fail()
    assert set(descendants(os.getpid())) <= set(before)


def test_what_runs_beside_gives_its_result_or_its_error() -> None:
    with beside(lambda: 3) as three, beside(lambda: 1 // 0) as nothing:
        assert three.result() == 3
        with pytest.raises(ZeroDivisionError):
            nothing.result()


@pytest.mark.parametrize("missing", ["perl", "make", "g++"])
def test_missing_tools_are_named_with_the_fix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    for name in {"perl", "make", "g++"} - {missing}:
        (tmp_path / name).symlink_to("/bin/true")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissingError, match=f"apt install {missing}".replace("+", r"\+")):
        verilator.environment()


def test_environment_for_programs_that_call_verilator() -> None:
    found = verilator.environment()
    assert Path(found["VERILATOR_ROOT"], "bin", "verilator_bin").exists()
    words = subprocess.run(["verilator", "--version"], env={**os.environ, **found}, capture_output=True, text=True)
    assert words.returncode == 0
    assert "CFG_CXXFLAGS_PCH_I=-include" in found["MAKEFLAGS"]
