"""The bulk runner on a design written by hand: beats, cycle stamps, stalls, widths, limits, the build cache."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bitwright.cache import cache_root
from bitwright.errors import InputError, SimulationError
from bitwright.sim import bulk
from bitwright.sim.cycle_model import evaluate
from bitwright.sim.stalls import Stalls
from tests.sim.handmade import Handmade

BEATS = 5


def drive(design: Handmade, x: np.ndarray, **fields: object) -> bulk.Drive:
    return bulk.Drive(beats=design.input.pack(x), expected=(len(x),), **fields)


def run(design: Handmade, x: np.ndarray, **fields: object) -> bulk.BulkResult:
    simulator = bulk.build_verilator(design.sources, design.interface)
    return bulk.run(simulator, drive(design, x, **fields), design.sources.memories)


@pytest.mark.parametrize("lanes", [1, 3, 4, 9])
def test_values_at_every_width_of_port(lanes: int) -> None:
    design = Handmade(lanes=lanes, beats=BEATS)
    x = design.frames(50)
    result = run(design, x)
    assert result.status == bulk.DONE
    assert np.array_equal(design.output.unpack(result.outputs[0], 50), design.run(x))


def test_a_beat_a_cycle_and_every_stamp() -> None:
    design = Handmade(beats=BEATS)
    result = run(design, design.frames(20))
    assert np.array_equal(result.input_cycles, np.arange(20 * BEATS))
    assert np.array_equal(result.output_cycles[0], BEATS + 1 + BEATS * np.arange(20))
    assert result.cycles == result.output_cycles[0][-1] + 1


def test_gaps_before_input_beats() -> None:
    design = Handmade(beats=BEATS)
    gaps = np.random.default_rng(0).integers(0, 4, 20 * BEATS).astype(np.uint32)
    result = run(design, design.frames(20), gaps=gaps)
    assert np.array_equal(result.input_cycles, np.cumsum(gaps + np.uint32(1)) - 1)


def test_output_beats_only_move_in_ready_cycles() -> None:
    design = Handmade(beats=BEATS)
    x = design.frames(30)
    ready = np.random.default_rng(1).random(97) < 0.1
    result = run(design, x, ready=(ready,))
    assert ready[result.output_cycles[0] % 97].all()
    assert np.array_equal(design.output.unpack(result.outputs[0], 30), design.run(x))


@pytest.mark.parametrize(("input_gap", "output_gap"), [(0.0, 9.0), (2.0, 0.0), (1.0, 11.0)])
def test_stamps_under_stalls_are_those_of_the_cycle_model(input_gap: float, output_gap: float) -> None:
    design = Handmade(beats=BEATS)
    stalls = Stalls(7, input_gap, output_gap)
    gaps, ready = stalls.input_gaps(40 * BEATS), stalls.output_ready()
    result = run(design, design.frames(40), gaps=gaps, ready=(ready,))
    model = evaluate(design.timing, 40, gaps, [ready])
    assert np.array_equal(result.input_cycles, model.input_cycles)
    assert np.array_equal(result.output_cycles[0], model.output_cycles[0])


def test_weights_are_no_part_of_the_build() -> None:
    one, other = Handmade(seed=1), Handmade(seed=2)
    simulator = bulk.build_verilator(one.sources, one.interface)
    assert bulk.build_verilator(other.sources, other.interface) == simulator
    x = one.frames(10)
    for design in (one, other):
        result = bulk.run(simulator, drive(design, x), design.sources.memories)
        assert np.array_equal(design.output.unpack(result.outputs[0], 10), design.run(x))


def test_nothing_moves_any_more() -> None:
    design = Handmade(beats=BEATS)
    beats = design.input.pack(design.frames(3))
    simulator = bulk.build_verilator(design.sources, design.interface)
    incomplete = bulk.Drive(beats=beats[:-1], expected=(3,), quiet_cycles=1000)
    result = bulk.run(simulator, incomplete, design.sources.memories)
    assert (result.status, result.received) == (bulk.QUIET, 2)


def test_max_cycles() -> None:
    design = Handmade(beats=BEATS)
    result = run(design, design.frames(50), max_cycles=100)
    assert (result.status, result.cycles) == (bulk.OUT_OF_CYCLES, 100)
    assert result.received == np.count_nonzero(BEATS + 1 + BEATS * np.arange(50) < 100)


def test_beats_of_the_wrong_width() -> None:
    design = Handmade()
    simulator = bulk.build_verilator(design.sources, design.interface)
    wrong = replace(drive(design, design.frames(1)), beats=np.zeros((5, 3), dtype=np.uint8))
    with pytest.raises(InputError, match=r"shape \(beats, 4\)"):
        bulk.run(simulator, wrong, {})


def test_missing_memory_is_an_error() -> None:
    design = Handmade()
    simulator = bulk.build_verilator(design.sources, design.interface)
    with pytest.raises(SimulationError, match=r"weights\.hex"):
        bulk.run(simulator, drive(design, design.frames(1)), {})


def test_verilog_that_does_not_parse() -> None:
    design = Handmade(extra="  assign nothing = ;")
    with pytest.raises(SimulationError, match="syntax error"):
        bulk.build_verilator(design.sources, design.interface)


def test_a_loop_that_never_settles() -> None:
    loop = "wire turn = ~(turn & s_axis_tvalid); assign m_axis_tlast = turn"
    design = Handmade().changed("assign m_axis_tlast = 1'b1", loop)
    with pytest.raises(SimulationError, match="converge"):
        run(design, design.frames(1))


def test_a_simulator_that_hangs_is_stopped() -> None:
    # An odd number times 3 is never 0; what the compiler cannot know, it cannot leave out.
    loop = "n = 1; k = 0; while (n != 0) begin n = n * 3; k = k + n; end"
    endless = f"reg [31:0] n, k; always @(posedge aclk) begin {loop} end assign m_axis_tlast = k[7]"
    design = Handmade().changed("assign m_axis_tlast = 1'b1", endless)
    simulator = bulk.build_verilator(design.sources, design.interface)
    with pytest.raises(SimulationError, match="limit of 1 s"):
        bulk.run(simulator, drive(design, design.frames(1)), design.sources.memories, limit=1)


def test_cache_with_spaces_and_letters_beyond_ascii(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bulk.build_verilator(Handmade().sources, Handmade().interface)
    folder = tmp_path / "mein schöner Ordner 層"
    for shared in cache_root().glob("verilator-*"):
        shutil.copytree(shared, folder / shared.name)
    monkeypatch.setenv("BITWRIGHT_CACHE", str(folder))
    design = Handmade()
    x = design.frames(10)
    result = run(design, x)
    assert np.array_equal(design.output.unpack(result.outputs[0], 10), design.run(x))
    assert list((folder / "verilator").glob("*/simulator"))
