"""The bulk runner beside a bare C++ loop around Verilator, a cocotb bench and CXXRTL, on the RTL of TFC w1a1.

TFC is 784-64-64-64-10 with one-bit weights and activations, folded to 64 cycles a frame. All run the same Verilog; what
gives values is compared with `Network.run`. Figures are the best of several rounds in turns. cocotb runs twice: on the
small model that bitwright builds for it, where only the ports are visible, and on what cocotb's own runner builds.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.default_cocotb import build_default
from benchmarks.executor import TFC, binary_mlp
from bitwright.graph import IntArray
from bitwright.hw import Accelerator, assemble, fold
from bitwright.native import compiler
from bitwright.sim import build, bulk, simulate, verilator
from bitwright.sim.cocotb_runner import build_bench, run_bench
from bitwright.sim.simulate import make_drive

BULK_FRAMES = 60_000
MNIST_FRAMES = 1_000
COCOTB_FRAMES = 400
CXXRTL_FRAMES = 1_000
ROUNDS = 5
HERE = Path(__file__).parent


def accelerator() -> Accelerator:
    """TFC w1a1 at an interval of 64 cycles."""
    network = binary_mlp("tfc_w1a1", TFC)
    return assemble(network, fold(network, target_cycles=64))


def frames(design: Accelerator, count: int) -> IntArray:
    """Random input frames of the size of an MNIST image."""
    draws = np.random.default_rng(1)
    return draws.choice(np.array([-1, 1], dtype=np.int8), (count, design.network.input_spec.size))


def check(design: Accelerator, x: IntArray, outputs: IntArray) -> None:
    """Stop unless the outputs are those of the network."""
    if not np.array_equal(outputs, design.network.run(x)):
        raise AssertionError("the RTL and Network.run differ")


class BareLoop:
    """The verilated design as a plain program: g++ -O3 -march=native, nothing of the bulk runner."""

    def __init__(self, design: Accelerator, folder: Path) -> None:
        sources = design.verilog()
        sources.write(folder)
        files = verilator.verilate(folder, sources.top, sorted(sources.sources), bulk.TRANSLATE)
        include = verilator.root() / "include"
        library = (include / "verilated.cpp", include / "verilated_threads.cpp")
        self.folder = folder
        self.program = folder / "bare"
        flags = ["-O3", "-march=native", verilator.STANDARD, "-w", *(f"-D{name}" for name in verilator.DEFINES)]
        subprocess.run(
            [compiler(), *flags, "-DVM_TRACE=0", "-Icpp", f"-I{include}", f"-I{include / 'vltstd'}", "-o", "bare"]
            + [str(path) for path in (HERE / "bare_loop.cpp", *files, *library)]
            + ["-pthread"],
            cwd=folder,
            check=True,
        )

    def rate(self, cycles: int) -> float:
        """Cycles a second."""
        done = subprocess.run([self.program, str(cycles)], cwd=self.folder, capture_output=True, text=True, check=True)
        return cycles / float(done.stdout)


def bulk_rate(design: Accelerator, x: IntArray) -> float:
    """Cycles a second of the bulk runner, start of the program and all files included."""
    simulator = build(design)
    result = bulk.run(simulator, make_drive(design, x), design.verilog().memories)
    check(design, x, design.outputs[0].unpack(result.outputs[0], len(x)))
    return result.cycles / result.seconds


def cocotb_rate(design: Accelerator, x: IntArray, built: Path) -> float:
    """Cycles a second of a cocotb bench that steps Python in every cycle."""
    sources = design.verilog()
    with tempfile.TemporaryDirectory() as name:
        task, answer = Path(name, "task.json"), Path(name, "answer.json")
        beats = [beat[::-1].tobytes().hex() for beat in design.input.pack(x)]
        task.write_text(json.dumps({"beats": beats, "outputs": len(x) * design.outputs[0].beats}))
        environment = {"BENCH_TASK": str(task), "BENCH_ANSWER": str(answer)}
        run_bench(sources, "cocotb_steps", search=(HERE,), environment=environment, built=built).check()
        found = json.loads(answer.read_text())
    size = design.outputs[0].data_width // 8
    received = np.array([list(int(beat, 16).to_bytes(size, "little")) for beat in found["received"]], dtype=np.uint8)
    check(design, x, design.outputs[0].unpack(received, len(x)))
    return float(found["cycles"] / found["seconds"])


def run() -> dict[str, Any]:
    """All figures; the ratios asked for are `bulk_vs_bare` (0.8) and `bulk_vs_cocotb` (50)."""
    design = accelerator()
    start = time.perf_counter()
    build(design)
    build_seconds = time.perf_counter() - start
    x = frames(design, BULK_FRAMES)
    few = x[:COCOTB_FRAMES]
    with tempfile.TemporaryDirectory() as name, tempfile.TemporaryDirectory() as default:
        bare = BareLoop(design, Path(name))
        benches = build_bench(design.verilog()), build_default(design.verilog(), Path(default))
        contenders: dict[str, Callable[[], float]] = {
            "bare": lambda: bare.rate(64 * BULK_FRAMES),
            "bulk": lambda: bulk_rate(design, x),
            "cocotb": lambda: cocotb_rate(design, few, benches[0]),
            "default_cocotb": lambda: cocotb_rate(design, few, benches[1]),
        }
        rates = dict.fromkeys(contenders, 0.0)
        for _ in range(ROUNDS):
            for contender, rate in contenders.items():
                rates[contender] = max(rates[contender], rate())
    images = x[:MNIST_FRAMES]
    seconds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        result = simulate(design, images)
        seconds.append(time.perf_counter() - start)
    some = x[:CXXRTL_FRAMES]
    other = simulate(design, some, simulator="cxxrtl")
    assert isinstance(other.outputs, np.ndarray)
    check(design, some, other.outputs)
    return {
        "bulk_vs_bare": rates["bulk"] / rates["bare"],
        "bulk_vs_cocotb": rates["bulk"] / rates["cocotb"],
        "bulk_vs_default_cocotb": rates["bulk"] / rates["default_cocotb"],
        "bare_cycles_per_s": rates["bare"],
        "bulk_cycles_per_s": rates["bulk"],
        "cocotb_cycles_per_s": rates["cocotb"],
        "default_cocotb_cycles_per_s": rates["default_cocotb"],
        "cxxrtl_cycles_per_s": other.cycles / other.seconds,
        "seconds_for_1000_mnist_frames": min(seconds),
        "cycles_for_1000_mnist_frames": result.cycles,
        "build_seconds": build_seconds,
        "processors": os.cpu_count(),
    }


def main() -> None:
    """Print the figures as JSON."""
    print(json.dumps(run(), indent=2))


if __name__ == "__main__":
    main()
