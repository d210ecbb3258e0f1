"""The depths found for line buffers and FIFOs, held to the RTL."""

from __future__ import annotations

import numpy as np
import pytest

from bitwright.errors import DeadlockError
from bitwright.graph import Add, Conv, IntType, Network, Operation, Requant, TensorSpec
from bitwright.graph.random import random_values
from bitwright.hw import Folding, LayerFolding, assemble
from bitwright.sim import cycles, simulate, size_buffers
from bitwright.sim.buffer_sizing import sized_buffers, with_depths
from bitwright.sim.cycle_model import steady_interval

S = IntType.signed_bits
FRAMES = 8


def residual(stride: int = 1) -> Network:
    """Two convolutions beside a shortcut, with a third behind."""
    rng = np.random.default_rng(0)
    operations: list[Operation] = []

    def conv(name: str, source: str, kernel: int, step: int = 1) -> str:
        pads = ((kernel // 2,) * 2,) * 2
        weights = rng.integers(-3, 4, (4, kernel, kernel, 4))
        operations.append(
            Conv(
                name=name,
                inputs=(source,),
                output=f"{name}_sum",
                weights=weights,
                weight_type=S(3),
                padding=pads,
                stride=(step, step),
            )
        )
        operations.append(
            Requant(
                name=f"{name}_act",
                inputs=(f"{name}_sum",),
                output=name,
                multiplier=np.ones(1, dtype=int),
                offset=np.zeros(1, dtype=int),
                shift=3,
                output_type=S(4),
            )
        )
        return name

    inner = conv("c2", conv("c1", "x", 3, stride), 3)
    shortcut = "x" if stride == 1 else conv("c0", "x", 1, stride)
    operations.append(Add(name="add", inputs=(inner, shortcut), output="y", multipliers=np.array([1, 1])))
    operations.append(
        Conv(name="c3", inputs=("y",), output="z", weights=rng.integers(-3, 4, (2, 3, 3, 4)), weight_type=S(3))
    )
    return Network("residual", "x", TensorSpec((8, 8, 4), S(4)), tuple(operations), ("z",))


FOLDING = {"c0": (1, 2), "c1": (2, 4), "c2": (4, 4), "c3": (1, 4)}


@pytest.mark.parametrize("stride", [1, 2])
def test_the_smallest_depths_keep_the_interval_and_less_does_not(stride: int) -> None:
    network = residual(stride)
    layers = {name: LayerFolding(*one) for name, one in FOLDING.items() if stride == 2 or name != "c0"}
    roomy = assemble(network, Folding(layers))
    buffers = sized_buffers(roomy)
    unlimited = steady_interval(with_depths(roomy.timing, {one.name: one.most for one in buffers}))
    sized = size_buffers(roomy)
    design = assemble(network, sized)
    assert cycles(design, FRAMES).interval == unlimited
    x = random_values(network.input_spec, FRAMES, 0)
    result = simulate(design, x)
    assert np.array_equal(result.outputs, network.run(x))
    assert np.array_equal(result.output_cycles, cycles(design, FRAMES).output_cycles)
    for one in buffers:
        depth = sized.buffers[one.name] - 1
        if depth < one.least:
            continue
        with_less = assemble(network, Folding(sized.layers, {**sized.buffers, one.name: depth}))
        try:
            slower = simulate(with_less, np.concatenate([x] * 3))
        except DeadlockError:
            continue
        same = simulate(design, np.concatenate([x] * 3))
        assert slower.cycles > same.cycles, one.name


def test_a_branch_without_room_gets_stuck() -> None:
    layers = {name: LayerFolding(*one) for name, one in FOLDING.items() if name != "c0"}
    design = assemble(residual(), Folding(layers, {"add_fifo1": 1}))
    with pytest.raises(DeadlockError):
        cycles(design, 2)
    with pytest.raises(DeadlockError, match="stage"):
        simulate(design, random_values(design.network.input_spec, 2, 0))
