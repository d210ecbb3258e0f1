"""write_qonnx: executors of QONNX give the network's integers, and reading gives the network again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import bitwright as bw
from bitwright.errors import InputError, OutputError
from bitwright.graph import (
    BIPOLAR,
    Conv,
    InputQuantizer,
    IntType,
    Linear,
    Network,
    OutputScale,
    Requant,
    TensorSpec,
    Threshold,
)
from bitwright.graph.random import random_mlp, random_values
from bitwright.graph.random_cnn import random_cnn
from tests.quantize.qonnx.golden import execute

FLOAT32_REASON = "beyond the 2^24 of float32"


def _same(found: NDArray[Any], wanted: NDArray[Any]) -> bool:
    """Equal in the network's order of axes, or with the channels in front."""
    return any(
        one.size == wanted.size and np.array_equal(one.reshape(wanted.shape), wanted)
        for one in (found, np.moveaxis(found, 1, -1) if found.ndim > 1 else found)
    )


def _round_trip(network: Network, path: Path, seed: int) -> Network | None:
    """Write, execute by the qonnx package, read, and compare; None for a network that float32 cannot hold."""
    x = random_values(network.input_spec, 6, seed)
    try:
        bw.write_qonnx(network, path)
    except InputError as error:
        if FLOAT32_REASON not in str(error):
            raise
        return None
    trace = network.trace(x)
    context = execute(path, x[:1].astype(np.float32))
    for tensor, values in trace.items():
        assert _same(context[tensor], values[:1]), f"{tensor} in {network}"
    back = bw.read_qonnx(path)
    assert back.input_spec.shape == network.input_spec.shape
    mine, theirs = network.dequantize(network.run(x)), back.dequantize(back.run(x))
    pairs = zip(*(one if isinstance(one, tuple) else (one,) for one in (mine, theirs)), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs), str(network)
    return back


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10_000))
def test_perceptrons_there_and_back(seed: int, tmp_path: Path) -> None:
    network = random_mlp(seed)
    back = _round_trip(network, tmp_path / "net.onnx", seed)
    if back is not None:
        x = random_values(network.input_spec, 8, seed)
        assert np.array_equal(np.ravel(back.run(x)[0]), np.ravel(network.run(x)[0]))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10_000))
def test_convolutional_networks_there_and_back(seed: int, tmp_path: Path) -> None:
    _round_trip(random_cnn(seed, max_blocks=3, max_size=7, max_channels=8), tmp_path / "net.onnx", seed)


def _scores(quantizer: InputQuantizer | None, dtype: IntType, scale: OutputScale) -> Network:
    rng = np.random.default_rng(7)
    scores = Linear(
        name="fc", inputs=("x",), output="y", weights=rng.integers(-8, 8, (4, 10)), weight_type=IntType.signed_bits(4)
    )
    return Network("ends", "x", TensorSpec((10,), dtype), (scores,), ("y",), quantizer, {"y": scale})


QUANTIZERS = [
    InputQuantizer(dtype=IntType.signed_bits(8), scale=0.0625),
    InputQuantizer(dtype=IntType.unsigned(4), scale=float(np.float32(0.3)), precision="float32"),
    InputQuantizer(dtype=IntType(-127, 127), scale=0.5),
    InputQuantizer(dtype=IntType(-3, 9), scale=0.25, zero_point=2),
    InputQuantizer(dtype=IntType.unsigned(1), scale=1.0),
    InputQuantizer(dtype=BIPOLAR, kind="bipolar"),
    InputQuantizer(dtype=BIPOLAR, kind="bipolar", threshold=0.1),
]


@pytest.mark.parametrize("quantizer", QUANTIZERS, ids=lambda one: f"{one.dtype}_{one.threshold}")
def test_real_inputs_and_outputs(quantizer: InputQuantizer, tmp_path: Path) -> None:
    network = _scores(quantizer, quantizer.dtype, OutputScale(np.array([0.5, 0.25, -1.0, 2.0]), 3.0))
    path = bw.write_qonnx(network, tmp_path / "net.onnx")
    back = bw.read_qonnx(path)
    steps = np.arange(-80, 80) / 4 * quantizer.scale
    near = np.nextafter(np.float32(0.1), np.float32([-1, 1]))
    x = np.resize(np.concatenate([steps, near]), (18, 10)).astype(np.float32)
    if quantizer.zero_point == 0:
        assert np.array_equal(back.quantize(x), network.quantize(x))
    assert np.array_equal(back.run(back.quantize(x)), network.run(network.quantize(x)))
    assert np.array_equal(back.predict(x), network.predict(x))
    for row in range(3):
        context = execute(path, x[row : row + 1])
        assert np.array_equal(context["x"], network.quantize(x[row : row + 1]))
        model = onnx.load(path)
        assert np.array_equal(context[model.graph.output[0].name], network.predict(x[row : row + 1]))


def test_axes_of_images(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    conv = Conv(name="conv", inputs=("x",), output="y", weights=rng.choice([-1, 1], (4, 2, 3, 3)), weight_type=BIPOLAR)
    quantizer = InputQuantizer(dtype=IntType.unsigned(4), scale=0.5, axes=(1, 2, 0))
    scale = OutputScale(np.array([1.0, 2.0, 4.0, 8.0]), axes=(2, 0, 1))
    network = Network("axes", "x", TensorSpec((5, 6, 3), quantizer.dtype), (conv,), ("y",), quantizer, {"y": scale})
    path = bw.write_qonnx(network, tmp_path / "net.onnx")
    x = rng.uniform(0, 8, (2, 3, 5, 6)).astype(np.float32)
    model = onnx.load(path)
    assert "Transpose" not in {node.op_type for node in model.graph.node}
    context = execute(path, x[:1])
    assert np.array_equal(context[model.graph.output[0].name], network.predict(x[:1]))
    back = bw.read_qonnx(path)
    assert back.input_quantizer == replace(quantizer, precision="float32")
    assert np.array_equal(back.predict(x), network.predict(x))


def test_a_wide_requantization_that_shifts(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    dtype = IntType.signed_bits(10)
    requant = Requant(
        name="rq", inputs=("x",), output="y", multiplier=rng.integers(-40, 40, 6), offset=rng.integers(-99, 99, 6),
        shift=3, output_type=dtype,
    )  # fmt: skip
    network = Network("wide", "x", TensorSpec((6,), IntType.signed_bits(8)), (requant,), ("y",))
    back = _round_trip(network, tmp_path / "net.onnx", 3)
    assert back is not None


def test_the_same_network_gives_the_same_bytes(tmp_path: Path) -> None:
    network = random_mlp(3)
    first = bw.write_qonnx(network, tmp_path / "a.onnx").read_bytes()
    assert bw.write_qonnx(network, tmp_path / "b.onnx").read_bytes() == first


def test_the_written_model_is_sound_onnx(tmp_path: Path) -> None:
    for seed in range(5):
        onnx.checker.check_model(str(bw.write_qonnx(random_mlp(seed), tmp_path / "net.onnx")))


def test_thresholds_beyond_the_input_change_nothing(tmp_path: Path) -> None:
    table = np.array([[-(1 << 40), 3, 1 << 40], [5, 5, 5]])
    steps = Threshold(
        name="t", inputs=("x",), output="y", thresholds=table, ascending=np.array([True, False]),
        output_type=IntType.unsigned(2),
    )  # fmt: skip
    network = Network("steps", "x", TensorSpec((2,), IntType.signed_bits(8)), (steps,), ("y",))
    assert _round_trip(network, tmp_path / "net.onnx", 1) is not None


def test_sums_that_float32_rounds_are_refused(tmp_path: Path) -> None:
    wide = Linear(
        name="wide", inputs=("x",), output="y", weights=np.full((1, 2048), 127), weight_type=IntType.signed_bits(8)
    )
    network = Network("wide", "x", TensorSpec((2048,), IntType.signed_bits(8)), (wide,), ("y",))
    with pytest.raises(InputError, match=r"Linear 'wide': its sums reach .* beyond the 2\^24"):
        bw.write_qonnx(network, tmp_path / "net.onnx")
    assert not (tmp_path / "net.onnx").exists()


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        bw.write_qonnx(random_mlp(1), tmp_path / "file" / "net.onnx")
