"""The MLP family: shapes, layers, reproducible weights, bad arguments."""

import numpy as np
import pytest
import torch
from torch import nn

from bitwright.errors import InputError
from bitwright.models import MLP, PRECISIONS, TOPOLOGIES, create
from bitwright.quantize import BinaryActivation, BinaryInput, BinaryLinear, TernaryLinear


@pytest.mark.parametrize("precision", [*PRECISIONS, "int8"])
@pytest.mark.parametrize("name", ["digits", "tfc"])
def test_forward_shape(name, precision):
    model = create(name, precision).eval()
    x = torch.rand(3, TOPOLOGIES[name][0])
    assert model(x).shape == (3, 10)


def test_topologies_are_finns():
    assert TOPOLOGIES["tfc"] == (784, 64, 64, 64, 10)
    assert TOPOLOGIES["sfc"] == (784, 256, 256, 256, 10)
    assert TOPOLOGIES["lfc"] == (784, 1024, 1024, 1024, 10)
    assert TOPOLOGIES["digits"] == (64, 32, 10)


def test_one_bit_network_is_one_bit_throughout():
    model = create("tfc", "w1a1")
    kinds = [type(layer) for layer in model.children()]
    block = [BinaryLinear, nn.BatchNorm1d, BinaryActivation]
    assert kinds == [BinaryInput, *block, *block, *block, BinaryLinear]
    assert model.input_bits == 1


def test_one_bit_scores_are_odd_or_even_integers():
    model = create("tfc", "w1a1").eval()
    scores = model(torch.rand(20, 784))
    assert torch.equal(scores, scores.round())
    assert scores.abs().max() <= 64
    assert torch.equal(scores % 2, torch.zeros_like(scores))


def test_ternary_layers():
    linear = [layer for layer in create("digits", "ternary").children() if isinstance(layer, TernaryLinear)]
    assert len(linear) == 2


def test_same_seed_same_weights_and_global_state_untouched():
    torch.manual_seed(7)
    before = torch.get_rng_state()
    first, second, other = (create("digits", "w1a1", seed).linear0.weight for seed in (3, 3, 4))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    ("sizes", "weights", "activations", "inputs"),
    [((10,), 1, 1, 1), ((4, 0), 1, 1, 1), ((4, 2), 9, 1, 1), ((4, 2), 1, "ternary", 1), ((4, 2), 1, 1, 9)],
)
def test_bad_arguments(sizes, weights, activations, inputs):
    with pytest.raises(InputError):
        MLP(sizes, weights, activations, inputs)


def test_unknown_names():
    with pytest.raises(InputError, match=r"unknown network 'resnet'.*tfc"):
        create("resnet", "w1a1")
    with pytest.raises(InputError, match=r"unknown precision 'fp4'.*w1a1"):
        create("tfc", "fp4")


def test_odd_shape_at_mixed_precision():
    model = MLP((7, 5, 3), 4, 2, 8).eval()
    assert np.isfinite(model(torch.rand(2, 7)).detach().numpy()).all()
