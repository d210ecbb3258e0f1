"""The HTML report: one file that needs nothing from elsewhere."""

from __future__ import annotations

import html
from collections.abc import Sequence

from bitwright.report.entry import Entry
from bitwright.report.plots import cycles_by_layer, energy_by_layer, trade_off
from bitwright.report.table import html_table, notes

CSS = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 1100px; margin: 2em auto; padding: 0 1em; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 2em; border-bottom: 1px solid #ddd; }
table { border-collapse: collapse; font-size: 13px; } th, td { padding: .3em .7em; border-bottom: 1px solid #ddd; }
th { text-align: left; vertical-align: bottom; background: #f4f4f4; } td { text-align: right; }
td:first-child { text-align: left; font-weight: 600; } .wide { overflow-x: auto; }
.plots { display: flex; flex-wrap: wrap; gap: 1.5em; } .plots svg, figure svg { max-width: 100%; height: auto; }
figure { margin: 1em 0; } figcaption { color: #555; font-size: 13px; } .note { color: #555; font-size: 13px; }
"""


def _figure(svg: str, caption: str) -> str:
    return f"<figure>{svg}<figcaption>{html.escape(caption)}</figcaption></figure>" if svg else ""


def _layers(entry: Entry) -> str:
    kinds = list(dict.fromkeys(kind for layer in entry.layers for kind in layer.energy_pj))
    headings = ("layer", "kind", "cycles", "MACs", *(f"{kind}, pJ" for kind in kinds))
    head = "".join(f"<th>{html.escape(heading)}</th>" for heading in headings)
    rows = []
    for layer in entry.layers:
        energies = "".join(f"<td>{layer.energy_pj.get(kind, 0.0):,.1f}</td>" for kind in kinds)
        rows.append(
            f"<tr><td>{html.escape(layer.name)}</td><td>{html.escape(layer.kind)}</td>"
            f"<td>{layer.cycles:,}</td><td>{layer.macs:,}</td>{energies}</tr>\n"
        )
    return f"<div class='wide'><table><thead><tr>{head}</tr></thead><tbody>\n{''.join(rows)}</tbody></table></div>\n"


def _links(entry: Entry) -> str:
    links = [f'<a href="{html.escape(path)}">{html.escape(title)}</a>' for title, path in entry.files.items()]
    return f"<p>Files: {', '.join(links)}</p>\n" if links else ""


def _section(entry: Entry, index: int) -> str:
    claim = (
        f"RTL and PyTorch gave the same integers on {entry.proved:,} frames."
        if entry.proved
        else "RTL and PyTorch were not compared in this run."
    )
    parts = [
        f"<h2>{html.escape(entry.name)}</h2>\n<p>{html.escape(entry.network)}; {entry.weight_bits:,} weight bits, "
        f"{entry.macs:,} multiply-accumulates a frame. {claim}</p>\n",
        _links(entry),
        _figure(entry.drawing, "The integer network."),
    ]
    if entry.layers:
        energy = entry.energy_pj is not None
        parts += [
            "<div class='plots'>\n",
            _figure(cycles_by_layer(entry, f"cycles{index}"), "Cycles a frame by layer (exact cycle model)."),
            _figure(energy_by_layer(entry, f"energy{index}"), "Energy a frame by layer.") if energy else "",
            "</div>\n",
            _layers(entry),
        ]
    return "".join(parts)


def page(title: str, entries: Sequence[Entry], versions: dict[str, str]) -> str:
    """The whole report as one HTML text: table, plots, and a section a design; inline CSS and SVG, no script."""
    plots = [
        _figure(trade_off(entries, field, label, f"trade-{field}"), f"Accuracy against {label}.")
        for field, label in (("luts", "LUT"), ("energy_pj", "energy, pJ a frame"), ("weight_bits", "weight bits"))
    ]
    remarks = "".join(f"<li>{html.escape(note)}</li>\n" for note in notes(entries))
    made = ", ".join(f"{html.escape(name)} {html.escape(version)}" for name, version in versions.items())
    sections = "".join(_section(entry, index) for index, entry in enumerate(entries))
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)}</title>
<style>{CSS}</style>
</head>
<body>
<h1>{html.escape(title)}</h1>
<div class='wide'>{html_table(entries)}</div>
<ul class="note">
{remarks}</ul>
<div class='plots'>
{"".join(plots)}
</div>
{sections}
<p class="note">Made by {made}.</p>
</body>
</html>
"""
