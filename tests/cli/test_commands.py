"""Each command on a small network: what it prints, writes and refuses."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from bitwright.graph import IntType, Network, Permute, TensorSpec
from bitwright.graph.random import random_values
from tests.cli.conftest import Run, small_network

FOLDING = {"fc0": {"pe": 2, "simd": 4}, "fc1": {"pe": 1, "simd": 8}}


@pytest.fixture
def folding_file(tmp_path: Path) -> Path:
    path = tmp_path / "folding.json"
    path.write_text(json.dumps(FOLDING))
    return path


def test_compile_writes_a_whole_folder(run: Run, network_file: Path, folding_file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "größe 1" / "out"
    outcome = run("compile", network_file, "-o", folder, "--folding", folding_file, "--json")
    assert outcome.code == 0, outcome.err
    manifest = json.loads((folder / "manifest.json").read_text())
    assert outcome.json == {"folder": str(folder), **manifest}
    assert manifest["folding"] == FOLDING
    assert manifest["cycles"]["interval"] == 12
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert names == {"manifest.json", *manifest["files"]}
    for name, digest in manifest["files"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    assert {"small.v", "network.bwn", "testbench/vectors.json"} <= names
    assert [port["name"] for port in manifest["ports"]] == ["s_axis", "m_axis"]
    loaded, expected = Network.load(folder / "network.bwn"), small_network()
    x = random_values(expected.input_spec, 50, 3)
    assert np.array_equal(loaded.run(x), expected.run(x))


def test_compile_for_a_device_tells_what_it_is_expected_to_take(run: Run, network_file: Path, tmp_path: Path) -> None:
    arguments = ("compile", network_file, "-o", tmp_path / "out", "--device", "ecp5-85k")
    found = run(*arguments, "--json").json["estimate"]
    assert found["device"] == "ecp5-85k"
    assert sum(stage["luts"] for stage in found["stages"]) == found["luts"] > 0
    last = run(*arguments).out.splitlines()[-1]
    assert last.startswith(f"about {found['luts']:,} LUTs, {found['brams']} block RAMs")
    assert last.endswith(" DSP blocks on ecp5-85k")


def test_compile_twice_gives_the_same_bytes(run: Run, network_file: Path, tmp_path: Path) -> None:
    manifests = []
    for _ in range(2):
        assert run("compile", network_file, "-o", tmp_path / "out", "--target-cycles", "8").code == 0
        manifests.append((tmp_path / "out" / "manifest.json").read_text())
    assert manifests[0] == manifests[1]


def test_compile_keeps_foreign_folders(run: Run, network_file: Path, tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "notes.txt").write_text("mine")
    outcome = run("compile", network_file, "-o", tmp_path / "notes")
    assert outcome.code == 2
    assert "choose a new or empty folder" in outcome.err
    assert [path.name for path in (tmp_path / "notes").iterdir()] == ["notes.txt"]


def test_compile_for_frames_a_second(run: Run, network_file: Path, tmp_path: Path) -> None:
    words = ("compile", network_file, "-o", tmp_path / "out", "--target-fps", "1e7", "--clock-mhz", "100", "--json")
    outcome = run(*words)
    assert outcome.code == 0, outcome.err
    assert outcome.json["cycles"]["interval"] <= 10


def test_simulate_gives_the_networks_integers(run: Run, network_file: Path, frames_file: Path, tmp_path: Path) -> None:
    common = ("--input", frames_file, "--target-cycles", "12", "--json")
    plain = run("simulate", network_file, *common, "-o", tmp_path / "y.npy", "--wave", tmp_path / "w.vcd")
    assert plain.code == 0, plain.err
    expected = small_network().run(np.load(frames_file))
    assert np.array_equal(np.load(tmp_path / "y.npy"), expected)
    assert (tmp_path / "w.vcd").read_text().startswith("$")
    assert plain.json["frames"] == 10
    assert plain.json["accuracy"] is None
    stalled = run("simulate", network_file, *common, "--stalls", "7", "-o", tmp_path / "z.npy")
    assert np.array_equal(np.load(tmp_path / "z.npy"), expected)
    assert stalled.json["cycles"] > plain.json["cycles"]


def test_verify_a_network_file(run: Run, network_file: Path, frames_file: Path) -> None:
    outcome = run("verify", network_file, "--input", frames_file, "--target-cycles", "12", "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.json == {
        "network": "small", "equal": True, "frames": 10, "against": "the integer network", "data": str(frames_file),
    }  # fmt: skip


def test_energy_and_its_parts_agree(run: Run, network_file: Path) -> None:
    outcome = run("energy", network_file, "--target-cycles", "12", "--json")
    assert outcome.code == 0, outcome.err
    assert sum(layer["total_pj"] for layer in outcome.json["layers"]) == outcome.json["total_pj"] > 0
    assert any("not known" in note for note in outcome.json["notes"])
    assert "pJ a frame" in run("energy", network_file, "--target-cycles", "12").out


def test_synth_tells_luts_and_clock(run: Run, network_file: Path) -> None:
    outcome = run("synth", network_file, "--device", "ice40-up5k", "--target-cycles", "12", "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.json["device"] == "ice40-up5k"
    assert outcome.json["luts"] > 0
    assert outcome.json["fmax_mhz"] > 0


def test_compare_and_report_hold_every_design(run: Run, network_file: Path, tmp_path: Path) -> None:
    networks = (network_file, network_file)
    outcome = run("compare", *networks, "--no-simulate", "--target-cycles", "12", "--json")
    assert outcome.code == 0, outcome.err
    assert [design["network"] for design in outcome.json["designs"]] == ["12-8-4", "12-8-4"]
    assert outcome.json["designs"][0]["interval"] <= 12
    assert "frames/s at 100 MHz" in run("compare", network_file, "--no-simulate", "--target-cycles", "12").out
    page = tmp_path / "page.html"
    words = ("report", *networks, "--no-simulate", "--target-cycles", "12", "-o", page, "--title", "Two <designs>")
    assert run(*words).code == 0
    assert "Two &lt;designs&gt;" in page.read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("compile", "{net}", "-o", "out", "--target-cycles", "0"), "target_cycles must be at least 1"),
        (("compile", "{net}", "-o", "out", "--target-fps", "1e12"), "less than one cycle a frame"),
        (("compile", "{net}", "-o", "out", "--target-cycles", "4", "--target-fps", "9"), "exclude each other"),
        (("compile", "{net}", "-o", "out", "--folding", "{missing}"), "check the path"),
        (("compile", "{net}", "-o", "out", "--folding", "{net}"), "folding"),
        (("compile", "{net}", "-o", "out", "--fabric", "velvet"), "unknown fabric 'velvet'"),
        (("compile", "{pickle}", "-o", "out"), "pickle"),
        (("compile", "{pickle}.safetensors", "-o", "out"), "pickle"),
        (("compile", "{net}", "-o", "{net}/out"), "choose a folder that can be written"),
        (("compile", "tfc-w9a9", "-o", "out"), "unknown precision 'w9a9'"),
        (("compile", "resnet-w1a1", "-o", "out"), "no checkpoint resnet-w1a1 is shipped"),
        (("simulate", "{net}"), "give frames by --input"),
        (("simulate", "{net}", "--input", "{pickle}"), "write one by numpy.save"),
        (("simulate", "{net}", "--input", "{frames}", "--simulator", "xsim"), "unknown simulator 'xsim'"),
        (("energy", "{net}", "-t", "steam"), "steam"),
        (("synth", "{net}", "-d", "zx81"), "zx81"),
        (("train", "tfc", "w1a1", "--epochs", "0"), "epochs >= 1"),
        (("train", "vgg", "w1a1"), "unknown network 'vgg'"),
        (("train", "tfc", "w1a1", "--mnist", "{missing}"), "is not a folder"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_bad_input_is_one_line_that_names_the_fix(
    run: Run,
    network_file: Path,
    frames_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("model", "model.safetensors"):
        (tmp_path / name).write_bytes(b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00.")
    before = sorted(tmp_path.rglob("*"))
    places = {"net": network_file, "frames": frames_file, "pickle": tmp_path / "model", "missing": tmp_path / "missing"}
    outcome = run(*(word.format(**places) for word in words))
    assert outcome.code == 2
    assert outcome.out == ""
    *progress, line = outcome.err.splitlines()
    assert line.startswith("bitwright: error: ")
    assert message in line
    assert not any("Traceback" in other for other in progress)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_design_that_does_not_fit(run: Run, tmp_path: Path) -> None:
    mirror = Permute(name="mirror", inputs=("x",), output="y", order=np.arange(150)[::-1])
    Network("wide", "x", TensorSpec((150,), IntType.unsigned(8)), (mirror,), ("y",)).save(tmp_path / "wide.bwn")
    (tmp_path / "wide.json").write_text('{"mirror": {"pe": 150, "simd": 150}}')
    common = ("--device", "ice40-up5k", "--folding", tmp_path / "wide.json", "--json")
    outcome = run("synth", tmp_path / "wide.bwn", *common)
    assert outcome.code == 1
    assert outcome.json["error"] == "DoesNotFitError"
    assert "ice40-up5k" in outcome.json["message"]
    assert "choose a larger device" in outcome.json["message"]


def test_a_missing_compiler_is_named(
    run: Run, network_file: Path, frames_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("BITWRIGHT_CACHE", str(tmp_path / "cache"))
    outcome = run("simulate", network_file, "--input", frames_file)
    assert outcome.code == 2
    assert "apt install" in outcome.err.splitlines()[-1]


def test_train_writes_a_checkpoint_that_other_commands_take(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    trained = run("train", "digits", "w1a1", "--epochs", "2", "-o", "mine.safetensors", "--json")
    assert trained.code == 0, trained.err
    assert trained.json["epochs"] == 2
    assert 0.1 < trained.json["test_accuracy"] <= 1
    assert [path.name for path in tmp_path.iterdir()] == ["mine.safetensors"]
    again = run("train", "digits", "w1a1", "--epochs", "2", "-o", "again.safetensors", "--json")
    assert again.json["test_accuracy"] == trained.json["test_accuracy"]
    proved = run("verify", "mine.safetensors", "--frames", "50", "--target-cycles", "16", "--json")
    assert proved.code == 0, proved.err
    assert proved.json["against"] == "PyTorch"
    simulated = run("simulate", "mine.safetensors", "--target-cycles", "16", "--json")
    assert simulated.json["accuracy"] == trained.json["test_accuracy"]
