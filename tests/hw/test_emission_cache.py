from dataclasses import replace

import pytest

from bitwright.graph.random_cnn import random_cnn
from bitwright.hw import Accelerator, Folding, LayerFolding, assemble, emission_cache, fold
from tests.hw.test_assemble import two_layers


@pytest.fixture
def conversions(monkeypatch, tmp_path):
    """Names of designs that Amaranth converted, with an empty cache."""
    monkeypatch.setenv("BITWRIGHT_CACHE", str(tmp_path))
    names = []
    convert = Accelerator.convert
    monkeypatch.setattr(Accelerator, "convert", lambda self: names.append(self.name) or convert(self))
    return names


def test_a_design_is_converted_once(conversions):
    network = random_cnn(3, max_blocks=2, max_size=6, max_channels=4)
    folding = fold(network, target_cycles=5_000)
    first, second = assemble(network, folding), assemble(network, folding)
    assert second.verilog() == first.verilog()
    assert len(conversions) == 1
    assert second.emission == second.convert()
    assert second.emission.memories


def test_whatever_decides_the_verilog_is_in_the_key(conversions, monkeypatch):
    network = two_layers()
    first, *rest = network.operations
    weights = first.weights.copy()
    weights[0, 0] = -weights[0, 0]
    other = replace(network, operations=(replace(first, weights=weights), *rest))
    designs = [
        assemble(network),
        assemble(other),
        assemble(network, Folding({"fc": LayerFolding(2, 2), "fc2": LayerFolding(1, 1)})),
    ]
    assert len({one.verilog().key() for one in designs}) == len(conversions) == 3
    monkeypatch.setattr(emission_cache, "code_key", lambda: "other code")
    assert assemble(network).verilog() == designs[0].verilog()
    assert len(conversions) == 4


def test_nothing_is_kept_of_a_conversion_that_fails(conversions, monkeypatch):
    network = two_layers()

    def fail(accelerator):
        raise RuntimeError(accelerator.name)

    with monkeypatch.context() as patch:
        patch.setattr(Accelerator, "convert", fail)
        with pytest.raises(RuntimeError):
            assemble(network).verilog()
    assemble(network).verilog()
    assert len(conversions) == 1
