import numpy as np

from bitwright.graph import BIPOLAR, IntType, TensorSpec
from bitwright.hw import Folding, LayerFolding, MemoryUse, assemble
from tests.hw.check_core import chain
from tests.hw.operations import random_linear, random_requant, random_threshold

U, S = IntType.unsigned, IntType.signed_bits


def resources(network, pe, simd):
    (stage,) = assemble(network, Folding({"fc": LayerFolding(pe, simd)})).stages
    return stage.resources


def test_a_binary_layer_counted_by_hand():
    network = chain(TensorSpec((12,), BIPOLAR), random_linear(BIPOLAR, 12, 8), random_threshold(BIPOLAR, 8, 12))
    counted = resources(network, 2, 3)
    (products,) = counted.macs
    assert (products.kind, products.per_frame, products.dot_length) == ("xnor-popcount", 96, 3)
    # 16 firings read a word of 2 x 3 weights and a beat of 3 inputs; 4 beats arrive; 4 groups of thresholds
    assert MemoryUse("fc_weights", 6, 16, 16, 0) in counted.memories
    assert MemoryUse("fc_buffer", 3, 8, 16, 4) in counted.memories
    assert (counted.compares_per_frame, counted.compare_width) == (8, 4)


def test_a_search_compares_once_a_level_and_a_requantization_multiplies():
    layer = random_linear(S(8), 6, 4)
    searched = resources(chain(TensorSpec((6,), U(8)), layer, random_threshold(U(4), 4, 900)), 2, 3)
    assert searched.compares_per_frame == 4 * 4
    scaled = resources(chain(TensorSpec((6,), U(8)), layer, random_requant(U(8), 4)), 2, 3)
    assert [use.per_frame for use in scaled.macs] == [24, 4]
    assert scaled.compares_per_frame == 2 * 4


def test_folding_changes_no_products():
    network = chain(TensorSpec((12,), BIPOLAR), random_linear(BIPOLAR, 12, 8))
    counts = {resources(network, pe, simd).macs[0].per_frame for pe in (1, 2, 8) for simd in (1, 4, 12)}
    assert counts == {96}
    assert np.all([use.depth * use.width == 96 for use in resources(network, 4, 6).memories[:1]])
