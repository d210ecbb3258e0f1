"""The comparison table and the HTML report, from made-up figures."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

from bitwright.report import Entry, LayerEntry, html_table, markdown_table, notes, page, rich_table
from bitwright.report.table import DASH

LAYERS = (
    LayerEntry("fc<0>", "Linear", 64, 50176, {"arithmetic": 100.0, "memory": 250.5}),
    LayerEntry("fc1", "Linear", 32, 4096, {"arithmetic": 10.0, "registers": 1.25}),
)
FULL = Entry(
    name="tfc w1a1",
    network="784-64-10 & more",
    data="MNIST, 1,000 images",
    clock_mhz=100.0,
    latency=260,
    interval=64,
    frames=1000,
    accuracy=0.9375,
    proved=1000,
    device="ecp5-85k",
    luts=12345,
    ffs=678,
    brams=9,
    dsps=0,
    fmax_mhz=123.45,
    energy_pj=361.75,
    technology="45nm",
    weight_bits=54272,
    macs=54272,
    layers=LAYERS,
    drawing='<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"></svg>',
    files={"Verilog": "tfc-w1a1/tfc.v", "waveform": "tfc-w1a1/wave.vcd"},
)
BARE = Entry(name="tfc int8", network="784-64-10", data="MNIST, 1,000 images", clock_mhz=100.0, latency=9, interval=4)


class _Page(HTMLParser):
    """Collects open tags and every address the page refers to."""

    VOID = frozenset({"meta", "br", "hr", "img", "link", "input"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.tags: set[str] = set()
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "xlink:href", "data", "action"):
                self.addresses.append(value or "")
            if name == "id":
                self.ids.append(value or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def _parsed(entries: list[Entry]) -> tuple[str, _Page]:
    text = page("Three <networks>", entries, {"bitwright": "0.1.0"})
    parser = _Page()
    parser.feed(text)
    assert parser.open == []
    return text, parser


def test_frames_per_second_follow_from_interval_and_clock() -> None:
    assert FULL.frames_per_second == 1_562_500


def test_json_holds_every_figure_and_no_drawing() -> None:
    document = json.loads(json.dumps(FULL.as_json()))
    assert document["luts"] == 12345
    assert document["frames_per_second"] == 1_562_500
    assert document["layers"][0]["energy_pj"] == {"arithmetic": 100.0, "memory": 250.5}
    assert "drawing" not in document


def test_table_has_a_figure_or_a_dash_in_every_cell() -> None:
    lines = markdown_table([FULL, BARE]).splitlines()
    assert len(lines) == 4
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert cells[2] == [
        "tfc w1a1", "93.8", "1,000 frames", "260", "64", "1,562,500", "12,345", "678", "9", "0", "123.5",
        "1,928,906", "0.362",
    ]  # fmt: skip
    assert cells[3][1:3] == [DASH, DASH]
    assert cells[3][6:] == [DASH] * 7
    assert cells[0][5] == "frames/s at 100 MHz"
    assert rich_table([FULL, BARE]).row_count == 2
    assert "<td>12,345</td>" in html_table([FULL])


def test_notes_name_the_data_and_say_that_the_energy_error_is_unknown() -> None:
    text = "\n".join(notes([FULL, BARE]))
    assert text.count("MNIST, 1,000 images") == 1
    assert "error of this estimate is not known" in text
    assert "ecp5-85k" in text
    assert "Slower than the stated clock" not in text
    assert "Slower than the stated clock on that device: tfc w1a1" in "\n".join(notes([replace(FULL, fmax_mhz=99.9)]))
    assert "energy" not in "\n".join(notes([BARE])).lower()


def test_page_is_whole_and_needs_nothing_from_elsewhere() -> None:
    text, parser = _parsed([FULL, BARE])
    assert parser.tags.isdisjoint({"script", "link", "img", "iframe", "object", "embed"})
    outside = [address for address in parser.addresses if not address.startswith("#")]
    assert outside == ["tfc-w1a1/tfc.v", "tfc-w1a1/wave.vcd"]
    assert not re.search(r"url\((?!#)|@import", text)
    assert len(parser.ids) == len(set(parser.ids))
    local = {address[1:] for address in parser.addresses if address.startswith("#")}
    local |= set(re.findall(r"url\(#([^)]+)\)", text))
    assert local <= set(parser.ids)


def test_page_escapes_names_and_says_what_was_not_proved() -> None:
    text, _ = _parsed([FULL, BARE])
    assert "<networks>" not in text
    assert "fc<0>" not in text
    assert "784-64-10 &amp; more" in text
    assert "same integers on 1,000 frames" in text
    assert "were not compared in this run" in text
    assert "error of this estimate is not known" in text


def test_page_is_the_same_for_the_same_figures() -> None:
    assert _parsed([FULL, BARE])[0] == _parsed([FULL, BARE])[0]


def test_the_readmes_table_has_the_demos_columns() -> None:
    readme = (Path(__file__).resolve().parents[2] / "README.md").read_text()
    headings = next(line for line in markdown_table([FULL]).splitlines())
    assert headings in readme.splitlines()
    assert sum(line.startswith("| tfc-") for line in readme.splitlines()) == 3
