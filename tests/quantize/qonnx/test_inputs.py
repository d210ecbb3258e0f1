"""The quantizer of the graph's real input: the executor's integers for every float32, ties and odd scales included."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import bitwright as bw
from bitwright.errors import LoweringError
from bitwright.graph import BIPOLAR, InputQuantizer, IntType, Network
from tests.quantize.qonnx.by_hand import LAST, QONNX, Graph
from tests.quantize.qonnx.golden import check, compare, execute, integers, reading_of

Build = Callable[[Graph], str]


def _network(build: Build, path: Path, shape: tuple[int, ...] = (4,), **options: Any) -> tuple[Network, Path]:
    """A graph with a layer behind `build`, read, and its file."""
    graph = Graph(shape, **options)
    made = build(graph)
    made = graph.matmul(made, shape[-1], 3) if len(shape) == 1 else graph.conv(made, shape[0], 3)
    file = graph.save(path / "net.onnx", made)
    with warnings.catch_warnings():
        # Nothing about the input is left to chance.
        warnings.simplefilter("error")
        return bw.read_qonnx(file), file


def _near_ties(step: float, width: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Frames (n, width) on the halves of `step`, and on the floats next to them."""
    halves = (rng.integers(-40, 40, (30, width)) / 2 * step).astype(np.float32)
    return np.concatenate([halves, np.nextafter(halves, np.float32(9e9)), np.nextafter(halves, np.float32(-9e9))])


def _agree(path: Path, frames: NDArray[np.float32]) -> None:
    """The executor and the network give the same tensors for each frame."""
    reading = reading_of(path)
    for frame in frames:
        tied = compare(
            reading, execute(path, frame[None]), reading.network.trace(integers(reading.network, frame)), set()
        )
        assert not tied


def _qdq(g: Graph, x: str, scale: float, zero: int, dtype: type = np.int8) -> str:
    held = [g.constant(scale), g.constant(zero, dtype)]
    return g.add("DequantizeLinear", g.add("QuantizeLinear", x, *held), *held)


@pytest.mark.parametrize("zero", [0, 1, 7, -3])
@pytest.mark.parametrize("scale", [0.25, 0.12, 0.1])
def test_quant_adds_its_zero_point_before_rounding(scale: float, zero: int, tmp_path: Path) -> None:
    network, path = _network(lambda g: g.quant("x", 4, scale, zero=zero), tmp_path)
    assert network.input_quantizer == InputQuantizer(
        dtype=IntType.signed_bits(4), scale=float(np.float32(scale)), zero_point=zero, precision="float32"
    )
    _agree(path, _near_ties(scale, 4, np.random.default_rng(1)))


@pytest.mark.parametrize("zero", [0, 1, 7, -3])
@pytest.mark.parametrize("scale", [0.25, 0.12])
def test_quantize_linear_adds_its_zero_point_behind(scale: float, zero: int, tmp_path: Path) -> None:
    network, path = _network(lambda g: _qdq(g, "x", scale, zero), tmp_path)
    assert network.input_quantizer == InputQuantizer(
        dtype=IntType(-128 - zero, 127 - zero), scale=float(np.float32(scale)), precision="float32"
    )
    _agree(path, _near_ties(scale, 4, np.random.default_rng(2)))


def test_the_two_zero_points_differ_on_ties(tmp_path: Path) -> None:
    quant = _network(lambda g: g.quant("x", 8, 1.0, zero=1), tmp_path)[0]
    linear = _network(lambda g: _qdq(g, "x", 1.0, 1), tmp_path)[0]
    halves = np.array([[0.5, 1.5, 2.5, -0.5]], dtype=np.float32)
    # round(x + 1), and round(x) + 1 less the 1 that the network's integers leave out.
    assert quant.quantize(halves).tolist() == [[2, 2, 4, 0]]
    assert linear.quantize(halves).tolist() == [[0, 2, 2, 0]]


BEFORE: dict[str, tuple[Build, str]] = {
    "halved": (lambda g: g.add("Div", "x", g.constant(2.0)), "integer"),
    "doubled": (lambda g: g.add("Mul", "x", g.constant(2.0)), "integer"),
    "odd divisor": (lambda g: g.add("Div", "x", g.constant(0.3)), "integer"),
    "odd factor": (lambda g: g.add("Mul", "x", g.constant(1 / 3)), "integer"),
    "shifted by steps": (lambda g: g.add("Add", "x", g.constant(0.5)), "integer"),
    "shifted": (lambda g: g.add("Sub", "x", g.constant(0.4814)), "thresholds"),
    "normalized": (lambda g: g.add("Div", g.add("Sub", "x", g.constant(0.4914)), g.constant(0.2023)), "thresholds"),
    "turned twice": (lambda g: g.add("Neg", g.add("Mul", "x", g.constant(-1.0))), "integer"),
    "clipped": (lambda g: g.add("Clip", "x", g.constant(-0.6), g.constant(0.4)), "integer"),
    "clipped, then scaled": (lambda g: g.add("Mul", g.add("Relu", "x"), g.constant(0.7)), "integer"),
    "an identity": (lambda g: g.add("Cast", g.add("Identity", "x"), to=1), "integer"),
}


@pytest.mark.parametrize("case", BEFORE)
def test_arithmetic_before_the_quantizer(case: str, tmp_path: Path) -> None:
    build, kind = BEFORE[case]
    network, path = _network(lambda g: g.quant(build(g), 4, 0.25), tmp_path)
    quantizer = network.input_quantizer
    assert quantizer is not None
    assert quantizer.kind == kind
    _agree(path, _near_ties(0.25, 4, np.random.default_rng(3)))
    if kind == "thresholds":
        bounds = np.float32(quantizer.thresholds[0])
        _agree(path, np.resize(np.concatenate([bounds, np.nextafter(bounds, np.float32(-9))]), (8, 4)))


@pytest.mark.parametrize("rounding", ["CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN"])
def test_other_roundings_of_the_input(rounding: str, tmp_path: Path) -> None:
    network, path = _network(lambda g: g.quant("x", 3, 0.3, zero=1, rounding_mode=rounding), tmp_path)
    assert network.input_quantizer is not None
    assert network.input_quantizer.kind == "thresholds"
    _agree(path, _near_ties(0.3, 4, np.random.default_rng(4)))


def _spread(*values: float) -> NDArray[np.float32]:
    return np.array(values, dtype=np.float32).reshape(1, -1, 1, 1)


IMAGES: dict[str, Build] = {
    "normalized by channel": lambda g: g.quant(
        g.add("Div", g.add("Sub", "x", g.constant(_spread(0.49, 0.48, 0.44))), g.constant(_spread(0.2, 0.19, 0.21))),
        4, 0.25,
    ),
    "batch norm": lambda g: g.quant(
        g.add("BatchNormalization", "x", *(g.constant(g.rng.uniform(0.2, 2, 3)) for _ in range(4))), 4, 0.25
    ),
    "thresholds": lambda g: g.add(
        "MultiThreshold", "x", g.constant(np.sort(g.rng.normal(size=(3, 7)))), domain=QONNX,
        out_dtype="INT3", out_bias=-4.0, data_layout="NCHW",
    ),
    "thresholds to halves": lambda g: g.add(
        "MultiThreshold", "x", g.constant([[-0.5, 0.1, 0.1]]), domain=QONNX, out_scale=0.5, out_bias=0.3
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", IMAGES)
def test_images_that_are_quantized_by_channel(case: str, tmp_path: Path) -> None:
    network, path = _network(IMAGES[case], tmp_path, shape=(3, 5, 4))
    quantizer = network.input_quantizer
    assert quantizer is not None
    assert (quantizer.kind, quantizer.axes) == ("thresholds", (1, 2, 0))
    assert len(quantizer.thresholds) == (1 if "halves" in case else 3)
    rng = np.random.default_rng(5)
    _agree(path, rng.normal(size=(4, 3, 5, 4)).astype(np.float32))
    # Written and read again it is the same.
    again = bw.read_qonnx(bw.write_qonnx(network, tmp_path / "again.onnx"))
    assert again.input_quantizer == quantizer
    x = rng.normal(size=(3, 3, 5, 4)).astype(np.float32)
    assert np.array_equal(again.run(again.quantize(x)), network.run(network.quantize(x)))
    context = execute(tmp_path / "again.onnx", x[:1])
    assert np.array_equal(context[network.input_name].transpose(0, 2, 3, 1), network.quantize(x[:1]))


def test_thresholds_of_channels_last_images(tmp_path: Path) -> None:
    g = Graph((4, 5, 3), versions={LAST: 1})
    table = g.constant(np.sort(g.rng.normal(size=(3, 3)) * 2))
    h = g.add("MultiThreshold", "x", table, domain=QONNX, out_dtype="UINT2", data_layout="NHWC")
    path = g.save(tmp_path / "net.onnx", g.add("MatMul", h, g.constant(g.integers(3, 2))))
    network = check(path, np.random.default_rng(6).normal(size=(4, 4, 5, 3)).astype(np.float32))
    assert network.input_spec.shape == (4, 5, 3)
    assert network.input_quantizer is not None
    assert network.input_quantizer.axes is None


SIGNS: dict[str, tuple[Build, Any]] = {
    "bipolar": (lambda g: g.add("BipolarQuant", "x", g.constant(0.5), domain=QONNX), 0.0),
    "one bit": (lambda g: g.quant("x", 1, 0.5), 0.0),
    "one threshold": (
        lambda g: g.add("MultiThreshold", "x", g.constant([[0.3]]), domain=QONNX, out_scale=2.0, out_bias=-1.0),
        float(np.float32(0.3)),
    ),
    "shifted": (
        lambda g: g.add("BipolarQuant", g.add("Sub", "x", g.constant(0.1)), g.constant(1.0), domain=QONNX),
        float(np.float32(0.1)),
    ),
}


@pytest.mark.parametrize("case", SIGNS)
def test_signs_of_the_input(case: str, tmp_path: Path) -> None:
    build, threshold = SIGNS[case]
    network, path = _network(build, tmp_path)
    assert network.input_quantizer == InputQuantizer(dtype=BIPOLAR, kind="bipolar", threshold=threshold)
    near = np.float32([threshold, -threshold, 0.0, -0.0])
    frames = [near, np.nextafter(near, np.float32(9)), np.nextafter(near, np.float32(-9))]
    _agree(path, np.array(frames, dtype=np.float32))


def test_the_sign_of_the_input_has_a_zero(tmp_path: Path) -> None:
    network, path = _network(lambda g: g.add("Sign", "x"), tmp_path)
    assert network.input_spec.dtype == IntType(-1, 1, "ternary")
    _agree(path, np.array([[0.0, -0.0, 1e-44, -1e-44], [3, -3, 1, -1]], dtype=np.float32))


def test_a_clip_leaves_the_integers_inside(tmp_path: Path) -> None:
    network, path = _network(lambda g: g.quant(g.add("Clip", "x", g.constant(5.0)), 4, 0.5, 0), tmp_path)
    assert network.input_spec.dtype == IntType(10, 15)
    _agree(path, np.array([[0.0, 5.2, 6.0, 9.0]], dtype=np.float32))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    scale=st.floats(2**-8, 4, width=32), factor=st.floats(2**-6, 64, width=32), shift=st.floats(-4, 4, width=32),
    zero=st.integers(-9, 9), signed=st.integers(0, 1), bits=st.integers(2, 8), seed=st.integers(0, 999),
)  # fmt: skip
def test_any_scale_factor_and_shift(
    scale: float, factor: float, shift: float, zero: int, signed: int, bits: int, seed: int, tmp_path: Path
) -> None:
    def build(g: Graph) -> str:
        h = g.add("Add", g.add("Mul", "x", g.constant(factor)), g.constant(shift))
        return g.quant(h, bits, scale, signed, zero)

    try:
        network, path = _network(build, tmp_path, shape=(64,))
    except LoweringError as error:
        assert "whatever the input" in str(error)  # noqa: PT017
        return
    rng = np.random.default_rng(seed)
    steps = rng.integers(-300, 300, 64) / 2 * scale
    x = ((steps - shift) / factor).astype(np.float32)
    x[::3] = np.nextafter(x[::3], np.float32(rng.choice([-99, 99])))
    _agree(path, x[None])
    assert network.input_quantizer is not None


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda g: g.quant("x", 4, -0.5), "Quant has a scale that is not above 0; calibrate or train it"),
        (
            lambda g: g.quant(g.add("Mul", "x", g.constant(-1.0)), 4, 0.5),
            "follows a negation of the input; give input_",
        ),
        (lambda g: g.quant(g.add("Mul", "x", g.constant(0.0)), 4, 0.5), "scales the input by 0"),
        (lambda g: g.quant(g.add("Div", g.constant(1.0), "x"), 4, 0.5), "divides by a tensor"),
        (
            lambda g: g.quant(g.add("Relu", g.add("Clip", "x", "", g.constant(-1.0))), 4, 0.5),
            "gives 0 whatever the input",
        ),
        (lambda g: g.quant(g.add("Sigmoid", "x"), 4, 0.1), "Sigmoid works on the real input of the graph; put a Quant"),
        (lambda g: g.quant("x", 1, 1.0, zero=1), "one signed bit and a zero point"),
        (lambda g: g.quant(g.add("Mul", "x", g.constant(0.3)), 24, 0.1), "levels behind arithmetic.*use fewer bits"),
    ],
)
def test_inputs_that_no_quantizer_gives(build: Build, message: str, tmp_path: Path) -> None:
    with pytest.raises(LoweringError, match=message) as caught:
        _network(build, tmp_path)
    assert len(str(caught.value).splitlines()) == 1
