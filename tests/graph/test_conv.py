"""Conv against torch in float64, and its types against every input there is."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bitwright.errors import InputError
from bitwright.graph import BIPOLAR, TERNARY, Conv, IntType, TensorSpec
from bitwright.graph.random import random_values

INT4 = IntType.signed_bits(4)
ENDS: dict[str, Any] = {"name": "op", "inputs": ("x",), "output": "y"}


@st.composite
def convolutions(draw: st.DrawFn, most: int = 3) -> tuple[Conv, tuple[int, ...]]:
    """A Conv of any geometry, and the shape of an input that it fits."""
    axes = draw(st.integers(1, 2))
    groups = draw(st.integers(1, 3))

    def each(low: int, high: int) -> tuple[int, ...]:
        return tuple(draw(st.integers(low, high)) for _ in range(axes))

    kernel, dilation = each(1, most), each(1, 2)
    padding = tuple(zip(each(0, 3), each(0, 3), strict=True))
    size = tuple(
        draw(st.integers(max(1, d * (k - 1) + 1 - a - b), d * (k - 1) + 5))
        for k, d, (a, b) in zip(kernel, dilation, padding, strict=True)
    )
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    outputs, inputs = groups * draw(st.integers(1, 2)), draw(st.integers(1, 2))
    conv = Conv(
        **ENDS, weights=rng.integers(-8, 8, (outputs, *kernel, inputs)), weight_type=INT4,
        bias=rng.integers(-50, 50, outputs) if draw(st.booleans()) else None, stride=each(1, 3), padding=padding,
        dilation=dilation, groups=groups, pad_value=draw(st.sampled_from([0, -1, 1, 7])),
    )  # fmt: skip
    return conv, (*size, inputs * groups)


def by_torch(conv: Conv, x: np.ndarray) -> np.ndarray:
    """torch's own convolution; only the padding is written out, since torch knows no padding value."""
    padded = np.pad(x, ((0, 0), *conv.padding, (0, 0)), constant_values=conv.pad_value)
    function = torch.nn.functional.conv1d if len(conv.kernel) == 1 else torch.nn.functional.conv2d
    result = function(
        torch.tensor(np.moveaxis(padded, -1, 1).astype(np.float64)),
        torch.tensor(np.moveaxis(conv.weights, -1, 1).astype(np.float64)),
        None if conv.bias is None else torch.tensor(conv.bias.astype(np.float64)),
        stride=conv.stride, dilation=conv.dilation, groups=conv.groups,
    )  # fmt: skip
    return np.moveaxis(result.numpy(), 1, -1)


@settings(deadline=None, max_examples=200)
@given(convolutions(), st.sampled_from([BIPOLAR, IntType.unsigned(8), INT4]), st.integers(0, 3))
def test_conv_is_that_of_torch(case: tuple[Conv, tuple[int, ...]], dtype: IntType, frames: int) -> None:
    conv, shape = case
    spec = TensorSpec(shape, dtype)
    x = random_values(spec, frames, 0)
    result = conv.run(x)
    assert result.dtype == np.int64
    assert np.array_equal(result, by_torch(conv, x))
    inferred = conv.infer(spec)
    assert inferred.shape == result.shape[1:]
    assert inferred.dtype.contains(result)


@settings(deadline=None, max_examples=100)
@given(convolutions(), st.sampled_from([BIPOLAR, IntType(-3, 1), IntType(2, 5), IntType(-4, -2)]))
def test_types_are_exact_at_every_position(case: tuple[Conv, tuple[int, ...]], dtype: IntType) -> None:
    conv, shape = case
    spec = TensorSpec(shape, dtype)
    # By linearity: what each input element contributes to each output, and what padding and bias contribute alone.
    size = spec.size
    constant = conv.run(np.zeros((1, *shape), dtype=np.int64))[0]
    parts = conv.run(np.eye(size, dtype=np.int64).reshape(size, *shape)) - constant
    highs = constant + np.maximum(parts * dtype.lo, parts * dtype.hi).sum(axis=0)
    lows = constant + np.minimum(parts * dtype.lo, parts * dtype.hi).sum(axis=0)
    axes = tuple(range(len(conv.kernel)))
    assert conv.bounds(spec) == (lows.min(axis=axes).tolist(), highs.max(axis=axes).tolist())
    assert conv.infer(spec).dtype == IntType(int(lows.min()), int(highs.max()))


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1), st.sampled_from([BIPOLAR, IntType(-1, 2), IntType(1, 2)]), st.integers(-2, 2))
def test_types_are_exact_by_trying_everything(seed: int, dtype: IntType, pad_value: int) -> None:
    rng = np.random.default_rng(seed)
    conv = Conv(
        **ENDS, weights=rng.integers(-3, 4, (1, 3, 1)), weight_type=INT4, bias=rng.integers(-9, 9, 1),
        padding=((1, 0),), pad_value=pad_value,
    )  # fmt: skip
    values = [v for v in range(dtype.lo, dtype.hi + 1) if v or dtype is not BIPOLAR]
    every = np.array(list(itertools.product(values, repeat=4)))[..., None]
    results = conv.run(every)
    spec = TensorSpec((4, 1), dtype)
    assert conv.infer(spec).dtype == IntType(int(results.min()), int(results.max()))
    reached = {0}
    for frame, position in itertools.product(every[:, :, 0].tolist(), range(3)):
        seen = [pad_value, *frame][position : position + 3]
        terms = [a * int(w) for a, w in zip(seen, conv.weights[0, :, 0], strict=True)] + [
            int(conv.attributes()["bias"][0])
        ]
        for count in range(len(terms) + 1):
            reached |= {sum(part) for part in itertools.combinations(terms, count)}
    accumulator = conv.accumulator_type(spec)
    assert accumulator.lo <= min(reached)
    assert accumulator.hi >= max(reached)
    if dtype.lo <= 0 <= dtype.hi:
        assert (accumulator.lo, accumulator.hi) == (min(reached), max(reached))


def test_padding_may_be_a_third_value() -> None:
    conv = Conv(**ENDS, weights=np.ones((1, 3, 1), dtype=int), weight_type=BIPOLAR, padding=((1, 1),))
    x = np.ones((1, 3, 1), dtype=np.int8)
    assert conv.run(x).tolist() == [[[2], [3], [2]]]
    assert conv.infer(TensorSpec((3, 1), BIPOLAR)).dtype == IntType(-3, 3)
    below = Conv(**ENDS, weights=conv.weights, weight_type=BIPOLAR, padding=((1, 1),), pad_value=-1)
    assert below.run(x).tolist() == [[[1], [3], [1]]]


def test_what_is_left_out_is_usual() -> None:
    conv = Conv(**ENDS, weights=np.ones((2, 3, 2, 4), dtype=int), weight_type=TERNARY)
    assert (conv.stride, conv.dilation, conv.padding) == ((1, 1), (1, 1), ((0, 0), (0, 0)))
    assert (conv.kernel, conv.groups, conv.pad_value) == ((3, 2), 1, 0)
    spec = TensorSpec((5, 5, 4), INT4)
    assert conv.infer(spec).shape == (3, 4, 2)
    assert conv.macs(spec) == 3 * 4 * 48
    assert conv.weight_bits == 96
    assert conv.window(spec).out == (3, 4)


ONES = {"weights": np.ones((2, 3, 3, 1), dtype=int), "weight_type": INT4}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"weights": np.ones((2, 3))}, "must have the axes"),
        ({"weights": np.ones((2, 3, 3))}, "weights must be an integer array"),
        ({"weights": np.zeros((2, 0, 3), dtype=int)}, "non-empty"),
        ({"weights": np.full((2, 3, 3), 9)}, "outside their type int4"),
        ({"weight_type": IntType(0, 2**40)}, "more than 32 bits"),
        ({"weight_type": 4}, "must be an IntType"),
        ({"bias": [1]}, "bias has 1 values"),
        ({"stride": (1,)}, "stride must be 2 integers"),
        ({"stride": (1, 0)}, "stride must be 2 integers of at least 1"),
        ({"stride": 2}, "stride must be a tuple"),
        ({"dilation": (1, True)}, "dilation must be 2 integers"),
        ({"padding": ((1, 1),)}, "padding must be 2 pairs"),
        ({"padding": (1, 1)}, "padding must be 2 pairs"),
        ({"padding": ((0, -1), (0, 0))}, "padding must be 2 pairs"),
        ({"padding": 1}, "padding must be 2 pairs"),
        ({"groups": 3}, "3 groups do not divide"),
        ({"groups": 0}, "groups must be a positive integer"),
        ({"pad_value": 0.5}, "pad_value must be an integer"),
        ({"pad_value": 2**70}, "at most 64 bits"),
    ],
)
def test_bad_arguments_name_the_operation(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        Conv(**ENDS, **{**ONES, **fields})
    assert str(caught.value).startswith("Conv 'op': ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "shape", "dtype", "message"),
    [
        ({}, (5, 1), INT4, "needs an input .height, width, channels."),
        ({}, (5, 5, 2), INT4, "weights for 1 channels"),
        ({}, (2, 5, 1), INT4, "does not fit into"),
        ({"padding": ((1 << 40, 0), (0, 0))}, (5, 5, 1), INT4, "may exceed 1,048,576"),
        ({}, (5, 5, 1), IntType(0, 2**61), "more than 63"),
        ({"padding": ((1, 0), (0, 0)), "pad_value": 2**62}, (5, 5, 1), INT4, "more than 63"),
    ],
)
def test_misfits_name_operation_and_tensor(
    fields: dict[str, Any], shape: tuple[int, ...], dtype: IntType, message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        Conv(**ENDS, **{**ONES, **fields}).infer(TensorSpec(shape, dtype))
    assert "'op'" in str(caught.value)


def test_sums_beyond_64_bits_are_refused_at_run() -> None:
    conv = Conv(**ENDS, weights=np.full((1, 4, 1), 2**31 - 1), weight_type=IntType.signed_bits(32))
    with pytest.raises(InputError, match="64 bits"):
        conv.run(np.full((1, 4, 1), 2**40))
    padded = Conv(**ENDS, weights=[[[2]]], weight_type=INT4, padding=((1, 0),), pad_value=2**62)
    with pytest.raises(InputError, match="64 bits"):
        padded.run(np.zeros((1, 4, 1), dtype=np.int8))
