"""A slice of the campaign of `make fuzz`, and that it would notice."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from bitwright.graph import Linear, Network
from bitwright.quantize import TernaryLinear
from tests.fuzz import campaign
from tests.fuzz.campaign import Case, check_case, make_case

SEEDS = range(1000, 1008)
"""None of those of `make fuzz`; one of them has no PyTorch module."""


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_differs(seed: int) -> None:
    check_case(make_case(seed))


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_differs_in_convolutional_networks(seed: int) -> None:
    check_case(make_case(seed, "cnn"))


def test_cases_are_the_same_every_time_and_cover_modules_and_networks() -> None:
    first, again = make_case(1001), make_case(1001)
    assert np.array_equal(first.x, again.x)
    assert first.folding == again.folding
    assert np.array_equal(first.network.run(first.x), again.network.run(again.x))
    assert [make_case(seed).module is None for seed in (1003, 1004)] == [False, True]


def _with_one_wrong_weight(network: Network) -> Network:
    position, layer = next((i, op) for i, op in enumerate(network.operations) if isinstance(op, Linear))
    weights = layer.weights.copy()
    lo, hi = layer.weight_type.lo, layer.weight_type.hi
    weights[0, 0] = lo if weights[0, 0] == hi else hi
    operations = list(network.operations)
    operations[position] = dataclasses.replace(layer, weights=weights)
    return dataclasses.replace(network, operations=tuple(operations), golden=None)


def _scores_case() -> Case:
    """A case of one layer, where no activation hides a wrong weight."""
    torch.manual_seed(1)
    module = torch.nn.Sequential(campaign.random_module(2)[0][0], TernaryLinear(6, 3)).eval()
    real = torch.rand(24, 6)
    network = campaign.lower(module, real, name="scores")
    return Case(1, network, network.quantize(real.numpy()), campaign.random_folding(network, 1), module, real)


def test_a_wrong_weight_in_the_hardware_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    build = campaign.assemble
    monkeypatch.setattr(campaign, "assemble", lambda net, folding: build(_with_one_wrong_weight(net), folding))
    with pytest.raises(AssertionError, match=r"RTL and run\(\)"):
        check_case(_scores_case())


def test_a_wrong_weight_in_the_network_is_noticed() -> None:
    case = _scores_case()
    with pytest.raises(AssertionError, match="PyTorch's integers"):
        check_case(dataclasses.replace(case, network=_with_one_wrong_weight(case.network)))


def test_a_wrong_cycle_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    model = campaign.cycles

    def late(*arguments: object) -> object:
        report = model(*arguments)  # type: ignore[arg-type]
        return dataclasses.replace(report, output_cycles=report.output_cycles + 1)

    monkeypatch.setattr(campaign, "cycles", late)
    with pytest.raises(AssertionError, match="RTL and cycle model, output"):
        check_case(_scores_case())
