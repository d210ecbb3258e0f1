"""The designs that resource estimates are fitted to and those they are tried on: random networks, random foldings."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

import bitwright as bw
from benchmarks.executor import TFC, binary_mlp
from benchmarks.placement import FINN_FOLDING
from bitwright.graph import BIPOLAR, TERNARY, Conv, IntType, Linear, Network
from bitwright.graph.random import random_mlp
from bitwright.graph.random_cnn import random_cnn
from bitwright.hw import Accelerator, Folding, LayerFolding, assemble, fold
from bitwright.hw.cost import Family, estimate
from bitwright.hw.cost.tails import live_lanes
from bitwright.hw.elementwise import ElementwiseStage
from bitwright.hw.firings import foldings, stage_cycles
from bitwright.hw.fusion import staged
from bitwright.hw.linear import MatrixVectorUnit
from bitwright.hw.window import WindowStage
from bitwright.models.example_inputs import random_network as example_network
from bitwright.models.example_inputs import synthetic_inputs

TRAINING = {"mlp": range(44), "cnn": range(48)}
"""Seeds of the designs that the coefficients are fitted to."""

HELD_OUT = {"mlp": range(112, 124), "cnn": range(116, 132)}
"""Seeds of the designs they are tried on; the folding search chooses every other one's folding."""

FEW = 5
"""Seeds of each kind that are tried unless all are asked for."""

NETWORKS = (("tfc", "w2a2", 1_000), ("cnn", "w1a1", 4_000), ("conv1d", "w4a4", 2_000))
LARGE_NETWORKS = (
    ("tfc", "w8a8", 4_000), ("cnn", "w2a2", 20_000), ("dscnn", "w8a8", 400_000), ("resnet8", "w4a4", 1_000_000),
    ("cnv", "w1a1", 500_000),
)  # fmt: skip
"""Network (with random weights), precision, and cycles a frame that `fold` aims at; none of them was fitted to."""

TAILED = (MatrixVectorUnit, ElementwiseStage)
MOST_LUTS = 9_000
MOST_SOFT_PRODUCTS = 40
MOST_READ_PORTS = 8
"""The time of Yosys' memory_libmap grows with each read port of a memory by a factor of four."""

_SIGNED, _UNSIGNED = IntType.signed_bits, IntType.unsigned
_TYPES: tuple[tuple[tuple[IntType, ...], tuple[IntType, ...]], ...] = (
    ((BIPOLAR,), (BIPOLAR,)),
    ((BIPOLAR,), (_UNSIGNED(2), _UNSIGNED(4))),
    ((TERNARY,), (BIPOLAR, _UNSIGNED(2))),
    ((_SIGNED(2), _SIGNED(3)), (_UNSIGNED(2), _UNSIGNED(3), BIPOLAR)),
    ((_SIGNED(4), _SIGNED(6)), (_UNSIGNED(4), _SIGNED(4))),
    ((_SIGNED(8),), (_UNSIGNED(8), _SIGNED(8))),
)


@dataclass(frozen=True, eq=False)
class Trial:
    """One design to synthesize; `dsp` as in `estimate`."""

    name: str
    accelerator: Accelerator
    dsp: bool = True


def random_folding(network: Network, seed: int, most: int = 512) -> Folding:
    """Lanes drawn for every operation, with at most a drawn number of products a cycle in each layer."""
    rng = np.random.default_rng(seed)
    layers: dict[str, LayerFolding] = {}
    cap = int(2 ** rng.uniform(3, np.log2(most)))
    for op, _ in staged(network):
        every = foldings(network, op)
        if isinstance(op, Linear | Conv):
            fitting = [one for one in every if one.pe * one.simd * one.pixels <= cap]
            fitting = fitting or [min(every, key=lambda one: one.pe * one.simd * one.pixels)]
            large = [one for one in fitting if one.pe * one.simd * one.pixels * 4 >= cap] or fitting
            fitting = large if rng.random() < 0.7 else fitting
        else:
            fitting = [one for one in every if one.pe * one.simd <= 32] or every
        layers[op.name] = fitting[int(rng.integers(len(fitting)))]
    return Folding(layers)


def chosen_folding(network: Network, seed: int) -> Folding:
    """What `fold` chooses for a target between the fastest and the smallest hardware."""
    fastest, slowest = 1, 1
    for op, _ in staged(network):
        cycles = [stage_cycles(network, op, one) for one in foldings(network, op)]
        fastest, slowest = max(fastest, min(cycles)), max(slowest, max(cycles))
    share = np.random.default_rng(seed).uniform(0.3, 0.9)
    return fold(network, target_cycles=int(fastest ** (1 - share) * slowest**share) + 1)


def random_network(kind: str, seed: int) -> Network:
    """A random network of one pair of type ranges."""
    weights, activations = _TYPES[seed % len(_TYPES)]
    size, many, extras = seed // len(_TYPES) % 3, 2 + seed % 2, seed % 3 == 0
    if kind == "mlp":
        return random_mlp(
            seed,
            max_layers=many,
            max_width=(32, 64, 128)[size],
            weight_types=weights,
            activation_types=activations,
            binary=0.0,
            extras=extras,
        )
    return random_cnn(
        seed,
        max_blocks=many,
        max_size=12,
        max_channels=(8, 16, 32)[size],
        weight_types=weights,
        activation_types=activations,
        binary=0.0,
        extras=extras,
    )


def _fits(accelerator: Accelerator) -> bool:
    """Whether it is quickly synthesized, and no stage or output is always the same.

    Synthesis would remove such a stage and all before it; no trained network has one.
    """
    tails = [one.component.tail for one in accelerator.placed if isinstance(one.component, TAILED)]
    if any(port.spec.dtype.lo == port.spec.dtype.hi for port in accelerator.outputs) or not all(map(live_lanes, tails)):
        return False
    windows = [one.component for one in accelerator.placed if isinstance(one.component, WindowStage)]
    ports = max((one.schedule.pixels * one.schedule.taps for one in windows), default=1)
    return ports <= MOST_READ_PORTS and estimate(accelerator, "ecp5").luts <= MOST_LUTS


def training(family: Family) -> Iterator[Trial]:
    """Designs to fit to; those with few DSP blocks also without, so that products of LUTs are among them."""
    for kind, seeds in TRAINING.items():
        for seed in seeds:
            network = random_network(kind, seed)
            accelerator = assemble(network, random_folding(network, seed))
            if not _fits(accelerator):
                continue
            yield Trial(f"{kind} {seed}", accelerator)
            if 0 < estimate(accelerator, family).dsps <= MOST_SOFT_PRODUCTS:
                yield Trial(f"{kind} {seed} without DSP blocks", accelerator, dsp=False)


def held_out(every: bool = False) -> Iterator[Trial]:
    """Designs to try on, none of them in `training`; `every` takes the larger networks and all seeds."""
    for kind, seeds in HELD_OUT.items():
        for seed in seeds if every else seeds[:FEW]:
            network = random_network(kind, seed)
            folding = chosen_folding(network, seed) if seed % 2 else random_folding(network, seed)
            accelerator = assemble(network, folding)
            if _fits(accelerator):
                yield Trial(f"{kind} {seed}", accelerator)
    tfc = binary_mlp("tfc", TFC)
    layers = [op.name for op in tfc.operations if isinstance(op, Linear)]
    folding = Folding({name: LayerFolding(*one) for name, one in zip(layers, FINN_FOLDING, strict=True)})
    yield Trial("TFC w1a1, FINN's folding", assemble(tfc, folding))
    for name, precision, target in NETWORKS + (LARGE_NETWORKS if every else ()):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            network = bw.lower(example_network(name, precision), synthetic_inputs(name, 4))
        yield Trial(f"{name} {precision}", assemble(network, fold(network, target_cycles=target)))
