"""simulate(): real accelerators under Verilator and CXXRTL, waves, deadlocks, bad input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bitwright.errors import DeadlockError, InputError, OutputError, SimulationError
from bitwright.graph.random import random_values
from bitwright.sim import Stalls, simulate
from tests.sim.accelerators import as_tuple, random_accelerator
from tests.sim.handmade import Handmade

FRAMES = 9
SEED = 41


def accelerator():
    return random_accelerator(SEED, max_width=12)


def frames(design, count: int = FRAMES) -> np.ndarray:
    return random_values(design.network.input_spec, count, SEED)


@pytest.mark.parametrize("stalls", [None, Stalls(5, 1.0, 2.0)], ids=["no stalls", "stalls"])
def test_two_simulators_agree_to_the_cycle(stalls: Stalls | None) -> None:
    design = accelerator()
    x = frames(design)
    verilator = simulate(design, x, stalls)
    cxxrtl = simulate(design, x, stalls, simulator="cxxrtl")
    for mine, other, right in zip(
        as_tuple(verilator.outputs), as_tuple(cxxrtl.outputs), as_tuple(design.network.run(x)), strict=True
    ):
        assert np.array_equal(mine, right)
        assert np.array_equal(other, right)
    assert np.array_equal(verilator.input_cycles, cxxrtl.input_cycles)
    for mine, other in zip(as_tuple(verilator.output_cycles), as_tuple(cxxrtl.output_cycles), strict=True):
        assert np.array_equal(mine, other)
    assert verilator.cycles == cxxrtl.cycles


def test_no_frames() -> None:
    design = accelerator()
    result = simulate(design, frames(design)[:0])
    assert result.cycles == 0
    assert all(len(values) == 0 for values in as_tuple(result.outputs))


def test_wave_shows_the_streams(tmp_path: Path) -> None:
    design = accelerator()
    x = frames(design, 2)
    path = tmp_path / "a wave.vcd"
    result = simulate(design, x, wave=path)
    assert result.cycles == simulate(design, x).cycles
    text = path.read_text()
    assert "$timescale 1ns" in text
    for name in ("aclk", "s_axis_tvalid", f"{design.stages[0].name}__payload"):
        assert f" {name} " in text
    last = max(int(line[1:]) for line in text.splitlines() if line.startswith("#"))
    assert last == 10 * (result.cycles + 4) - 5


def test_deadlock_names_the_stage_that_does_not_take() -> None:
    design = Handmade(ready="1'b0")
    with pytest.raises(DeadlockError, match="'total' does not take the beat that stage 'scale' offers") as caught:
        simulate(design.accelerator(), design.frames(4))
    assert caught.value.stage == "total"


def test_deadlock_names_the_stage_that_gives_too_little() -> None:
    # The last stage thinks that frames are one beat longer.
    design = Handmade().changed("totalled == 5 - 1", "totalled == 6 - 1")
    with pytest.raises(DeadlockError, match="gave 3 of 4") as caught:
        simulate(design.accelerator(), design.frames(4))
    assert caught.value.stage == "total"


def test_max_cycles() -> None:
    design = accelerator()
    with pytest.raises(SimulationError, match="max_cycles = 10 cycles"):
        simulate(design, frames(design), max_cycles=10)


def test_bad_frames() -> None:
    design = accelerator()
    with pytest.raises(InputError, match="shape"):
        simulate(design, np.zeros((3, 1000), dtype=np.int8))
    with pytest.raises(InputError, match="integers"):
        simulate(design, frames(design).astype(np.float32))


def test_unknown_simulator() -> None:
    design = accelerator()
    with pytest.raises(InputError, match="use 'verilator' or 'cxxrtl'"):
        simulate(design, frames(design), simulator="modelsim")  # type: ignore[arg-type]


def test_waves_only_as_vcd_from_verilator(tmp_path: Path) -> None:
    design = accelerator()
    with pytest.raises(InputError, match=r"wave\.vcd"):
        simulate(design, frames(design), wave=tmp_path / "wave.fst")
    with pytest.raises(InputError, match="Verilator"):
        simulate(design, frames(design), wave=tmp_path / "wave.vcd", simulator="cxxrtl")
    with pytest.raises(OutputError, match="cannot write"):
        simulate(design, frames(design), wave=tmp_path / "missing" / "wave.vcd")
