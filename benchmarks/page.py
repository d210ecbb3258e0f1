"""`python -m benchmarks.page` runs every benchmark and writes docs/benchmarks.md from the figures.

`--figures FILE` takes the JSON of an earlier `bitwright bench all --json` instead of running.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import (
    build,
    convolution,
    datapath,
    executor,
    growth,
    networks,
    placement,
    resources,
    simulation,
    startup,
)
from bitwright.native import compiler, processor

PAGE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"

HEAD = """\
# Benchmarks

Written by `python -m benchmarks.page`, each section in one run, all on one machine: {machine}.
Seconds and cycles a second belong to that machine; the ratios are what to compare. `bitwright bench NAME` runs one
alone, NAME being {names}.
"""


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, the first column left, the others right."""
    rule = ["---", *["---:"] * (len(headings) - 1)]
    return "".join("| " + " | ".join(row) + " |\n" for row in (headings, rule, *rows))


def _against(value: float, limit: float, least: bool) -> str:
    met = value >= limit if least else value <= limit
    return f"{'at least' if least else 'at most'} {limit:g}: {'met' if met else '**missed**'}"


def simulation_section(figures: dict[str, Any]) -> str:
    """Bulk runner beside the bare loop, cocotb and CXXRTL."""
    bare = figures["bare_cycles_per_s"]
    names = (("bare C++ loop", "bare"), ("bulk runner", "bulk"), ("CXXRTL, bulk runner", "cxxrtl"))
    names += (("cocotb, a Python step a cycle", "cocotb"), ("cocotb as its own runner builds it", "default_cocotb"))
    rows = [
        (title, f"{figures[f'{key}_cycles_per_s']:,.0f}", f"{figures[f'{key}_cycles_per_s'] / bare:.3f}")
        for title, key in names
    ]
    goals = [
        ("bulk runner / bare loop", f"{figures['bulk_vs_bare']:.2f}", _against(figures["bulk_vs_bare"], 0.8, True)),
        ("bulk runner / cocotb", f"{figures['bulk_vs_cocotb']:.1f}", _against(figures["bulk_vs_cocotb"], 50, True)),
        ("bulk runner / cocotb as its own runner builds it", f"{figures['bulk_vs_default_cocotb']:.0f}", ""),
        (
            "1,000 MNIST frames through TFC w1a1, s",
            f"{figures['seconds_for_1000_mnist_frames']:.3f}",
            _against(figures["seconds_for_1000_mnist_frames"], 3, False),
        ),
    ]
    return (
        "## Simulation: TFC w1a1, 64 cycles a frame\n\n"
        + table(("simulator", "cycles/s", "of the bare loop"), rows)
        + "\n"
        + table(("claim", "measured", "goal"), goals)
    )


def build_section(figures: dict[str, Any]) -> str:
    """Cold builds and their growth."""
    limits = figures["limits"]
    rows = []
    for name, title in (("tfc_w1a1", "TFC w1a1, 64 cycles a frame"), ("lfc_w1a1", "LFC w1a1, about the same hardware")):
        one = figures[name]
        goal = _against(one["total_s"], limits[f"{name[:3]}_total_s"], False)
        cells = (f"{one['weights']:,}", f"{one['verilog_s']:.2f}", f"{one['simulator_s']:.2f}", f"{one['total_s']:.2f}")
        rows.append((title, *cells, goal))
    text = "## From network to Verilog and built simulator, cold (empty cache, imports not counted)\n\n"
    text += table(("network", "weights", "Verilog, s", "simulator, s", "total, s", "goal"), rows) + "\n"
    text += f"Verilog of TFC: {_against(figures['tfc_w1a1']['verilog_s'], limits['tfc_verilog_s'], False)}.\n\n"
    for key, what in (("growth_with_weights", "weights"), ("growth_with_pe_simd", "PE x SIMD")):
        growth = figures[key]
        sizes = [size for size in growth if size.isdecimal()]
        rows = [
            (f"{int(size):,}", *(f"{growth[size][part]:.2f}" for part in ("verilog_s", "simulator_s", "total_s")))
            for size in sizes
        ]
        text += table((what, "Verilog, s", "simulator, s", "total, s"), rows)
        exponents = ", ".join(
            f"{part} {growth[f'exponent_{part}']:.2f} (last step {growth[f'exponent_{part}_last_step']:.2f})"
            for part in ("verilog", "simulator", "total")
        )
        worst = max(growth["exponent_total"], growth["exponent_total_last_step"])
        goal = _against(worst, 1, False)
        text += f"\nExponent of growth (1 is linear): {exponents}; {goal}.\n\n"
    return text.rstrip() + "\n"


def executor_section(figures: dict[str, Any]) -> str:
    """Network.run beside torch and qonnx."""
    rows = []
    for name, title in (("lfc_w1a1", "LFC w1a1"), ("tfc_w1a1", "TFC w1a1")):
        one = figures[name]
        rows.append(
            (
                title,
                f"{one['frames_per_s']:,.0f}",
                f"{one['torch_float32_frames_per_s']:,.0f}",
                f"{one['run_vs_torch']:.1f}",
                f"{one['qonnx_batch_1_frames_per_s']:,.0f}",
                f"{one['run_vs_qonnx_batch_1']:,.0f}",
                f"{one['run_vs_qonnx_batch_1000']:,.1f}",
            )
        )
    headings = ("network", "run, frames/s", "torch float32", "run / torch", "qonnx, frame by frame", "run / qonnx")
    return (
        f"## `Network.run`, batches of {figures['lfc_w1a1']['batch']:,}\n\n"
        + table((*headings, "run / qonnx, batches of 1,000"), rows)
        + f"\nrun / torch on LFC: {_against(figures['lfc_w1a1']['run_vs_torch'], 1, True)}. "
        + f"run / qonnx on TFC: {_against(figures['tfc_w1a1']['run_vs_qonnx_batch_1'], 500, True)}.\n"
    )


GOALS = {"lut6": {"64": 1.4, "256": 1.33}, "lut4_ecp5": {"64": 3.0}, "lut4_ice40": {"64": 2.4}}
FABRICS = {"lut6": "LUT6, Xilinx 7", "lut4_ecp5": "LUT4, ECP5", "lut4_ice40": "LUT4, iCE40"}


def datapath_section(figures: dict[str, Any]) -> str:
    """LUTs a bit of the popcounts beside the plain adder tree."""
    rows = []
    for fabric, title in FABRICS.items():
        goal = 0.0
        for bits, one in figures[fabric].items():
            goal = GOALS[fabric].get(bits, goal)
            ours, plain = one["ours"], one["plain"]
            cells = (str(ours["luts"]), f"{ours['luts_per_bit']:.2f}", f"{plain['luts_per_bit']:.2f}")
            met = _against(ours["luts_per_bit"], goal, False)
            rows.append((title, bits, *cells, f"{one['plain_vs_ours']:.2f}", met))
    return (
        "## XNOR-popcount after Yosys\n\n"
        + table(("fabric", "bits", "LUTs", "a bit", "plain adder tree, a bit", "plain / ours", "goal, a bit"), rows)
        + "\nWhat is counted, and what placement adds, stands in `benchmarks/datapath.py`.\n"
    )


def placement_section(figures: dict[str, Any]) -> str:
    """TFC on ECP5 beside the same design with plain adder trees."""
    rows = [
        (title, *(f"{figures[key][part]:,}" for part in ("luts", "ffs", "brams")), f"{figures[key]['fmax_mhz']:.1f}")
        for key, title in (("ours", "this package's popcounts"), ("plain", "plain adder tree"))
    ]
    goal = _against(figures["ours"]["fmax_mhz"], figures["limits"]["fmax_mhz"], True)
    return (
        "## TFC w1a1 on ECP5-85k -6, placed and routed out of context, FINN's folding, 64 cycles a frame\n\n"
        + table(("popcounts", "LUT", "FF", "block RAM", "Fmax, MHz"), rows)
        + f"\nFmax in MHz: {goal}.\n"
    )


def startup_section(figures: dict[str, Any]) -> str:
    """Seconds to start."""
    limits = figures["limits"]
    rows = [
        (title, f"{figures[key]:.2f}", _against(figures[key], limits[key], False))
        for title, key in (("`import bitwright`", "import_s"), ("`bitwright --help`", "help_s"))
    ]
    rows.insert(0, ("Python alone", f"{figures['python_s']:.2f}", ""))
    return "## Start\n\n" + table(("process", "seconds", "goal"), rows)


TITLES = {"cnv_w1a1": "CNV w1a1", "resnet8_w4a4": "ResNet-8 w4a4", "dscnn_w8a8": "DS-CNN w8a8"}


def networks_section(figures: dict[str, Any]) -> str:
    """Convolutional networks from PyTorch to verified RTL, and CNV's hardware beside its limits."""
    limits, rows = figures["limits"], []
    for name, one in figures["networks"].items():
        cold, again = one["cold"], one["again"]
        cells = (f"{cold['weights']:,}", f"{cold['macs']:,}", f"{cold['interval']:,}", f"{cold['total_s']:.0f}")
        goals = (
            _against(cold["total_s"], limits["cold_s"], False),
            _against(again["from_module_s"], limits["again_s"], False),
        )
        warm = (f"{again['from_module_s']:.1f}", goals[1], f"{again['total_s']:.1f}")
        rows.append((TITLES[name], *cells, goals[0], *warm, f"{cold['peak_mb']:,.0f}"))
    seconds = ("cold, s", "goal", "again, s", "goal", "with imports, s")
    headings = ("network", "weights", "MACs", "cycles a frame", *seconds, "peak, MB")
    claims = [
        ("CNV, FINN's folding, cycles a frame", f"{figures['cnv_interval']:,}", ("cnv_interval", False)),
        ("fold for CNV, s", f"{figures['cnv_fold_s']:.2f}", ("cnv_fold_s", False)),
        ("CNV, bulk runner / bare loop", f"{figures['cnv_bulk_vs_bare']:.2f}", ("cnv_bulk_vs_bare", True)),
        (
            f"CNV, {figures['cnv_model_frames']:,} frames, cycle model / RTL",
            f"{figures['cnv_model_vs_rtl']:,.0f}",
            ("cnv_model_vs_rtl", True),
        ),
    ]
    goals = [(text, value, _against(figures[key], limits[key], least)) for text, value, (key, least) in claims]
    goals += [
        (f"all buffers of {TITLES[name]} sized, s", f"{value:.1f}", _against(value, limits["sizing_s"], False))
        for name, value in figures["sizing_s"].items()
    ]
    first = next(iter(figures["networks"].values()))["cold"]
    return (
        "## Convolutional networks, from PyTorch to verified RTL\n\n"
        f"Lowering, folding, buffers, Verilog, simulator, {first['frames']} frames compared bit for bit. Cold: with "
        "an empty cache, from Python's start. Again: with the cache filled, the fastest of three processes, from the "
        "PyTorch module on; with imports: from Python's start, which imports torch and Brevitas. Weights are random, "
        "inputs synthetic.\n\n" + table(headings, rows) + "\n" + table(("claim", "measured", "goal"), goals)
    )


FAMILIES = {"ecp5": "ECP5, LUT4", "ice40": "iCE40, LUT4", "xilinx7": "Xilinx 7, LUT6"}


def resources_section(figures: dict[str, Any]) -> str:
    """Estimates of resources beside Yosys."""
    rows = []
    for family, title in FAMILIES.items():
        one = figures[family]
        errors = [f"{100 * one[key]:.1f}" for key in ("median_error", "error_of_nine_in_ten", "worst_error")]
        within = f"{one['within_goal']} of {one['designs']}"
        rows.append((title, *errors, within, str(one["block_rams_off"]), str(one["dsps_off"])))
    goal = f"{100 * figures['goal']:.0f} %"
    headings = ("family", "LUTs: median error, %", "nine in ten, %", "worst, %", f"within {goal}", "block RAMs off")
    return (
        "## Resource estimates, on designs that the fit has not seen\n\n"
        + table((*headings, "DSPs off"), rows)
        + "\nBeside what Yosys reports; the designs stand in `benchmarks/resource_designs.py`. Off: designs whose "
        "count of block RAMs or DSP blocks is another one.\n"
    )


def convolution_section(figures: dict[str, Any]) -> str:
    """Network.run of CNV beside torch."""
    rows = [
        (
            f"CNV w1a1, batches of {figures['batch']}",
            f"{figures['frames_per_s']:,.0f}",
            f"{figures['torch_float32_frames_per_s']:,.0f}",
            f"{figures['cnv_run_vs_torch']:.1f}",
            _against(figures["cnv_run_vs_torch"], 1, True),
        )
    ]
    headings = ("network", "run, frames/s", "torch float32", "run / torch", "goal")
    return "## `Network.run` on a convolutional network\n\n" + table(headings, rows)


GROWTH_PLOT = PAGE.with_name("growth.svg")


def growth_section(figures: dict[str, Any]) -> str:
    """How compilation grows, with a plot."""
    from benchmarks.growth_plot import draw

    draw(figures, GROWTH_PLOT)
    text = (
        "## Growth: two binary 3x3 convolutions, compiled cold\n\n"
        f"![Seconds and memory over weights and over PE x SIMD]({GROWTH_PLOT.name})\n\n"
    )
    for key, what in (("weights", "weights"), ("pe_simd", "PE x SIMD, both layers")):
        one = figures[key]
        rows = [
            (
                f"{int(size):,}",
                *(
                    f"{row[part]:,.{digits}f}"
                    for part, digits in (("compile_s", 2), ("simulator_s", 2), ("peak_mb", 0))
                ),
            )
            for size, row in one["figures"].items()
        ]
        text += table((what, "buffers and Verilog, s", "simulator, s", "peak memory, MB"), rows)
        names = {"compile": "buffers and Verilog", "simulator": "simulator", "peak": "memory"}
        parts = [
            f"{title} {one[f'exponent_{part}']:.2f} (last step {one[f'exponent_{part}_last_step']:.2f})"
            for part, title in names.items()
        ]
        worst = max(value for name, value in one.items() if name.startswith("exponent"))
        text += f"\nExponents (1 is linear): {', '.join(parts)}; {_against(worst, 1, False)}.\n\n"
    return text.rstrip() + "\n"


SECTIONS = {
    "simulation": simulation_section,
    "build": build_section,
    "growth": growth_section,
    "executor": executor_section,
    "convolution": convolution_section,
    "networks": networks_section,
    "resources": resources_section,
    "datapath": datapath_section,
    "placement": placement_section,
    "startup": startup_section,
}


MODULES = (simulation, build, growth, executor, convolution, networks, resources, datapath, placement, startup)


def machine() -> str:
    """The processor, the number of cores, Python and compiler."""
    model = processor().partition("model name")[2].partition("\n")[0].strip("\t: ").partition("flags")[0].strip()
    python = f"Python {platform.python_version()}"
    return f"{model or platform.machine()}, {os.cpu_count()} cores, {python}, {Path(compiler()).name}"


def main() -> None:
    """Run or read, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.page")
    parser.add_argument("--figures", type=Path, help="JSON of `bitwright bench all --json`")
    given = parser.parse_args().figures
    if given is None:
        figures = {module.__name__.rpartition(".")[2]: module.run() for module in MODULES}
    else:
        figures = json.loads(given.read_text())
    sections = [section(figures[name]) for name, section in SECTIONS.items()]
    PAGE.write_text("\n".join([HEAD.format(machine=machine(), names=", ".join(SECTIONS)), *sections]))


if __name__ == "__main__":
    main()
