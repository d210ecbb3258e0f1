"""The comparison table: one row a design, as text, Markdown or HTML."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bitwright.report.entry import Entry

if TYPE_CHECKING:
    from rich.table import Table

DASH = "–"


@dataclass(frozen=True)
class Column:
    """A heading and how a design's figure is written under it."""

    heading: str
    cell: Callable[[Entry], str]


def _number(value: float | None, digits: int = 0) -> str:
    return DASH if value is None else f"{value:,.{digits}f}"


def columns(entries: Sequence[Entry]) -> tuple[Column, ...]:
    """The table's columns; clock, device and technology stand in the headings when all designs share them."""
    clocks = sorted({entry.clock_mhz for entry in entries})
    clock = f"frames/s at {clocks[0]:g} MHz" if len(clocks) == 1 else "frames/s at its clock"
    return (
        Column("design", lambda entry: entry.name),
        Column("accuracy %", lambda entry: _number(None if entry.accuracy is None else 100 * entry.accuracy, 1)),
        Column("RTL = PyTorch", lambda entry: f"{entry.proved:,} frames" if entry.proved else DASH),
        Column("latency, cycles", lambda entry: _number(entry.latency)),
        Column("interval, cycles", lambda entry: _number(entry.interval)),
        Column(clock, lambda entry: _number(entry.frames_per_second)),
        Column("LUT", lambda entry: _number(entry.luts)),
        Column("FF", lambda entry: _number(entry.ffs)),
        Column("block RAM", lambda entry: _number(entry.brams)),
        Column("DSP", lambda entry: _number(entry.dsps)),
        Column("Fmax, MHz", lambda entry: _number(entry.fmax_mhz, 1)),
        Column("frames/s at Fmax", lambda entry: _number(entry.frames_per_second_at_fmax)),
        Column(
            "energy, nJ/frame",
            lambda entry: _number(None if entry.energy_pj is None else entry.energy_pj / 1000, 3),
        ),
    )


def cells(entries: Sequence[Entry]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """The headings, and the rows under them."""
    chosen = columns(entries)
    return tuple(c.heading for c in chosen), [tuple(c.cell(entry) for c in chosen) for entry in entries]


def notes(entries: Sequence[Entry]) -> list[str]:
    """What a reader must know to read the figures: data, device, technology, and what is not known."""
    lines = [f"Data: {text}." for text in dict.fromkeys(entry.data for entry in entries) if text]
    devices = sorted({entry.device for entry in entries if entry.device})
    if devices:
        lines.append(f"LUT, FF, block RAM, DSP and Fmax: {', '.join(devices)}, after place and route where it was run.")
    slow = [entry.name for entry in entries if entry.fmax_mhz is not None and entry.fmax_mhz < entry.clock_mhz]
    if slow:
        lines.append(f"Slower than the stated clock on that device: {', '.join(slow)}; see frames/s at Fmax.")
    technologies = sorted({entry.technology for entry in entries if entry.technology})
    if technologies:
        lines.append(
            f"Energy: {', '.join(technologies)}; operations counted in the built design times a technology table. "
            "The error of this estimate is not known yet: no wires, no clock tree, no measured switching."
        )
    return lines


def rich_table(entries: Sequence[Entry], title: str = "") -> Table:
    """The table for a terminal, with its notes as caption."""
    from rich.table import Table

    headings, rows = cells(entries)
    table = Table(title=title or None, caption="\n".join(notes(entries)), caption_justify="left")
    for index, heading in enumerate(headings):
        table.add_column(heading, justify="left" if index == 0 else "right")
    for row in rows:
        table.add_row(*row)
    return table


def markdown_table(entries: Sequence[Entry]) -> str:
    """The table in Markdown, without notes."""
    headings, rows = cells(entries)
    rule = ["---", *["---:"] * (len(headings) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in (headings, rule, *rows)) + "\n"


def html_table(entries: Sequence[Entry]) -> str:
    """The table in HTML, without notes."""
    headings, rows = cells(entries)
    head = "".join(f"<th>{html.escape(heading)}</th>" for heading in headings)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>\n" for row in rows)
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>\n"
