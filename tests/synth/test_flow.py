import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from bitwright.cache import cache_root
from bitwright.errors import DoesNotFitError, InputError, SynthesisError, ToolMissingError
from bitwright.hw.sources import VerilogSources
from bitwright.synth import SynthReport, synthesize, synthesize_sources, yosys
from bitwright.synth.devices import find_device
from bitwright.synth.netlist import map_design
from bitwright.synth.nextpnr import REPORT, prepare_nextpnr, run_nextpnr
from bitwright.synth.process import Deadline
from tests.synth.designs import adder, counter, inverter


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BITWRIGHT_CACHE", str(tmp_path / "Bälge cache"))
    return tmp_path / "Bälge cache"


def test_ecp5_out_of_context() -> None:
    found = synthesize_sources(counter(), "ecp5-25k")
    assert found.pins == "out-of-context"
    assert 0 < found.luts <= found.utilisation["LUT"].used
    assert found.ffs == found.utilisation["FF"].used
    assert 10 + 16 + 5 + 1 + 1 <= found.ffs <= 40  # address, x, sum, two valids, and up to 7 more in the sum
    assert found.brams == found.utilisation["BRAM"].used == 1
    assert found.dsps == 0
    assert found.fmax_mhz is not None
    assert 40 < found.fmax_mhz < 500
    assert found.critical_path is not None
    delay = found.critical_path.logic_ns + found.critical_path.routing_ns
    assert delay == pytest.approx(1000 / found.fmax_mhz, abs=0.1)
    assert any("out of context" in note for note in found.notes)
    assert found.utilisation["LUT"].available == find_device("ecp5-25k").luts


def test_ice40_with_and_without_the_serial_shell() -> None:
    direct = synthesize_sources(counter(), "ice40-up5k")
    wrapped = synthesize_sources(counter(), "ice40-up5k", pins="wrap")
    assert (direct.pins, wrapped.pins) == ("direct", "wrap")
    assert direct.utilisation["IO"].used == 30
    assert wrapped.utilisation["IO"].used == 4
    assert wrapped.utilisation["LC"].used > direct.utilisation["LC"].used + 2 * 19 + 2 * 10 - 1
    for name in ("luts", "ffs", "brams", "dsps"):  # the design's own figures leave the shell out
        assert getattr(wrapped, name) == getattr(direct, name)
    assert wrapped.fmax_mhz is not None
    assert any("serial shell of" in note for note in wrapped.notes)


def test_more_ports_than_pins_wrap_by_themselves() -> None:
    found = synthesize_sources(inverter(20), "ice40-up5k")
    assert found.pins == "wrap"
    assert found.utilisation["IO"].used == 4
    assert found.fmax_mhz is not None
    with pytest.raises(DoesNotFitError, match="does not fit ice40-up5k: needs 41 pins, it has 39"):
        synthesize_sources(inverter(20), "ice40-up5k", pins="direct")


def test_xilinx_gives_utilisation_and_no_clock() -> None:
    found = synthesize_sources(counter(), "xc7z020")
    assert found.fmax_mhz is None
    assert found.clock_mhz is None
    assert found.pins == "none"
    assert "nextpnr" not in found.tools
    assert 0 < found.luts == found.utilisation["LUT"].used
    assert found.brams == 1
    assert any("Yosys utilisation only" in note for note in found.notes)


def test_the_report_reads_and_serialises() -> None:
    found = synthesize_sources(counter(), "ecp5-25k")
    text = str(found)
    for word in ("count on ecp5-25k", "24288", "slowest", "yosys 0.70", "seed 1"):
        assert word in text
    document = json.loads(json.dumps(found.to_dict()))
    assert document["fmax_mhz"] == found.fmax_mhz
    assert document["utilisation"]["LUT"] == {"used": found.utilisation["LUT"].used, "available": 24288}


def test_the_fabric_follows_the_device() -> None:
    asked = []

    class Design:
        def verilog(self, fabric: str = "generic") -> VerilogSources:
            asked.append(fabric)
            return counter()

    found: SynthReport = synthesize(Design(), "xilinx-7")
    assert asked == ["lut6"]
    assert found.device == "xc7z020"


def test_a_seed_gives_the_same_placement_again_and_another_seed_another(tmp_path: Path) -> None:
    device, deadline = find_device("ice40-hx8k"), Deadline(300)
    netlist = map_design(counter(), device, False, deadline)
    reports = []
    for folder, seed in (("a", "1"), ("b ü", "1"), ("c", "2")):
        place = tmp_path / folder
        place.mkdir()
        shutil.copyfile(netlist.folder / "netlist.json", place / "netlist.json")
        options = [*device.nextpnr, "--seed", seed, "--freq", "100"]
        run_nextpnr("ice40", options, place, prepare_nextpnr("ice40", deadline), deadline)
        reports.append((place / REPORT).read_text())
    assert reports[0] == reports[1]
    assert reports[0] != reports[2]


def test_a_second_run_answers_from_the_cache(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device = find_device("ice40-hx8k")
    first = map_design(adder(), device, False, Deadline(300))
    monkeypatch.setattr("bitwright.synth.netlist.run_yosys", lambda *_: pytest.fail("Yosys ran again"))
    assert map_design(adder(), device, False, Deadline(300)) == first


def test_what_nextpnr_finds_too_large_is_told_with_its_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bitwright.synth.flow.find_device", lambda name: replace(find_device(name), pins=1000))
    with pytest.raises(DoesNotFitError, match="does not fit ice40-up5k: needs 41 pins, it has 39"):
        synthesize_sources(inverter(20), "ice40-up5k", pins="direct")


def test_too_many_registers_are_told_before_place_and_route(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bitwright.synth.flow.run_nextpnr", lambda *_: pytest.fail("nextpnr ran"))
    monkeypatch.setattr("bitwright.synth.flow.find_device", lambda name: replace(find_device(name), luts=39))
    with pytest.raises(DoesNotFitError, match="needs 40 logic cells, it has 39; choose a larger device") as caught:
        synthesize_sources(inverter(20), "ice40-up5k")
    assert (caught.value.device, caught.value.used, caught.value.available) == ("ice40-up5k", 40, 39)


def test_a_syntax_error_gives_yosys_own_line_and_leaves_nothing(empty_cache: Path) -> None:
    bad = VerilogSources("broken", {"broken.v": "module broken(input clk;\nendmodule\n"})
    with pytest.raises(SynthesisError, match=r"Yosys failed: broken\.v:1: ERROR: syntax error") as caught:
        synthesize_sources(bad, "ecp5-25k")
    assert "\n" not in str(caught.value)
    assert [path for path in empty_cache.rglob("*") if path.is_dir() and path.parent.name == "netlists"] == []


def test_a_missing_memory_file_is_named() -> None:
    source = counter()
    with pytest.raises(SynthesisError, match=r"Can not open file `words\.mem`"):
        synthesize_sources(VerilogSources(source.top, source.sources), "ecp5-25k")


def test_out_of_time(empty_cache: Path) -> None:
    with pytest.raises(SynthesisError, match=r"Yosys did not finish within timeout_s=0\.05; allow more time"):
        synthesize_sources(counter(), "ecp5-25k", timeout_s=0.05)
    assert [path for path in empty_cache.rglob("*") if path.is_dir() and path.parent.name == "netlists"] == []


def test_without_yosys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yosys.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ToolMissingError, match="run pip install pyosys=="):
        synthesize_sources(counter(), "ecp5-25k")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"device": "ecp5-99k"}, "unknown device 'ecp5-99k'.* known: ecp5-25k"),
        ({"clock_mhz": 0}, "clock_mhz must be above 0, not 0"),
        ({"seed": -1}, "seed must not be negative, not -1"),
        ({"timeout_s": 0}, "timeout_s must be above 0, not 0"),
        ({"pins": "all"}, "unknown pins 'all'; choose one of auto, direct, wrap, out-of-context"),
        ({"device": "ice40-up5k", "pins": "out-of-context"}, "is not possible on ice40-up5k; use pins='wrap'"),
    ],
)
def test_bad_arguments(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        synthesize_sources(adder(), **{"device": "ecp5-25k", **arguments})  # type: ignore[arg-type]


def test_file_names_that_are_no_names() -> None:
    with pytest.raises(InputError, match="cannot be a Verilog file name"):
        synthesize_sources(VerilogSources("adder", {"../adder.v": ""}), "ecp5-25k")


def test_placements_are_kept_without_their_netlist() -> None:
    synthesize_sources(counter(), "ecp5-25k")
    kept = {path.name for path in (cache_root() / "placements").glob("[!.]*/*")}
    assert kept == {REPORT, "nextpnr.log"}
