from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bitwright.errors import InputError
from bitwright.graph import BIPOLAR, InputQuantizer, IntType, OutputScale

INT8 = IntType.signed_bits(8)


@given(
    arrays(np.float64, 20, elements=st.floats(-1e6, 1e6)),
    st.floats(1e-4, 1e3),
    st.integers(-128, 127),
)
def test_integers_as_torch_makes_them(x: np.ndarray, scale: float, zero_point: int) -> None:
    real = torch.tensor(x)
    expected = torch.clamp(torch.round(real / scale) + zero_point, -128, 127)
    result = InputQuantizer(dtype=INT8, scale=scale, zero_point=zero_point)(x)
    assert result.dtype == np.int8
    assert np.array_equal(result, expected.numpy())


def test_halves_go_to_even() -> None:
    quantizer = InputQuantizer(dtype=INT8, scale=2.0)
    assert quantizer(np.array([1.0, 3.0, 5.0, -1.0, -3.0, 1e30])).tolist() == [0, 2, 2, 0, -2, 127]


def test_bipolar_has_its_threshold_on_the_upper_side() -> None:
    quantizer = InputQuantizer(dtype=BIPOLAR, kind="bipolar", threshold=0.5)
    assert quantizer(np.array([0.5, 0.49999, -3, 3], dtype=np.float32)).tolist() == [1, -1, -1, 1]


def test_float32_rounds_each_operation_and_adds_the_zero_point_first() -> None:
    # 0.3 / 0.12 is 2.5 in float32, a little less in float64; and 0.5 + 1 goes to 2, 0.5 to 0.
    single = InputQuantizer(dtype=INT8, scale=float(np.float32(0.12)), precision="float32")
    double = InputQuantizer(dtype=INT8, scale=float(np.float32(0.12)))
    points = np.arange(1, 4000, dtype=np.float32) * np.float32(0.06)
    expected = np.clip(np.rint(points / np.float32(0.12)), -128, 127)
    assert np.array_equal(single(points), expected)
    assert not np.array_equal(double(points), expected)
    odd = InputQuantizer(dtype=INT8, zero_point=1, precision="float32")
    assert odd(np.array([0.5, 1.5])).tolist() == [2, 2]
    assert InputQuantizer(dtype=INT8, zero_point=1)(np.array([0.5, 1.5])).tolist() == [1, 3]


def test_thresholds_count() -> None:
    single = InputQuantizer(dtype=IntType(-1, 1), kind="thresholds", thresholds=((0.0, 0.1),))
    # Compared in float32, to which 0.1 and its neighbours below are rounded first.
    x = np.array([[-1.0, -1e-30], [0.0, 0.05], [0.1, 7.0]])
    assert single(x).tolist() == [[-1, -1], [0, 0], [1, 1]]
    assert single(x).dtype == np.int8
    each = InputQuantizer(dtype=BIPOLAR, kind="thresholds", thresholds=((0.5,), (-2.0,)))
    assert each(np.array([[0.5, -2.0], [0.4, -2.1]])).tolist() == [[1, 1], [-1, -1]]
    with pytest.raises(InputError, match="input has 3 channels, the input quantizer thresholds for 2"):
        each(np.zeros((1, 3)))


def test_thresholds_are_those_of_the_networks_last_axis() -> None:
    quantizer = InputQuantizer(
        dtype=IntType.unsigned(1), kind="thresholds", thresholds=((0.0,), (5.0,)), axes=(1, 2, 0)
    )
    x = np.stack([np.full((2, 3), 1.0), np.full((2, 3), 4.0)])[None]
    assert quantizer(x).tolist() == [[[[1, 0]] * 3] * 2]


def test_integers_pass() -> None:
    pixels = np.array([0, 255], dtype=np.uint8)
    assert InputQuantizer(dtype=IntType.unsigned(8), scale=1 / 255)(pixels) is pixels


@pytest.mark.parametrize("x", [np.array([np.nan]), np.array([np.inf])])
def test_no_numbers(x: np.ndarray) -> None:
    with pytest.raises(InputError, match="NaN or infinite"):
        InputQuantizer(dtype=INT8)(x)


def test_no_reals() -> None:
    with pytest.raises(InputError, match="cannot quantize an array of"):
        InputQuantizer(dtype=INT8)(np.array(["a"]))


@pytest.mark.parametrize(
    "fields",
    [
        {"dtype": INT8, "scale": 0.0}, {"dtype": INT8, "scale": float("nan")}, {"dtype": INT8, "kind": "bipolar"},
        {"dtype": BIPOLAR}, {"dtype": BIPOLAR, "kind": "other"}, {"dtype": INT8, "threshold": float("inf")},
        {"dtype": INT8, "precision": "float16"}, {"dtype": INT8, "kind": "thresholds"},
        {"dtype": BIPOLAR, "kind": "thresholds", "thresholds": ((1.0, 2.0),)},
        {"dtype": IntType.unsigned(2), "kind": "thresholds", "thresholds": ((1.0, 3.0, 2.0),)},
        {"dtype": BIPOLAR, "kind": "thresholds", "thresholds": ((float("nan"),),)},
    ],
)  # fmt: skip
def test_quantizers_that_cannot_be(fields: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        InputQuantizer(**fields)


def test_output_scales() -> None:
    y = np.array([[1, 2], [3, 4]], dtype=np.int8)
    assert OutputScale()(y).dtype == np.float64
    assert OutputScale(np.array([0.5, 2]), 1)(y).tolist() == [[1.5, 5.0], [2.5, 9.0]]
    for bad in (np.ones((2, 2)), np.nan):
        with pytest.raises(InputError, match="finite"):
            OutputScale(bad)


def test_axes_go_from_the_module_to_the_network_and_back() -> None:
    image = np.arange(24, dtype=np.float64).reshape(1, 2, 3, 4)
    quantizer = InputQuantizer(dtype=INT8, axes=(1, 2, 0))
    x = quantizer(image)
    assert x.shape == (1, 3, 4, 2)
    assert x[0, 2, 1].tolist() == [image[0, 0, 2, 1], image[0, 1, 2, 1]]
    assert quantizer(x) is x
    scale = OutputScale(np.array([1.0, 10.0]), axes=(2, 0, 1))
    assert np.array_equal(scale(x), image * np.array([1.0, 10.0])[:, None, None])
    with pytest.raises(InputError, match="expected a batch axis and 3 more"):
        quantizer(image[0])


@pytest.mark.parametrize("axes", [(0, 0), (1, 2), "01", (0.0,), (True, 0)])
def test_axes_that_are_none(axes: Any) -> None:
    for make in (lambda: InputQuantizer(dtype=INT8, axes=axes), lambda: OutputScale(axes=axes)):
        with pytest.raises(InputError, match="the axes of an"):
            make()
