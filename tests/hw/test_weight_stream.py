"""Layers whose weights come from outside: the same values, and the cycles the cycle model says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bitwright.energy import estimate
from bitwright.errors import FoldingError
from bitwright.graph import BIPOLAR, TERNARY, Flatten, IntType, Linear, MaxPool, Network, TensorSpec, Threshold
from bitwright.graph.random import random_values
from bitwright.hw import Folding, LayerFolding, assemble, cost
from tests.hw.check_core import chain, check_core
from tests.hw.operations import random_linear, random_threshold
from tests.hw.test_conv import random_conv

U, S = IntType.unsigned, IntType.signed_bits


@pytest.mark.parametrize("folding", [(1, 1), (4, 3), (8, 1), (8, 12)], ids=str)
def test_linear_with_several_passes_and_with_one(folding):
    network = chain(TensorSpec((12,), BIPOLAR), random_linear(BIPOLAR, 12, 8), random_threshold(BIPOLAR, 8, 12))
    check_core(network, {"fc": (*folding, 1, "stream")})


@pytest.mark.parametrize(("weights", "inputs"), [(TERNARY, BIPOLAR), (BIPOLAR, S(3)), (S(5), U(4))], ids=str)
def test_every_form_of_a_word_over_several_vectors(weights, inputs):
    layer = random_linear(weights, 6, 4, bias=True)
    design = check_core(chain(TensorSpec((3, 6), inputs), layer), {"fc": (2, 3, 1, "stream")})
    (stream,) = design.weight_inputs
    assert (stream.layer, stream.port.name, len(stream.words), stream.repetitions) == ("fc", "s_axis_fc", 4, 3)
    assert [int(line, 16) for line in stream.text().split()] == list(stream.words)
    assert [int.from_bytes(beat.tobytes(), "little") for beat in stream.beats] == list(stream.words)
    stored = assemble(design.network, Folding({"fc": LayerFolding(2, 3)}))
    image = stored.verilog().memories["fc_weights.mem"]
    assert [int(line, 16) for line in image.split()] == list(stream.words)


@pytest.mark.parametrize("folding", [(2, 6, 1), (4, 18, 1), (4, 6, 1), (4, 2, 2)], ids=str)
def test_convolutions(folding):
    layer = random_conv(S(2), (4, 3, 3, 2), padding=((1, 1), (1, 1)))
    network = chain(TensorSpec((4, 4, 2), U(2)), layer, random_threshold(U(2), 4, 20))
    check_core(network, {"conv": (*folding, "stream")}, frames=3)


@pytest.mark.parametrize(("groups", "folding"), [(2, (1, 2)), (2, (2, 6)), (4, (2, 3)), (4, (8, 9))], ids=str)
def test_grouped_and_depthwise_convolutions(groups, folding):
    layer = random_conv(BIPOLAR, (8, 3, 3, 4 // groups), groups=groups)
    check_core(chain(TensorSpec((5, 4, 4), BIPOLAR), layer), {"conv": (*folding, 1, "stream")}, frames=3)


def mixed() -> tuple[Network, Folding]:
    """A network with streamed and stored layers, and a folding for it."""
    conv = random_conv(S(2), (4, 3, 3, 2), padding=((1, 1), (1, 1)))
    steps = np.tile([-10, -5, 0], (4, 1))
    act = replace(random_threshold(U(2), 4, 20), thresholds=steps, ascending=np.ones(4, dtype=bool))
    pool = MaxPool(name="pool", inputs=("h",), output="p", kernel=(2, 2))
    flat = Flatten(name="flat", inputs=("p",), output="f")
    first = replace(random_linear(TERNARY, 16, 6, source="f"), name="fc1", output="b")
    source = TensorSpec((4, 4, 2), U(2))
    sums = Network("front", "x", source, (conv, act, pool, flat, first), ("b",)).run(random_values(source, 99, 1))
    # In the middle of what comes, so that wrong weights show.
    medians = np.median(sums, axis=0).astype(np.int64)[:, None]
    second_act = Threshold(
        name="act2", inputs=("b",), output="g", thresholds=medians, ascending=np.arange(6) % 2 == 0, output_type=BIPOLAR
    )
    last = replace(random_linear(S(3), 6, 4, source="g"), name="weights", output="y")
    network = Network("mixed", "x", source, (conv, act, pool, flat, first, second_act, last), ("y",))
    layers = {
        "conv": LayerFolding(4, 6, weights="stream"),
        "fc1": LayerFolding(2, 4),
        "weights": LayerFolding(2, 3, weights="stream"),
    }
    return network, Folding(layers)


def test_streamed_and_stored_layers_in_one_design():
    network, folding = mixed()
    layers = {name: (one.pe, one.simd, one.pixels, one.weights) for name, one in folding.items()}
    design = check_core(network, layers, frames=3)
    assert [stream.layer for stream in design.weight_inputs] == ["conv", "weights"]
    sources = design.verilog()
    assert set(sources.memories) & set(sources.streams) == set()
    assert "fc1_weights.mem" in sources.memories
    assert not any(name.startswith(("conv_weights", "weights_2_weights")) for name in sources.memories)


def test_streamed_weights_are_no_memory():
    network, folding = mixed()
    design = assemble(network, folding)
    memories = [memory.name for stage in design.stages for memory in stage.resources.memories]
    assert "fc1_weights" in memories
    assert "conv_weights" not in memories
    assert "outside the chip from which the weights of 'conv', 'weights' come" in estimate(design).notes[-1]
    stored = assemble(network, Folding({name: replace(one, weights="memory") for name, one in folding.items()}))
    assert not any("outside the chip" in note for note in estimate(stored).notes)


def test_a_large_layer_costs_less_without_its_memory():
    network = chain(TensorSpec((64,), S(4)), random_linear(S(4), 64, 64))
    stored, streamed = (LayerFolding(2, 2, weights=place) for place in ("memory", "stream"))
    designs = [assemble(network, Folding({"fc": folding})) for folding in (stored, streamed)]
    brams = [cost.estimate(design, "ecp5").brams for design in designs]
    assert brams[1] < brams[0]
    assert [cost.layer_cost(network, network.operations[0], folding).brams for folding in (stored, streamed)] == brams


def test_folding_as_json():
    _, folding = mixed()
    assert '"weights": "stream"' in folding.to_json()
    assert Folding.from_json(folding.to_json()) == folding
    with_buffers = Folding(folding.layers, {"conv_window": 9})
    assert Folding.from_json(with_buffers.to_json()) == with_buffers


def test_foldings_that_make_no_sense():
    with pytest.raises(FoldingError, match="weights must be 'memory' or 'stream', not 'disk'"):
        LayerFolding(1, 1, weights="disk")
    with pytest.raises(FoldingError, match="a folding is JSON like"):
        Folding.from_json('{"fc": {"pe": 1, "simd": 1, "weigths": "stream"}}')
    network, folding = mixed()
    with pytest.raises(FoldingError, match="layer 'pool': a MaxPool has no weights; leave weights='stream' out"):
        assemble(network, Folding({**folding, "pool": LayerFolding(1, 1, weights="stream")}))


@pytest.mark.parametrize("name", ["input", "output", "weights"])
def test_layers_named_like_the_surroundings_of_a_timing_graph(name):
    layer = Linear(**{**random_linear(BIPOLAR, 6, 4).attributes(), "name": name, "inputs": ("x",), "output": "y"})
    check_core(chain(TensorSpec((6,), BIPOLAR), layer), {name: (2, 3)}, frames=2)


def test_the_words_of_a_frame_repeat_for_each_position():
    layer = random_conv(S(5), (2, 2, 2, 1))
    design = assemble(
        chain(TensorSpec((4, 5, 1), U(4)), layer), Folding({"conv": LayerFolding(1, 2, weights="stream")})
    )
    (stream,) = design.weight_inputs
    assert (len(stream.words), stream.repetitions, stream.port.beats) == (4, 12, 48)
    decoded = [
        [S(5).decode(np.array([(word >> (5 * lane)) & 31], dtype=np.uint64))[0] for lane in range(2)]
        for word in stream.words
    ]
    assert np.array_equal(np.array(decoded).reshape(2, 4), layer.weights.reshape(2, 4))
