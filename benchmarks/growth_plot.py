"""The plot of `benchmarks.growth`: seconds and memory over weights, and over PE x SIMD."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

LINES = {"compile_s": "buffers and Verilog", "simulator_s": "simulator"}
PANELS = {"weights": "weights, same hardware", "pe_simd": "PE x SIMD, same weights"}


def draw(figures: dict[str, Any], path: Path) -> None:
    """Write the plot as SVG."""
    with matplotlib.rc_context(
        {"svg.fonttype": "none", "svg.hashsalt": "growth", "axes.grid": True, "grid.alpha": 0.3}
    ):
        figure = Figure(figsize=(8, 5), layout="constrained")
        upper, lower = figure.subplots(2, 2, sharex="col", sharey="row")
        for seconds, memory, (key, label) in zip(upper, lower, PANELS.items(), strict=True):
            rows = figures[key]["figures"]
            sizes = [int(size) for size in rows]
            for part, name in LINES.items():
                seconds.plot(sizes, [row[part] for row in rows.values()], marker="o", label=name)
            memory.plot(sizes, [row["peak_mb"] for row in rows.values()], marker="o", color="tab:green")
            memory.set(xscale="log", xlabel=label)
        for panel, label, parts in ((upper[0], "seconds", LINES), (lower[0], "peak memory, MB", ("peak_mb",))):
            most = max(row[part] for key in PANELS for row in figures[key]["figures"].values() for part in parts)
            panel.set(ylabel=label, ylim=(0, 1.25 * most))
        upper[0].legend(frameon=False)
        figure.savefig(path, format="svg", metadata={"Date": None})
