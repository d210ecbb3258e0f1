import itertools

import pytest

from bitwright.errors import FoldingError, InputError
from bitwright.graph import BIPOLAR, Linear, Network, TensorSpec, TopK
from bitwright.graph.random import random_mlp
from bitwright.hw import assemble
from bitwright.hw.fold import estimated_luts, fold
from bitwright.sim.cycle_model import cycles
from tests.hw.check_core import chain
from tests.hw.operations import random_linear, random_threshold


def tfc_like() -> Network:
    sizes, operations, tensor = (784, 64, 64, 10), [], "x"
    for index, (inputs, outputs) in enumerate(itertools.pairwise(sizes)):
        layer = random_linear(BIPOLAR, inputs, outputs, seed=index)
        weights = {"name": f"fc{index}", "inputs": (tensor,), "output": f"a{index}"}
        operations.append(Linear(**{**layer.attributes(), **weights}))
        tensor = f"a{index}"
        if index < 2:
            one = random_threshold(BIPOLAR, outputs, inputs)
            names = {"name": f"act{index}", "inputs": (tensor,), "output": f"h{index}"}
            operations.append(type(one)(**{**one.attributes(), **names}))
            tensor = f"h{index}"
    return Network("tfc", "x", TensorSpec((784,), BIPOLAR), tuple(operations), (tensor,))


@pytest.mark.parametrize("target", [1, 16, 64, 100, 5000])
def test_the_target_is_met_by_the_built_design(target):
    network = tfc_like()
    assert cycles(assemble(network, fold(network, target_cycles=target)), 12).interval <= target


def test_a_looser_target_never_costs_more():
    network = tfc_like()
    costs = [estimated_luts(network, fold(network, target_cycles=target)) for target in (8, 32, 64, 256, 4096)]
    assert costs == sorted(costs, reverse=True)


def test_frames_per_second_at_a_clock():
    network = tfc_like()
    assert fold(network, target_fps=1e6, clock_mhz=64) == fold(network, target_cycles=64)


def test_the_fastest_within_a_budget():
    network = tfc_like()
    folding = fold(network, luts=12_000)
    assert estimated_luts(network, folding) <= 12_000
    faster = cycles(assemble(network, folding), 12).interval - 1
    with pytest.raises(FoldingError, match=r"12000 are there; raise target_cycles"):
        fold(network, target_cycles=faster, luts=12_000)


def test_an_unreachable_target_names_the_layer():
    top = TopK(name="best", inputs=("a",), output="t", k=2)
    network = chain(TensorSpec((6,), BIPOLAR), random_linear(BIPOLAR, 6, 10), top)
    with pytest.raises(FoldingError, match="layer 'best' takes at least 10 cycles a frame, more than the target of 4"):
        fold(network, target_cycles=4)


def test_a_budget_too_small_says_what_is_needed():
    with pytest.raises(FoldingError, match="LUTs at its smallest, 100 are there"):
        fold(tfc_like(), luts=100)


@pytest.mark.parametrize(
    "arguments",
    [
        {"target_cycles": 0},
        {"target_fps": -1.0},
        {"target_fps": 10.0, "clock_mhz": 0.0},
        {"target_cycles": 9, "target_fps": 9.0},
    ],
)
def test_targets_without_sense(arguments):
    with pytest.raises(InputError):
        fold(tfc_like(), **arguments)


@pytest.mark.parametrize("seed", range(30))
def test_random_networks_meet_random_targets(seed):
    network = random_mlp(seed)
    target = (3, 40, 700)[seed % 3] * 10
    reachable = cycles(assemble(network, fold(network, luts=10**9)), 12).interval
    if target < reachable:
        with pytest.raises(FoldingError, match="takes at least"):
            fold(network, target_cycles=target)
    else:
        assert cycles(assemble(network, fold(network, target_cycles=target)), 12).interval <= target
