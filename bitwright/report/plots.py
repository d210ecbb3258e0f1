"""The report's plots, drawn by matplotlib as SVG text that stands inside an HTML page."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from contextlib import AbstractContextManager

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bitwright.report.entry import Entry

COLORS = ("#3465a4", "#e08a1e", "#4e9a06", "#a40000", "#75507b", "#555753", "#c4a000")


def _style(name: str) -> AbstractContextManager[None]:
    return matplotlib.rc_context(
        {
            "svg.fonttype": "none",
            "svg.hashsalt": name,
            "font.size": 10,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "grid.alpha": 0.3,
        }
    )


def _svg(figure: Figure, name: str) -> str:
    """The figure as an <svg> element; `name` keeps its ids apart from those of other figures on the page."""
    buffer = io.StringIO()
    with _style(name):
        figure.savefig(buffer, format="svg", bbox_inches="tight", metadata={"Date": None})
    text = buffer.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    names = set(re.findall(r'\bid="([^"]+)"', text))
    return re.sub(
        r'(\bid="|href="#|url\(#)([^")]+)',
        lambda found: f"{found[1]}{name}-{found[2]}" if found[2] in names else found[0],
        text,
    )


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    with _style(""):
        figure = Figure(figsize=(width, height))
        return figure, figure.add_subplot()


def energy_by_layer(entry: Entry, name: str) -> str:
    """Stacked bars: energy a frame of each layer, by kind of work."""
    kinds = list(dict.fromkeys(kind for layer in entry.layers for kind in layer.energy_pj))
    figure, axes = _figure(6, 0.4 * len(entry.layers) + 1)
    left = [0.0] * len(entry.layers)
    labels = [layer.name for layer in entry.layers]
    for kind, color in zip(kinds, COLORS * len(kinds), strict=False):
        widths = [layer.energy_pj.get(kind, 0.0) / 1000 for layer in entry.layers]
        axes.barh(labels, widths, left=left, label=kind, color=color)
        left = [a + b for a, b in zip(left, widths, strict=True)]
    axes.invert_yaxis()
    axes.set_xlabel("energy, nJ a frame")
    if kinds:
        axes.legend(frameon=False)
    return _svg(figure, name)


def cycles_by_layer(entry: Entry, name: str) -> str:
    """Bars: cycles a frame of each layer; the longest sets the interval."""
    figure, axes = _figure(6, 0.4 * len(entry.layers) + 1)
    axes.barh([layer.name for layer in entry.layers], [layer.cycles for layer in entry.layers], color=COLORS[0])
    axes.axvline(entry.interval, color=COLORS[3], linewidth=1, linestyle="--", label=f"interval {entry.interval:,}")
    axes.invert_yaxis()
    axes.set_xlabel("cycles a frame")
    axes.legend(frameon=False)
    return _svg(figure, name)


def trade_off(entries: Sequence[Entry], field: str, label: str, name: str) -> str:
    """Accuracy against one cost (a field of Entry), one point a design; empty when fewer than two have both."""
    points = [
        (float(cost), 100 * entry.accuracy, entry.name)
        for entry in entries
        if (cost := getattr(entry, field)) is not None and entry.accuracy is not None
    ]
    if len(points) < 2:
        return ""
    figure, axes = _figure(4.5, 3)
    for (cost, accuracy, text), color in zip(points, COLORS * len(points), strict=False):
        axes.plot([cost], [accuracy], "o", color=color)
        axes.annotate(text, (cost, accuracy), textcoords="offset points", xytext=(6, 4))
    costs = [cost for cost, _, _ in points]
    if max(costs) > 10 * min(costs) > 0:
        axes.set_xscale("log")
    axes.margins(0.25)
    axes.set_xlabel(label)
    axes.set_ylabel("accuracy, %")
    return _svg(figure, name)
