import itertools
import re

import numpy as np
import pytest

from bitwright.errors import FoldingError, InputError
from bitwright.graph import BIPOLAR, IntType, Linear, Network, TensorSpec, TopK
from bitwright.graph.random import random_mlp
from bitwright.hw import Budget, assemble, estimated_cost, fold
from bitwright.hw.budget import DEFAULT_WEIGHTS
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
    costs = [estimated_cost(network, fold(network, target_cycles=target)) for target in (8, 32, 64, 256, 4096)]
    weighed = [float(np.dot(DEFAULT_WEIGHTS, (one.luts, one.brams, one.dsps))) for one in costs]
    assert weighed == sorted(weighed, reverse=True)


def test_frames_per_second_at_a_clock():
    network = tfc_like()
    assert fold(network, target_fps=1e6, clock_mhz=64) == fold(network, target_cycles=64)


def large(luts: int, brams: int = 10**6, dsps: int = 0) -> Budget:
    return Budget("chip", "ecp5", luts, brams, dsps)


def test_the_fastest_within_a_budget():
    network = tfc_like()
    folding = fold(network, budget=large(12_000))
    assert estimated_cost(network, folding).luts <= 12_000
    faster = cycles(assemble(network, folding), 12).interval - 1
    with pytest.raises(
        FoldingError, match=r"LUTs, 12000 may be used on chip \(layer 'fc0' takes \d+\); raise target_c"
    ):
        fold(network, target_cycles=faster, budget=large(12_000))


def test_an_error_tells_the_best_that_can_be_had():
    network = tfc_like()
    with pytest.raises(FoldingError, match="raise target_cycles to") as caught:
        fold(network, target_cycles=1, budget=large(12_000))
    best = int(re.search(r"to (\d+)", str(caught.value)).group(1))
    fold(network, target_cycles=best, budget=large(12_000))
    with pytest.raises(FoldingError):
        fold(network, target_cycles=best - 1, budget=large(12_000))


def test_fewer_block_rams_are_made_up_for_by_logic():
    network = tfc_like()
    some, none = (fold(network, target_cycles=64, budget=large(10**6, brams)) for brams in (10**6, 1))
    assert estimated_cost(network, some).brams > 1 >= estimated_cost(network, none).brams
    assert some.streamed == none.streamed == ()


def multiplying() -> Network:
    eight = IntType.signed_bits(8)
    layer = random_linear(eight, 32, 32)
    return chain(TensorSpec((32,), eight), layer)


def test_dsp_blocks_stay_within_the_budget():
    network = multiplying()
    few, many = (fold(network, budget=large(10**5, dsps=dsps)) for dsps in (16, 2000))
    assert estimated_cost(network, few, dsp=True).dsps <= 16 or estimated_cost(network, few, dsp=False).luts <= 10**5
    assert 16 < estimated_cost(network, many).dsps <= 2000
    without = fold(network, budget=large(5000))
    assert estimated_cost(network, without, dsp=False).luts <= 5000
    assert cycles(assemble(network, without), 4).interval > cycles(assemble(network, many), 4).interval


def test_weights_that_do_not_fit_are_streamed_and_no_others():
    network = tfc_like()
    tight = fold(network, budget=large(1500, brams=1))
    assert tight.streamed == ("fc0",)
    assert estimated_cost(network, tight).brams <= 1
    roomy = fold(network, budget=large(1500, brams=20))
    assert roomy.streamed == ()
    assert assemble(network, tight).weight_inputs[0].layer == "fc0"


def test_an_unreachable_target_names_the_layer():
    top = TopK(name="best", inputs=("a",), output="t", k=2)
    network = chain(TensorSpec((6,), BIPOLAR), random_linear(BIPOLAR, 6, 10), top)
    with pytest.raises(FoldingError, match="layer 'best' takes at least 10 cycles a frame, more than the target of 4"):
        fold(network, target_cycles=4)


def test_a_budget_too_small_says_what_is_needed():
    words = r"at its smallest, all weights streamed, needs about \d+ LUTs, 100 may be used on chip \(layer 'fc\d' takes"
    with pytest.raises(FoldingError, match=words):
        fold(tfc_like(), budget=large(100))


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
    reachable = cycles(assemble(network, fold(network, budget=large(10**9))), 12).interval
    if target < reachable:
        with pytest.raises(FoldingError, match="takes at least"):
            fold(network, target_cycles=target)
    else:
        assert cycles(assemble(network, fold(network, target_cycles=target)), 12).interval <= target
