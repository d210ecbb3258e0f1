"""Commands on ONNX files, and the conversion between file formats."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from bitwright import write_qonnx
from bitwright.graph import Network
from bitwright.graph.random import random_values
from tests.cli.conftest import Run, small_network


@pytest.fixture
def onnx_file(tmp_path: Path) -> Path:
    return write_qonnx(small_network(), tmp_path / "small net – ü.onnx")


def test_compile_takes_an_onnx_file(run: Run, onnx_file: Path, tmp_path: Path) -> None:
    outcome = run("compile", onnx_file, "-o", tmp_path / "out", "--target-cycles", "8", "--json")
    assert outcome.code == 0, outcome.err
    written = Network.load(tmp_path / "out" / "network.bwn")
    x = random_values(written.input_spec, 50, 3)
    assert np.array_equal(written.run(x), small_network().run(x))
    assert {one.kind for one in written.operations} == {"Linear", "Threshold"}


def test_energy_takes_an_onnx_file(run: Run, onnx_file: Path) -> None:
    outcome = run("energy", onnx_file, "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.json["total_pj"] > 0


def test_convert_there_and_back(run: Run, network_file: Path, tmp_path: Path) -> None:
    there, back = tmp_path / "net.onnx", tmp_path / "net.bwn"
    outcome = run("convert", network_file, there, "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.json["file"] == str(there)
    assert outcome.json["digest"] == small_network().digest
    assert run("convert", there, back).code == 0
    x = random_values(small_network().input_spec, 50, 4)
    assert np.array_equal(Network.load(back).run(x), small_network().run(x))


def test_convert_refuses_other_endings(run: Run, network_file: Path, tmp_path: Path) -> None:
    outcome = run("convert", network_file, tmp_path / "net.txt")
    assert outcome.code == 2
    assert "ends in neither .bwn nor .onnx" in outcome.err
    assert not (tmp_path / "net.txt").exists()


def _open_graph(path: Path) -> Path:
    """x (batch, open) times weights, then a Softmax; the input is real and nobody quantizes it."""
    weights = onnx.numpy_helper.from_array(np.eye(3, dtype=np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"]), helper.make_node("Softmax", ["y"], ["p"])],
        "open",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", "features"])],
        [helper.make_tensor_value_info("p", TensorProto.FLOAT, ["batch", 3])],
        initializer=[weights],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


def test_convert_fills_in_what_the_file_leaves_open(run: Run, tmp_path: Path) -> None:
    source, target = _open_graph(tmp_path / "open.onnx"), tmp_path / "net.bwn"
    words = ["--input-shape", "3", "--input-type", "uint4", "--drop-softmax"]
    outcome = run("convert", source, target, *words)
    assert outcome.code == 0, outcome.err
    assert str(Network.load(target).input_spec) == "uint4[3]"
    for missing, message in (
        (words[2:], "give input_shape"),
        ([*words[:2], words[4]], "give input_type"),
        (words[:4], "drop_softmax=True"),
        (["--input-shape", "3;4"], "--input-shape must be"),
        (["--input-type", "real"], "no integer type"),
    ):
        outcome = run("convert", source, target, *missing)
        assert outcome.code == 2
        assert message in outcome.err


def test_compile_fills_in_what_the_file_leaves_open(run: Run, tmp_path: Path) -> None:
    source, out = _open_graph(tmp_path / "open.onnx"), tmp_path / "out"
    words = ["--input-shape", "3", "--input-type", "uint4", "--drop-softmax"]
    outcome = run("compile", source, "-o", out, *words[2:])
    assert outcome.code == 2
    assert "give input_shape" in outcome.err
    assert not out.exists()
    outcome = run("compile", source, "-o", out, *words)
    assert outcome.code == 0, outcome.err
    assert (out / "manifest.json").exists()


def test_what_an_onnx_file_leaves_open_is_no_matter_of_other_files(run: Run, tmp_path: Path) -> None:
    source, network = _open_graph(tmp_path / "open.onnx"), tmp_path / "net.bwn"
    run("convert", source, network, "--input-shape", "3", "--input-type", "uint4", "--drop-softmax")
    outcome = run("compile", network, "-o", tmp_path / "out", "--input-shape", "3")
    assert outcome.code == 2
    assert "are for .onnx files" in outcome.err


def test_a_broken_onnx_file_is_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"nothing of the sort")
    outcome = run("compile", tmp_path / "broken.onnx", "-o", tmp_path / "out", "--json")
    assert outcome.code == 2
    assert outcome.json["error"] == "NetworkFormatError"
    assert len(outcome.json["message"].splitlines()) == 1
