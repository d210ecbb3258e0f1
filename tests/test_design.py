"""The facade: every method of `Design` calls the folder that does the work, and `build` takes any form of folding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import bitwright as bw
from bitwright import design
from bitwright.design import default_target
from bitwright.graph.random import random_mlp, random_values
from bitwright.graph.random_cnn import random_cnn
from tests.cli.conftest import small_network

FOLDING = {"fc0": {"pe": 2, "simd": 4}, "fc1": {"pe": 1, "simd": 8}}


def _frames(count: int) -> np.ndarray:
    return random_values(small_network().input_spec, count, 4)


@pytest.mark.parametrize(
    "folding",
    [FOLDING, bw.Folding.from_json('{"fc0": {"pe": 2, "simd": 4}, "fc1": {"pe": 1, "simd": 8}}')],
    ids=["mapping", "Folding"],
)
def test_build_takes_a_folding_in_either_form(folding: bw.Folding) -> None:
    design = bw.build(small_network(), folding)
    assert {name: {"pe": one.pe, "simd": one.simd} for name, one in design.folding.items()} == FOLDING
    assert design.cycles(frames=5).interval == 12


def test_a_folding_is_searched_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BITWRIGHT_CACHE", str(tmp_path))
    searched = []
    search = design.fold_within
    monkeypatch.setattr(design, "fold_within", lambda *given, **goal: searched.append(goal) or search(*given, **goal))
    network = random_cnn(4)
    goals = [{"target_cycles": 2000}, {"target_fps": 30_000.0}, {"target_cycles": 2000, "device": "ecp5-25k"}, {}]
    first = [bw.fold(network, **goal) for goal in goals]
    assert [bw.fold(network, **goal) for goal in goals] == first
    assert first[0] == search(network, target_cycles=2000)
    assert len(searched) == len(goals)
    bw.fold(random_cnn(5), **goals[0])
    assert len(searched) == len(goals) + 1
    for _ in range(2):
        with pytest.raises(bw.FoldingError, match="raise target_cycles"):
            bw.fold(network, target_cycles=1)


def test_build_chooses_a_folding_that_meets_its_default_target() -> None:
    networks = [random_mlp(seed) for seed in range(20)] + [random_cnn(seed, max_size=10) for seed in range(8)]
    for network in networks:
        design = bw.build(network)
        assert design.cycles(frames=20).interval <= default_target(network)


@pytest.mark.parametrize(
    ("folding", "error", "message"),
    [
        ({"fc0": {"pe": 3, "simd": 4}, "fc1": {"pe": 1, "simd": 8}}, bw.FoldingError, "PE 3 does not divide 8"),
        ({"fc0": {"pe": 2, "simd": 4}}, bw.FoldingError, "'fc1' has no PE and SIMD"),
        ({"fc0": {"pe": 2}, "fc1": {"pe": 1, "simd": 8}}, bw.FoldingError, "pe"),
        ({"fc0": 3, "fc1": {"pe": 1, "simd": 8}}, bw.FoldingError, "pe"),
        ([2, 4], bw.InputError, "not list"),
    ],
)
def test_a_folding_that_makes_no_sense_is_refused(folding: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        bw.build(small_network(), folding)  # type: ignore[arg-type]


def test_simulation_cycles_and_proof_agree() -> None:
    design, x = bw.build(small_network(), FOLDING), _frames(30)
    stalls = bw.Stalls(seed=2, input_gap=0.5, output_gap=0.5)
    result = design.verify(design.network, x, stalls=stalls)
    assert np.array_equal(result.outputs, design.network.run(x))
    assert np.array_equal(result.output_cycles, design.cycles(frames=30, stalls=stalls).output_cycles)
    assert np.array_equal(design.simulate(x, simulator="cxxrtl").outputs, result.outputs)


def test_verify_names_the_place_of_a_wrong_reference() -> None:
    design, x = bw.build(small_network(), FOLDING), _frames(30)
    wrong = design.network.run(x).copy()
    wrong[7, 2] += 2
    with pytest.raises(bw.MismatchError) as caught:
        design.verify(wrong, x)  # type: ignore[arg-type]
    assert (caught.value.frame, caught.value.layer, caught.value.channel) == (7, "fc1", 2)
    assert caught.value.count == 1


def test_energy_takes_measured_cycles_when_frames_are_given() -> None:
    design, x = bw.build(small_network(), FOLDING), _frames(10)
    assert design.energy().cycles_per_frame == design.cycles(frames=5).interval
    assert design.energy(x).cycles_per_frame == design.simulate(x).cycles / 10


def test_write_replaces_its_own_result_only(tmp_path: Path) -> None:
    design = bw.build(small_network(), FOLDING)
    folder = design.write(tmp_path / "Ein Entwurf – 設計")
    first = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert design.write(folder) == folder
    assert {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == first
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "data.txt").write_text("")
    with pytest.raises(bw.OutputError, match="choose a new or empty folder"):
        design.write(tmp_path / "mine")
    with pytest.raises(bw.InputError, match="unknown fabric"):
        design.write(tmp_path / "velvet", fabric="velvet")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["Ein Entwurf – 設計", "mine"]


def test_synthesis_reports_the_device() -> None:
    report = bw.build(small_network(), FOLDING).synthesize("xilinx-7")
    assert report.luts > 0
    assert report.ffs > 0
    assert report.fmax_mhz is None


def test_resources_say_before_synthesis_what_it_finds() -> None:
    design = bw.build(small_network(), FOLDING)
    for device in ("ecp5-85k", "ice40-hx8k"):
        found, report = design.resources(device), design.synthesize(device)
        assert (found.brams, found.dsps) == (report.brams, report.dsps)
        assert abs(found.luts / report.luts - 1) < 0.25
    with pytest.raises(bw.InputError, match="unknown device 'ecp6'"):
        design.resources("ecp6")


def test_fold_for_a_device_is_the_fastest_within_its_lookup_tables() -> None:
    network = small_network()
    small, large = (bw.build(network, bw.fold(network, device=name)) for name in ("ice40-up5k", "ecp5-85k"))
    assert large.cycles(frames=10).interval <= small.cycles(frames=10).interval
    with pytest.raises(bw.InputError, match="unknown device 'ecp6'"):
        bw.fold(network, device="ecp6")
