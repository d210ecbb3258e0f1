"""How compiling a convolutional network grows with its weights and with its hardware: seconds and memory.

Two 3x3 convolutions of random bipolar weights, compiled cold in a process of their own: buffers sized on the cycle
model, Verilog, simulator. Weights grow from 10^4 to 10^7 at the same PE and SIMD, then PE x SIMD at the same weights.
The exponent of growth is the slope of log figure over log size, 1 for linear; below the smallest size is fixed cost.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from benchmarks.build import cold, exponents
from bitwright.graph import BIPOLAR, Conv, Network, TensorSpec, Threshold
from bitwright.hw import Folding, LayerFolding

SIZE = 8
CHANNELS = (24, 72, 240, 752)
"""Of every tensor: 10,368 to 10,179,072 weights."""

UNIT = (8, 8)
GROWTH_CHANNELS = 256
UNITS = ((8, 8), (16, 16), (32, 32), (64, 64))
PARTS = ("compile_s", "simulator_s", "peak_mb")


def network(channels: int, seed: int = 0) -> Network:
    """Two convolutions of `channels` inputs and outputs, a sign between them."""
    rng = np.random.default_rng(seed)
    first, second = (
        rng.choice(np.array([-1, 1], dtype=np.int8), (channels, 3, 3, channels)) for _ in ("first", "second")
    )
    return Network(
        "two_convolutions", "x", TensorSpec((SIZE, SIZE, channels), BIPOLAR),
        (
            Conv(name="conv1", inputs=("x",), output="a", weights=first, weight_type=BIPOLAR),
            Threshold(
                name="sign", inputs=("a",), output="b", thresholds=rng.integers(-20, 21, (channels, 1)),
                ascending=np.ones(channels, dtype=np.bool_), output_type=BIPOLAR,
            ),
            Conv(name="conv2", inputs=("b",), output="c", weights=second, weight_type=BIPOLAR),
        ),
        ("c",),
    )  # fmt: skip


_CHILD = """
import json, resource, sys, time
import bitwright.hw, bitwright.sim
from bitwright.graph import Network
network = Network.load(sys.argv[1])
folding = bitwright.hw.Folding.from_json(sys.argv[2])
start = time.perf_counter()
accelerator = bitwright.hw.assemble(network, folding)
accelerator = bitwright.hw.assemble(network, bitwright.sim.size_buffers(accelerator))
accelerator.verilog()
compiled = time.perf_counter()
bitwright.sim.build(accelerator)
end = time.perf_counter()
peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1024
print(json.dumps({
    "compile_s": compiled - start, "simulator_s": end - compiled, "peak_mb": peak, "weights": network.weight_bits,
}))
"""


def compiled(net: Network, pe: int, simd: int) -> dict[str, float]:
    """The figures of one cold compilation; imports are not counted."""
    return cold(
        _CHILD, net, Folding({op.name: LayerFolding(pe, simd) for op in net.operations if isinstance(op, Conv)})
    )


def run() -> dict[str, Any]:
    """{"weights" and "pe_simd": {size: figures, ...}, each with the exponents of growth}."""
    by_weights = {18 * channels**2: compiled(network(channels), *UNIT) for channels in CHANNELS}
    net = network(GROWTH_CHANNELS)
    by_hardware = {2 * pe * simd: compiled(net, pe, simd) for pe, simd in UNITS}
    return {
        "weights": {"figures": by_weights, **exponents(by_weights, PARTS)},
        "pe_simd": {"figures": by_hardware, **exponents(by_hardware, PARTS)},
    }


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
