"""Layers whose weights come from outside, through Yosys and nextpnr."""

from dataclasses import replace

from bitwright.graph import BIPOLAR, TensorSpec
from bitwright.hw import Folding, LayerFolding, assemble
from bitwright.synth import synthesize
from tests.hw.check_core import chain
from tests.hw.operations import random_linear, random_threshold


def test_streamed_weights_take_ports_instead_of_memory() -> None:
    layer = random_linear(BIPOLAR, 256, 64)
    network = chain(TensorSpec((256,), BIPOLAR), layer, random_threshold(BIPOLAR, 64, 256))
    kept = LayerFolding(4, 16)
    streamed = replace(kept, weights="stream")
    with_memory = synthesize(assemble(network, Folding({layer.name: kept})), "ecp5-25k")
    without = synthesize(assemble(network, Folding({layer.name: streamed})), "ecp5-25k")
    assert with_memory.brams - without.brams == 2  # 256 words of 64 bits; a block RAM is 36 bits wide
    assert 0 < without.luts < 1.2 * with_memory.luts
    assert without.fmax_mhz is not None
