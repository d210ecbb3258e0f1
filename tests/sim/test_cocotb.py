"""The cocotb benches over small accelerators, and what the runner makes of benches and designs that are wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bitwright.errors import InputError, SimulationError
from bitwright.graph.random import random_values
from bitwright.graph.types import BIPOLAR, IntType
from bitwright.hw import Accelerator, VerilogSources
from bitwright.sim import cycles
from bitwright.sim.cocotb_runner import BenchResult, ports_file, read_results, run_bench
from bitwright.sim.vectors import vectors_text
from tests.sim.accelerators import as_tuple, random_accelerator
from tests.sim.handmade import Handmade

BENCH = "bitwright.sim.cocotb_bench"
TESTS = {
    "frames_back_to_back",
    "frame_by_frame",
    "random_stalls_of_the_source",
    "random_stalls_of_the_sink",
    "random_stalls_on_both_sides",
    "reset_in_mid_frame",
}


def _vectors(accelerator: Accelerator, frames: int, folder: Path) -> dict[str, str]:
    x = random_values(accelerator.network.input_spec, frames, seed=2)
    expected = as_tuple(accelerator.network.run(x))
    timing = as_tuple(cycles(accelerator, frames).output_cycles)
    path = folder / "vectors.json"
    path.write_text(vectors_text(accelerator.input, accelerator.outputs, x, expected, timing))
    return {"BENCH_VECTORS": str(path)}


@pytest.mark.parametrize(
    ("seed", "arguments"),
    [
        (3, {"binary": 1.0, "max_width": 10}),
        (
            8,
            {
                "binary": 0.0,
                "max_width": 8,
                "weight_types": [IntType.signed_bits(4)],
                "activation_types": [IntType.unsigned(4), IntType.signed_bits(3)],
            },
        ),
    ],
    ids=["bipolar", "multi-bit"],
)
def test_accelerators_pass_the_bench(seed: int, arguments: dict[str, object], tmp_path: Path) -> None:
    accelerator = random_accelerator(seed, **arguments)
    assert (accelerator.input.spec.dtype == BIPOLAR) == (arguments["binary"] == 1.0)
    result = run_bench(accelerator.verilog(), BENCH, environment=_vectors(accelerator, 6, tmp_path))
    result.check()
    assert set(result.passed) == TESTS


def _handmade(folder: Path, design: Handmade, change: int = 0) -> dict[str, str]:
    x = design.frames(3)
    y = design.run(x)
    y[1] += change
    path = folder / "vectors with ä space.json"
    path.write_text(vectors_text(design.input, [design.output], x, [y]))
    return {"BENCH_VECTORS": str(path)}


def test_wrong_vectors_fail_every_test_that_meets_them(tmp_path: Path) -> None:
    design = Handmade()
    result = run_bench(design.sources, BENCH, environment=_handmade(tmp_path, design, change=4))
    y = design.run(design.frames(3))[1]
    assert set(result.failed) >= TESTS - {"reset_in_mid_frame"}
    assert result.failed["frame_by_frame"] == f"frame 1, m_axis element 0: expected {y + 4}, got {y}"
    with pytest.raises(SimulationError, match=r"cocotb test frames_back_to_back failed: frame 1, .* failed in all"):
        result.check()


FAULTS = {
    "drops a waiting beat": "random_stalls_of_the_sink",
    "forgets the end of a frame": "frame_by_frame",
    "keeps its place in reset": "reset_in_mid_frame",
    "takes beats that are not valid": "random_stalls_of_the_source",
    "is slower than it should be": "frames_back_to_back",
    "never answers": "frame_by_frame",
}
"""What the faulty design does wrong, and a test that must notice."""


def _faulty(fault: int) -> VerilogSources:
    """The handmade design with the n-th of FAULTS (0: none). Which one is read from a memory: one build serves all."""
    edits = {
        "pop(m_axis_tvalid & m_axis_tready)": "pop(m_axis_tvalid & (m_axis_tready | fault[0] == 1))",
        "m_axis_tlast = 1'b1": "m_axis_tlast = fault[0] != 2",
        "begin position <= 0; totalled <= 0; end": "begin if (fault[0] != 3) position <= 0; totalled <= 0; end",
        "s_axis_tvalid & s_axis_tready": "(s_axis_tvalid | fault[0] == 4) & s_axis_tready",
        "scale__ready = total__room": "scale__ready = total__room & (fault[0] != 5 | odd) & fault[0] != 6",
    }
    extra = "reg odd; always @(posedge aclk) odd <= aresetn & ~odd;\n  reg [3:0] fault [0:0];\n"
    sources = Handmade(extra=extra).sources
    text = sources.sources["top.sv"]
    for before, after in edits.items():
        assert text.count(before) == 1
        text = text.replace(before, after)
    read = 'else $readmemh("weights.hex", weights);'
    text = text.replace(read, f'{read}\n    $readmemh({{path, "/fault.hex"}}, fault);')
    memories = {**sources.memories, "fault.hex": f"{fault:x}\n"}
    return VerilogSources("top", {**sources.sources, "top.sv": text}, memories)


def test_faults_in_the_verilog_are_caught(tmp_path: Path) -> None:
    design = Handmade()
    x = design.frames(3)
    path = tmp_path / "vectors.json"
    path.write_text(vectors_text(design.input, [design.output], x, [design.run(x)], [np.array([6, 11, 16])]))
    environment = {"BENCH_VECTORS": str(path)}
    run_bench(_faulty(0), BENCH, environment=environment).check()
    for number, (fault, test) in enumerate(FAULTS.items(), start=1):
        result = run_bench(_faulty(number), BENCH, environment=environment, tests=[test])
        assert set(result.failed) == {test}, fault
        assert result.passed == (), fault


def test_a_bench_that_does_not_import_is_a_failure(tmp_path: Path) -> None:
    sources = Handmade().sources
    with pytest.raises(SimulationError, match="No module named 'no_such_bench'"):
        run_bench(sources, "no_such_bench")
    (tmp_path / "empty_bench.py").write_text("import cocotb\n")
    with pytest.raises(SimulationError, match="No tests were discovered"):
        run_bench(sources, "empty_bench", search=[tmp_path])


def test_a_bench_that_hangs_is_stopped(tmp_path: Path) -> None:
    (tmp_path / "slow_bench.py").write_text(
        "import cocotb, time\n\n@cocotb.test()\nasync def sleeps(dut):\n    time.sleep(60)\n"
    )
    with pytest.raises(SimulationError, match="the cocotb bench was stopped at its limit of 2 s"):
        run_bench(Handmade().sources, "slow_bench", search=[tmp_path], limit=2)


def test_verilog_that_is_wrong_is_named() -> None:
    with pytest.raises(SimulationError, match=r"verilator failed: .*syntax error"):
        run_bench(VerilogSources("top", {"top.v": "module top(; endmodule"}), BENCH)


def test_results_are_read_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "results.xml"
    with pytest.raises(SimulationError, match="without results: RuntimeError: no"):
        read_results(path, "first\nRuntimeError: no\nlast\n")
    path.write_text(
        '<testsuites><testsuite><testcase name="a"/><testcase name="b"><failure error_msg="why"/></testcase>'
        "</testsuite></testsuites>"
    )
    assert read_results(path, "") == BenchResult(("a",), {"b": "why"})


def test_only_ports_are_public() -> None:
    assert "public_flat" in ports_file("net")
    assert '-module "net" -var "aclk"' in ports_file("net")


def test_vectors_must_fit() -> None:
    design = Handmade()
    x = design.frames(2)
    with pytest.raises(InputError, match="2 go in"):
        vectors_text(design.input, [design.output], x, [design.run(x)[:1]])
