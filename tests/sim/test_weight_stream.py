"""Designs with streamed weights in the simulators, in the stand-alone testbench and in the search for what is wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bitwright.delivery import deliver, manifest
from bitwright.errors import DeadlockError, InputError, MismatchError
from bitwright.graph.random import random_values
from bitwright.hw import Accelerator, Folding, LayerFolding, TimingGraph, assemble
from bitwright.sim import bulk, cycles, simulate, verify
from bitwright.sim.buffer_sizing import sized_buffers
from bitwright.sim.cycle_model import evaluate
from bitwright.sim.simulate import build, make_drive
from bitwright.sim.testbench import FOLDER
from tests.hw.test_weight_stream import mixed
from tests.sim.test_buffer_sizing import FOLDING, residual
from tests.sim.test_testbench import _make


def design() -> Accelerator:
    return assemble(*mixed())


def test_cxxrtl_agrees_to_the_cycle() -> None:
    accelerator = design()
    x = random_values(accelerator.network.input_spec, 4, 3)
    result = simulate(accelerator, x, simulator="cxxrtl")
    assert np.array_equal(result.outputs, accelerator.network.run(x))
    assert np.array_equal(result.output_cycles, cycles(accelerator, 4).output_cycles)


def test_the_stand_alone_testbench_feeds_the_delivered_words(tmp_path: Path) -> None:
    accelerator = design()
    folder = deliver(accelerator, tmp_path / "design")
    done = _make(folder / FOLDER, "verilator")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "TESTS=6 PASS=6 FAIL=0" in done.stdout

    path = folder / "s_axis_conv.mem"
    words = path.read_text().split()
    path.write_text("\n".join([*words[:-1], f"{int(words[-1], 16) ^ 1:x}"]) + "\n")
    done = _make(folder / FOLDER, "verilator", seed=2)
    assert done.returncode != 0
    assert "expected" in done.stdout


def test_the_manifest_says_how_to_feed_the_weights(tmp_path: Path) -> None:
    accelerator = design()
    accelerator.verilog().write(tmp_path)
    document = manifest(accelerator, tmp_path, "generic")
    port = next(port for port in document["ports"] if port["name"] == "s_axis_conv")
    assert port == {
        "name": "s_axis_conv", "direction": "in", "tdata_bits": 48, "beats_per_frame": 48, "weights_of": "conv",
        "file": "s_axis_conv.mem", "words": 3, "repetitions_per_frame": 16,
    }  # fmt: skip
    assert {"s_axis_conv.mem", "s_axis_weights_2.mem"} <= set(document["files"])
    assert document["folding"]["conv"] == {"pe": 4, "simd": 6, "weights": "stream"}
    assert document["folding"]["fc1"] == {"pe": 2, "simd": 4}


def test_a_wrong_word_is_found_in_its_layer() -> None:
    accelerator = design()
    x = random_values(accelerator.network.input_spec, 6, 3)
    wrong = tuple(
        replace(stream, words=tuple(word ^ 0x3FFF for word in stream.words)) if stream.layer == "conv" else stream
        for stream in accelerator.weight_inputs
    )
    with pytest.raises(MismatchError) as caught:
        verify(replace(accelerator, weight_inputs=wrong), accelerator.network, x)
    assert caught.value.layer == "conv"


def test_beats_of_another_width_are_refused() -> None:
    accelerator = design()
    drive = make_drive(accelerator, random_values(accelerator.network.input_spec, 1, 0))
    with pytest.raises(InputError, match=r"use WeightStream\.beats"):
        bulk.run(build(accelerator), replace(drive, weights=drive.weights[:1]), accelerator.verilog().memories)


def test_weights_that_wait_do_not_hide_the_stage_that_is_stuck() -> None:
    network = residual()
    stuck = []
    for place in ("memory", "stream"):
        layers = {name: LayerFolding(*one, weights=place) for name, one in FOLDING.items() if name != "c0"}
        accelerator = assemble(network, Folding(layers, {"add_fifo1": 1}))
        with pytest.raises(DeadlockError) as modelled:
            cycles(accelerator, 2)
        with pytest.raises(DeadlockError) as simulated:
            simulate(accelerator, random_values(network.input_spec, 2, 0))
        stuck.append((modelled.value.stage, simulated.value.stage))
    assert stuck[0] == stuck[1]


def test_the_search_for_depths_leaves_the_weights_fifo_alone() -> None:
    assert [one.name for one in sized_buffers(design())] == ["conv_window"]


def test_an_actor_may_not_be_called_like_the_weights() -> None:
    graph = design().timing
    actor = replace(graph.actors[0], name=TimingGraph.WEIGHTS)
    with pytest.raises(InputError, match="need different names other than 'input', 'weights' and 'output'"):
        evaluate(replace(graph, actors=(actor, *graph.actors[1:])), 1)
