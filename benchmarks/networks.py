"""Convolutional networks from PyTorch to verified RTL, cold and from the cache; CNV's hardware beside its limits.

Cold runs start with an empty build cache, each in a process of its own; all networks have random weights and run
synthetic inputs. The bare loop is Verilator's model of the same Verilog without any runner around it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from benchmarks.convolution import cnv_w1a1
from benchmarks.simulation import BareLoop, bulk_rate
from bitwright.hw import Accelerator, Folding, LayerFolding, assemble, fold
from bitwright.models.example_inputs import random_network, synthetic_inputs
from bitwright.quantize import lower
from bitwright.sim import build, cycles, size_buffers

FINN_FOLDING = ((16, 3), (32, 32), (16, 32), (16, 32), (4, 32), (1, 32), (1, 4), (1, 8), (5, 1))
"""PE and SIMD of CNV's layers as FINN publishes them: the slowest layers take 32,768 cycles a frame."""

CASES = (("cnv", "w1a1", 33_000), ("resnet8", "w4a4", 33_000), ("dscnn", "w8a8", 33_000))
"""Network, precision, cycles a frame that `fold` aims at: 3,000 frames a second at 100 MHz."""

FRAMES = 10
MODEL_FRAMES = 10_000
ROUNDS = 3

LIMITS = {
    "cold_s": 240.0, "again_s": 5.0, "peak_mb": 4096.0, "cnv_interval": 33_100, "cnv_fold_s": 5.0, "sizing_s": 10.0,
    "cnv_bulk_vs_bare": 0.8, "cnv_model_vs_rtl": 1000.0,
}  # fmt: skip

_CHILD = """
import json, resource, sys, time, warnings
start = time.perf_counter()
import bitwright as bw
from bitwright.models.example_inputs import random_network, synthetic_inputs
warnings.simplefilter("ignore")
name, precision, target, frames = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
module, x = random_network(name, precision), synthetic_inputs(name, frames)
ready = time.perf_counter()
network = bw.lower(module, x[:4])
lowered = time.perf_counter()
design = bw.build(network, bw.fold(network, target_cycles=target))
built = time.perf_counter()
result = design.verify(module, x)
end = time.perf_counter()
expected = design.resources("ecp5-85k")
peak = sum(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1024
print(json.dumps({
    "start_s": ready - start, "lower_s": lowered - ready, "build_s": built - lowered, "verify_s": end - built,
    "from_module_s": end - ready, "total_s": end - start, "peak_mb": peak,
    "interval": design.cycles(4).interval, "frames": len(x),
    "weights": sum(op.weights.size for op in network.operations if hasattr(op, "weights")),
    "macs": network.total_macs, "luts": expected.luts, "brams": expected.brams, "dsps": expected.dsps,
}))
"""


def _whole(name: str, precision: str, target: int) -> dict[str, Any]:
    """Cold, then from the cache: the fastest of a few processes, since other work on the machine only slows them."""
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "BITWRIGHT_CACHE": cache}
        command = [sys.executable, "-c", _CHILD, name, precision, str(target), str(FRAMES)]
        found = [
            json.loads(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)
            for _ in range(1 + ROUNDS)
        ]
    return {"cold": found[0], "again": min(found[1:], key=lambda one: float(one["total_s"]))}


def sizing_seconds(name: str, precision: str, target: int) -> float:
    """Seconds to size all buffers of a network's design, with an empty cache."""
    network = lower(random_network(name, precision), synthetic_inputs(name, 4))
    design = assemble(network, fold(network, target_cycles=target))
    cycles(design, 1)  # compiles the model's kernel
    with tempfile.TemporaryDirectory() as cache, patch.dict(os.environ, BITWRIGHT_CACHE=cache):
        start = time.perf_counter()
        size_buffers(design)
        return time.perf_counter() - start


def cnv() -> Accelerator:
    """CNV w1a1 at FINN's published folding, its buffers sized."""
    network = cnv_w1a1()
    layers = [op.name for op in network.operations if hasattr(op, "weights")]
    folding = Folding({name: LayerFolding(*one) for name, one in zip(layers, FINN_FOLDING, strict=True)})
    return assemble(network, size_buffers(assemble(network, folding)))


def run() -> dict[str, Any]:
    """All figures; seconds, cycles, MB."""
    network = cnv_w1a1()
    start = time.perf_counter()
    fold(network, target_cycles=33_000)
    folded = time.perf_counter() - start
    design = cnv()
    interval = cycles(design, 4).interval
    build(design)
    x = np.random.default_rng(0).integers(-128, 128, (FRAMES * 4, *network.input_spec.shape)).astype(np.int8)
    with tempfile.TemporaryDirectory() as name:
        bare = BareLoop(design, Path(name))
        rates = {"bare": 0.0, "bulk": 0.0}
        for _ in range(ROUNDS):
            rates["bare"] = max(rates["bare"], bare.rate(int(interval) * len(x)))
            rates["bulk"] = max(rates["bulk"], bulk_rate(design, x))
    seconds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        total = cycles(design, MODEL_FRAMES).total
        seconds.append(time.perf_counter() - start)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sizing = {f"{name}_{precision}": sizing_seconds(name, precision, target) for name, precision, target in CASES}
    return {
        "limits": LIMITS,
        "networks": {f"{name}_{precision}": _whole(name, precision, target) for name, precision, target in CASES},
        "sizing_s": sizing,
        "cnv_interval": interval,
        "cnv_fold_s": folded,
        "cnv_bulk_vs_bare": rates["bulk"] / rates["bare"],
        "cnv_bulk_cycles_per_s": rates["bulk"],
        "cnv_model_vs_rtl": total / rates["bulk"] / min(seconds),
        "cnv_model_frames": MODEL_FRAMES,
        "cnv_model_s": min(seconds),
    }


def main() -> None:
    """Print the figures as JSON."""
    print(json.dumps(run(), indent=2))


if __name__ == "__main__":
    main()
