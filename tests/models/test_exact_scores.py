"""Scores become integers times a power of two, and nothing else changes."""

import copy

import numpy as np
import pytest
import torch

from bitwright.models import MLP, create
from bitwright.models.exact_scores import make_scores_exact_


@pytest.mark.parametrize("weights", [1, 2, 4, 8, "ternary"])
@pytest.mark.parametrize("activations", [1, 2, 4, 8])
def test_scores_are_exact_and_keep_their_order(weights, activations):
    torch.manual_seed(0)
    model = MLP((20, 16, 12, 5), weights, activations, 4)
    model(torch.rand(100, 20))
    model.eval()
    exact = make_scores_exact_(copy.deepcopy(model))
    x = torch.rand(400, 20)
    with torch.no_grad():
        before, after = model(x).numpy(), exact(x).numpy()
        in_double = copy.deepcopy(exact).double()(x.double()).numpy()
    assert np.array_equal(after, in_double)
    step = np.min(np.abs(after[after != 0]))
    assert np.log2(step) % 1 == 0 or np.array_equal(np.rint(after * 2**20), after * 2**20)
    factor = np.abs(after).sum() / np.abs(before).sum()
    np.testing.assert_allclose(after, before * factor, rtol=1e-4, atol=1e-4)


def test_float_network_is_left_alone():
    model = create("digits", "float").eval()
    x = torch.rand(9, 64)
    before = model(x)
    assert torch.equal(make_scores_exact_(model)(x), before)
