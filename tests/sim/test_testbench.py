"""The stand-alone testbench, run as its user runs it: make, cocotb and a simulator, nothing of bitwright."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bitwright.errors import OutputError
from bitwright.graph.network import Golden
from bitwright.graph.types import IntType
from bitwright.hw import Accelerator
from bitwright.sim import testbench
from bitwright.sim.testbench import golden_frames
from tests.sim.accelerators import as_tuple, random_accelerator

SIMULATORS = ["verilator", *(["icarus"] if shutil.which("iverilog") else [])]


def _accelerator() -> Accelerator:
    return random_accelerator(
        11,
        max_width=6,
        max_layers=2,
        weight_types=[IntType.signed_bits(3)],
        activation_types=[IntType.unsigned(3)],
        binary=0.0,
        extras=False,
    )


def _make(folder: Path, simulator: str, seed: int = 1) -> subprocess.CompletedProcess[str]:
    """Run the testbench with an environment that knows of Python's programs and the system's, and nothing else."""
    environment = {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "HOME": str(folder),
        "TMPDIR": str(folder.parents[1]),
        "BENCH_SEED": str(seed),
    }
    return subprocess.run(
        ["make", "-j2", f"SIM={simulator}"],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=500,
    )


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_it_runs_and_fails_when_it_should(simulator: str, tmp_path: Path) -> None:
    accelerator = _accelerator()
    folder = tmp_path / ("design" if simulator == "verilator" else "a désign")
    folder.mkdir()
    sources = accelerator.verilog()
    sources.write(folder)
    place = testbench.write(accelerator, folder)

    done = _make(place, simulator)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "TESTS=6 PASS=6 FAIL=0" in done.stdout

    vectors = json.loads((place / "vectors.json").read_text())
    beat = vectors["outputs"][0]["frames"][-1][-1]
    vectors["outputs"][0]["frames"][-1][-1] = f"{int(beat, 16) ^ 1:0{len(beat)}x}"
    text = (place / "vectors.json").read_text()
    (place / "vectors.json").write_text(json.dumps(vectors))
    done = _make(place, simulator)
    assert done.returncode != 0
    assert re.search(r"frame \d+, m_axis element \d+: expected -?\d+, got -?\d+", done.stdout)

    vectors = json.loads(text)
    vectors["outputs"][0]["cycles"][-1] += 1
    (place / "vectors.json").write_text(json.dumps(vectors))
    done = _make(place, simulator)
    assert done.returncode != 0
    assert "TESTS=6 PASS=5 FAIL=1" in done.stdout
    (place / "vectors.json").write_text(text)

    name = f"{accelerator.name}.v"
    wrong, changes = re.subn(r"(assign m_axis_tlast = )(.*);", r"\1~(\2);", sources.sources[name])
    assert changes == 1
    (folder / name).write_text(wrong)
    done = _make(place, simulator)
    assert done.returncode != 0
    assert "tlast is" in done.stdout
    (folder / name).write_text(sources.sources[name])

    name, image = next((name, image) for name, image in sources.memories.items() if "weights" in name)
    (folder / name).write_text("\n".join(f"{line[:-1]}{int(line[-1], 16) ^ 1:x}" for line in image.split()) + "\n")
    done = _make(place, simulator, seed=2)
    assert done.returncode != 0
    assert "PASS=6" not in done.stdout


def test_the_bench_needs_cocotb_and_the_standard_library_only() -> None:
    tree = ast.parse(testbench.BENCH.read_text())
    modules = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert modules - set(sys.stdlib_module_names) == {"cocotb"}


def test_golden_frames_are_those_of_pytorch_where_there_are_any() -> None:
    network = _accelerator().network
    inputs, outputs = golden_frames(network, 5)
    assert len(inputs) == 5
    assert all(map(np.array_equal, outputs, as_tuple(network.run(inputs))))
    recorded = replace(network, golden=Golden(inputs[1:4], tuple(values[1:4] for values in outputs)))
    for wanted, found in ((5, 3), (2, 2)):
        kept, answers = golden_frames(recorded, wanted)
        assert np.array_equal(kept, inputs[1 : 1 + found])
        assert all(map(np.array_equal, answers, (values[1 : 1 + found] for values in outputs)))


def test_the_files_are_the_same_each_time(tmp_path: Path) -> None:
    texts = []
    for name in ("a", "b"):
        folder = tmp_path / name
        folder.mkdir()
        place = testbench.write(_accelerator(), folder)
        texts.append({path.name: path.read_bytes() for path in place.iterdir()})
    assert texts[0] == texts[1]
    assert set(texts[0]) == {"Makefile", "cocotb_bench.py", "ports.vlt", "vectors.json"}


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot write"):
        testbench.write(_accelerator(), tmp_path / "nowhere")
