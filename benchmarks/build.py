"""Time from an integer network to Verilog and to a built simulator, cold: every run starts with an empty build cache.

Also how both grow with the number of weights (same PE and SIMD) and with PE x SIMD (same weights): the exponent of the
straight line through log time over log size, 1 for linear. Everything below the smallest size is fixed cost, so the
exponent of a small design is far below 1.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.executor import LFC, TFC, binary_mlp
from bitwright.graph import Linear, Network
from bitwright.hw import Folding, LayerFolding, fold

TFC_TARGET = 64
MACS_A_CYCLE = 1024
LIMITS = {"tfc_total_s": 15.0, "tfc_verilog_s": 3.0, "lfc_total_s": 60.0}

WIDTHS = (256, 512, 1024, 2048)
UNITS = (64, 256, 1024, 4096)
GROWTH_WIDTH = 1024
GROWTH_UNIT = (8, 64)


def run() -> dict[str, Any]:
    """The figures; times in seconds."""
    tfc, lfc = binary_mlp("tfc", TFC), binary_mlp("lfc", LFC)
    cases = {
        "tfc_w1a1": cold(_CHILD, tfc, fold(tfc, target_cycles=TFC_TARGET)),
        "lfc_w1a1": cold(_CHILD, lfc, fold(lfc, target_cycles=lfc.total_macs // MACS_A_CYCLE)),
    }
    by_weights = {width: cold(_CHILD, _layers(width), _uniform(_layers(width), *GROWTH_UNIT)) for width in WIDTHS}
    net = _layers(GROWTH_WIDTH)
    by_unit = {unit: cold(_CHILD, net, _uniform(net, _pe(unit), unit // _pe(unit))) for unit in UNITS}
    tfc_times, lfc_times = cases["tfc_w1a1"], cases["lfc_w1a1"]
    return {
        **cases,
        "limits": LIMITS,
        "tfc_of_limit": tfc_times["total_s"] / LIMITS["tfc_total_s"],
        "tfc_verilog_of_limit": tfc_times["verilog_s"] / LIMITS["tfc_verilog_s"],
        "lfc_of_limit": lfc_times["total_s"] / LIMITS["lfc_total_s"],
        "growth_with_weights": _growth({2 * width * width: times for width, times in by_weights.items()}),
        "growth_with_pe_simd": _growth({2 * unit: times for unit, times in by_unit.items()}),
    }


def _layers(width: int) -> Network:
    return binary_mlp("square", (width, width, width))


def _pe(unit: int) -> int:
    return 1 << (unit.bit_length() // 2 - 1)


def _uniform(network: Network, pe: int, simd: int) -> Folding:
    return Folding({op.name: LayerFolding(pe, simd) for op in network.operations if isinstance(op, Linear)})


_CHILD = """
import json, sys, time
import bitwright.hw, bitwright.sim
from bitwright.graph import Network
network = Network.load(sys.argv[1])
folding = bitwright.hw.Folding.from_json(sys.argv[2])
start = time.perf_counter()
accelerator = bitwright.hw.assemble(network, folding)
sources = accelerator.verilog()
emitted = time.perf_counter()
bitwright.sim.build(accelerator)
end = time.perf_counter()
print(json.dumps({
    "verilog_s": emitted - start, "simulator_s": end - emitted, "total_s": end - start,
    "verilog_bytes": sum(map(len, sources.sources.values())), "weights": network.weight_bits,
}))
"""


def cold(script: str, network: Network, folding: Folding) -> dict[str, float]:
    """What `script` prints as JSON: run on a network file and a folding in a process of its own, the cache empty."""
    with tempfile.TemporaryDirectory() as folder:
        path = network.save(Path(folder) / "network.bwn")
        done = subprocess.run(
            [sys.executable, "-c", script, str(path), folding.to_json()],
            env={**os.environ, "BITWRIGHT_CACHE": str(Path(folder) / "cache")},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def _growth(times: dict[int, dict[str, float]]) -> dict[str, Any]:
    """The times by size, and the exponents."""
    by_size = {str(size): times[size] for size in sorted(times)}
    return {**by_size, **exponents(times, ("verilog_s", "simulator_s", "total_s"))}


def exponents(figures: dict[int, dict[str, float]], parts: Sequence[str]) -> dict[str, float]:
    """The exponent of growth of each part, over the whole range of sizes and over its last step."""
    sizes = sorted(figures)
    result = {}
    for part in parts:
        name = part.rpartition("_")[0]
        values = [figures[size][part] for size in sizes]
        result[f"exponent_{name}"] = float(np.polyfit(np.log(sizes), np.log(values), 1)[0])
        last = math.log(values[-1] / values[-2]) / math.log(sizes[-1] / sizes[-2])
        result[f"exponent_{name}_last_step"] = last
    return result
