"""Augmentation: still images stay, shifts are bounded, the seed decides."""

import numpy as np
import torch

from bitwright.models import Augmentation, augment


def test_no_change_is_the_identity():
    x = torch.rand(4, 64)
    np.testing.assert_allclose(augment(x, (8, 8), Augmentation()).numpy(), x.numpy(), atol=1e-5)
    assert not Augmentation().active


def test_shift_moves_the_centre_by_at_most_its_size():
    x = torch.zeros(200, 12, 10)
    x[:, 6, 5] = 1
    moved = augment(x.reshape(200, -1), (12, 10), Augmentation(shift=2)).reshape(200, 12, 10)
    rows = (moved.sum(2) * torch.arange(12)).sum(1) / moved.sum((1, 2))
    columns = (moved.sum(1) * torch.arange(10)).sum(1) / moved.sum((1, 2))
    for centre, place in ((rows, 6), (columns, 5)):
        assert float((centre - place).abs().max()) <= 2.001
        assert float(centre.max() - centre.min()) > 2.5


def test_values_stay_in_range_and_seed_decides():
    x = torch.rand(8, 784)
    change = Augmentation(shift=2, rotation=10, zoom=0.1)
    results = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        results.append(augment(x, (28, 28), change))
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])
    assert 0 <= float(results[0].min()) <= float(results[0].max()) <= 1.0001
