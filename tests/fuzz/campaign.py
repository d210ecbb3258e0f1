"""One case of the campaign: a random network, a random folding, random stalls, and every claim about them."""

from __future__ import annotations

import copy
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bitwright.graph import Conv, Linear, Network, OutputScale
from bitwright.graph.random import random_mlp, random_values
from bitwright.graph.random_cnn import random_cnn
from bitwright.graph.types import IntArray
from bitwright.hw import Accelerator, Folding, LayerFolding, assemble
from bitwright.hw.folding import lane_choices
from bitwright.hw.window import WindowStage
from bitwright.quantize import RoundingTieWarning, lower, reference_integers
from bitwright.sim import Stalls, cycles, simulate
from tests.fuzz.modules import FRAMES, random_module

LARGEST_UNIT = 64
"""Products a cycle of one layer, so that a case builds in seconds."""

GRAPH_SHARE = 5
"""One case in so many starts from an integer network instead of a PyTorch module, for operations modules lack."""


CNN_FRAMES = 4
"""Images a convolutional case runs."""


@dataclass(frozen=True, eq=False)
class Case:
    """A network, its integer frames, its folding; the module and real frames where PyTorch takes part."""

    seed: int
    network: Network
    x: IntArray
    folding: Folding
    module: nn.Module | None = None
    real: Tensor | None = None


def make_case(seed: int, family: str = "mlp") -> Case:
    """Case number `seed` of a family, "mlp" or "cnn", always the same."""
    if family == "cnn":
        network = random_cnn(seed)
        return Case(seed, network, random_values(network.input_spec, CNN_FRAMES, seed), random_folding(network, seed))
    if seed % GRAPH_SHARE == GRAPH_SHARE - 1:
        network = random_mlp(seed)
        return Case(seed, network, random_values(network.input_spec, FRAMES, seed), random_folding(network, seed))
    module, real = random_module(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RoundingTieWarning)
        network = lower(module, real, name=f"case{seed}")
    return Case(seed, network, network.quantize(real.numpy()), random_folding(network, seed), module, real)


def random_folding(network: Network, seed: int) -> Folding:
    """Any PE, SIMD and pixels that fit each layer, up to LARGEST_UNIT products a cycle, some with streamed weights; any
    depth of line buffers.
    """
    rng = np.random.default_rng((seed, 11))
    layers = {}
    for op in network.operations:
        if isinstance(op, Linear | Conv):
            simds, pes, pixels = lane_choices(network, op)
            simd = int(rng.choice([n for n in simds if n <= LARGEST_UNIT]))
            pe = int(rng.choice([n for n in pes if n * simd <= LARGEST_UNIT] or [1]))
            fitting = [n for n in pixels if n * pe * simd <= LARGEST_UNIT] if pe == pes[-1] else [1]
            count = int(rng.choice(fitting)) if rng.random() < 0.3 else 1
            layers[op.name] = LayerFolding(pe, simd, count, "stream" if rng.random() < 0.2 else "memory")
    folding = Folding(layers)
    windows = (one.component for one in assemble(network, folding).placed if isinstance(one.component, WindowStage))
    buffers = {
        one.name: int(rng.integers(one.schedule.least_depth, one.schedule.depth + 1))
        for one in windows
        if rng.random() < 0.5
    }
    return Folding(layers, buffers)


def check_case(case: Case) -> None:
    """Raise AssertionError, naming the claim, unless PyTorch, network, RTL and cycle model agree to the last bit."""
    expected = case.network.run(case.x)
    _same("run() and trace()", case, expected, _outputs(case.network, case.network.trace(case.x)))
    if case.module is not None and case.real is not None:
        _check_pytorch(case, case.module, case.real, expected)
    accelerator = assemble(case.network, case.folding)
    for stalls in (None, random_stalls(case.seed)):
        _check_rtl(case, accelerator, expected, stalls)


def random_stalls(seed: int) -> Stalls:
    """Stalls on either side or both, from rare to heavy."""
    rng = np.random.default_rng((seed, 13))
    gaps = rng.choice([0.0, 0.2, 1.0, 5.0], size=2)
    return Stalls(seed, input_gap=float(gaps[0]), output_gap=float(gaps[1] or 0.5))


def _check_pytorch(case: Case, module: nn.Module, real: Tensor, expected: Any) -> None:
    with warnings.catch_warnings(record=True) as ties:
        warnings.simplefilter("always", RoundingTieWarning)
        _same("PyTorch's integers and run()", case, reference_integers(module, real, case.network), expected)
    if any(issubclass(one.category, RoundingTieWarning) for one in ties):
        return  # plain float64 may round a tie either way, as the warning says
    with torch.no_grad():
        answer = copy.deepcopy(module).double().eval()(real.double()).numpy()
    scale = case.network.output_scales.get(case.network.outputs[0], OutputScale())
    steps = np.rint((answer - scale.offset) / scale.scale).astype(np.int64)
    _same("the module's own output in steps and run()", case, steps, expected)


def _check_rtl(case: Case, accelerator: Accelerator, expected: Any, stalls: Stalls | None) -> None:
    result = simulate(accelerator, case.x, stalls=stalls)
    _same(f"RTL and run() ({stalls})", case, result.outputs, expected)
    model = cycles(accelerator, len(case.x), stalls)
    _same(f"RTL and cycle model, input ({stalls})", case, result.input_cycles, model.input_cycles)
    _same(f"RTL and cycle model, output ({stalls})", case, result.output_cycles, model.output_cycles)


def _outputs(network: Network, values: dict[str, IntArray]) -> Any:
    found = tuple(values[name] for name in network.outputs)
    return found if len(found) > 1 else found[0]


def _same(claim: str, case: Case, one: Any, other: Any) -> None:
    left, right = (value if isinstance(value, tuple) else (value,) for value in (one, other))
    for a, b in zip(left, right, strict=True):
        if not np.array_equal(a, b):
            where = np.argwhere(np.asarray(a) != np.asarray(b))[:1].tolist() if a.shape == b.shape else "shapes"
            raise AssertionError(f"case {case.seed}: {claim} differ at {where}; folding {dict(case.folding)}")
