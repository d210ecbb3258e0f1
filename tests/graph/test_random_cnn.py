"""Random convolutional networks: the same for the same seed, of every kind, and alive."""

from __future__ import annotations

import collections

import pytest

from bitwright.errors import InputError
from bitwright.graph import BIPOLAR, Conv
from bitwright.graph.random import random_values
from bitwright.graph.random_cnn import random_cnn


def test_same_seed_same_network() -> None:
    assert [random_cnn(seed).digest for seed in range(5)] == [random_cnn(seed).digest for seed in range(5)]
    assert len({random_cnn(seed).digest for seed in range(5)}) == 5


def test_every_kind_occurs() -> None:
    networks = [random_cnn(seed) for seed in range(120)]
    kinds = collections.Counter(operation.kind for network in networks for operation in network.operations)
    for kind in ("Conv", "MaxPool", "SumPool", "Add", "Concat", "Upsample", "Reshape", "Flatten", "Linear", "TopK"):
        assert kinds[kind] >= 5
    convs = [(n.spec(o.inputs[0]), o) for n in networks for o in n.operations if isinstance(o, Conv)]
    assert {len(conv.kernel) for _, conv in convs} == {1, 2}
    assert any(conv.groups == spec.shape[-1] > 1 for spec, conv in convs)
    assert any(1 < conv.groups < spec.shape[-1] for spec, conv in convs)
    assert any(max(conv.stride) > 1 for _, conv in convs)
    assert any(max(conv.dilation) > 1 for _, conv in convs)
    for value in (0, -1):
        assert any(s.dtype == BIPOLAR and c.window(s).padded and c.pad_value == value for s, c in convs)
    assert any(len(network.outputs) > 1 for network in networks)


def test_most_networks_tell_their_inputs_apart() -> None:
    alive = 0
    for seed in range(40):
        network = random_cnn(seed)
        results = network.run(random_values(network.input_spec, 6, 1))
        alive += any(bool((y != y[:1]).any()) for y in (results if isinstance(results, tuple) else (results,)))
    assert alive >= 25


def test_binary_networks_are_binary_and_limits_are_kept() -> None:
    for seed in range(20):
        network = random_cnn(seed, binary=1.0, max_size=5, max_channels=3, signals=0.0)
        assert network.input_spec.dtype == BIPOLAR
        assert len(network.input_spec.shape) == 3
        assert max(network.input_spec.shape) <= 5
        assert all(conv.weight_type == BIPOLAR for conv in network.operations if isinstance(conv, Conv))
    with pytest.raises(InputError, match="at least 1"):
        random_cnn(0, max_blocks=0)
