"""TFC w1a1 placed and routed on an ECP5-85k: this package's popcounts beside the plain adder tree that Yosys makes.

Both are the same network at FINN's published folding (16 x 49, 8 x 8, 8 x 8, 10 x 8; 64 cycles a frame), the same
seeds, out of context. Only the text of the popcount modules differs.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks.executor import TFC, binary_mlp
from bitwright.graph import Linear
from bitwright.hw import Folding, LayerFolding, assemble
from bitwright.synth import SynthReport, synthesize_sources

DEVICE = "ecp5-85k"
FINN_FOLDING = ((16, 49), (8, 8), (8, 8), (10, 8))
LIMITS = {"fmax_mhz": 100.0}


def run() -> dict[str, Any]:
    """Resources and clock of both, MHz."""
    network = binary_mlp("tfc", TFC)
    layers = [op.name for op in network.operations if isinstance(op, Linear)]
    folding = Folding({name: LayerFolding(*one) for name, one in zip(layers, FINN_FOLDING, strict=True)})
    accelerator = assemble(network, folding)
    texts = {"ours": accelerator.verilog("lut4_ecp5"), "plain": accelerator.verilog("generic")}
    with ThreadPoolExecutor(2) as pool:
        reports = dict(zip(texts, pool.map(lambda one: synthesize_sources(one, DEVICE), texts.values()), strict=True))
    figures: dict[str, Any] = {name: _figures(report) for name, report in reports.items()}
    ours, plain = figures["ours"], figures["plain"]
    return {
        **figures,
        "limits": LIMITS,
        "plain_vs_ours_luts": plain["luts"] / ours["luts"],
        "ours_vs_plain_fmax": ours["fmax_mhz"] / plain["fmax_mhz"],
    }


def _figures(report: SynthReport) -> dict[str, Any]:
    return {
        "luts": report.luts,
        "ffs": report.ffs,
        "brams": report.brams,
        "dsps": report.dsps,
        "fmax_mhz": report.fmax_mhz,
        "seed": report.seed,
    }


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
