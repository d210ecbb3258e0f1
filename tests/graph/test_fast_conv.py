"""Every fast method of a Conv against its definition, at the edges of what each can do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitwright.graph import BIPOLAR, TERNARY, Conv, IntArray, IntType, MaxPool, TensorSpec, Threshold, integer_conv
from bitwright.graph.float_conv import FloatConv
from bitwright.graph.integer_conv import DepthwiseConv, IntegerConv, IntegerConvThreshold, is_small
from bitwright.graph.packed import pack, unpack
from bitwright.graph.packed_conv import (
    PackedConv,
    PackedConvThreshold,
    is_packable,
    packed_flatten,
    packed_maxpool,
)
from bitwright.graph.random import random_values
from tests.graph.kernels import EACH, KERNELS, use

ENDS: dict[str, Any] = {"name": "op", "inputs": ("x",), "output": "y"}
INT4 = IntType.signed_bits(4)


@st.composite
def cases(
    draw: st.DrawFn, dtypes: list[IntType], weight_types: list[IntType], channels: st.SearchStrategy[int]
) -> tuple[Conv, TensorSpec]:
    """A Conv in one group, and an input that it fits."""
    axes = draw(st.integers(1, 2))

    def each(low: int, high: int) -> tuple[int, ...]:
        return tuple(draw(st.integers(low, high)) for _ in range(axes))

    kernel, dilation = each(1, 3), each(1, 2)
    padding = tuple(zip(each(0, 2), each(0, 2), strict=True))
    size = tuple(d * (k - 1) + 1 + draw(st.integers(0, 4)) for k, d in zip(kernel, dilation, strict=True))
    weight_type, seed = draw(st.sampled_from(weight_types)), draw(st.integers(0, 2**31))
    shape = (draw(st.integers(1, 40) | st.sampled_from([64, 65, 130])), *kernel, draw(channels))
    rng = np.random.default_rng(seed)
    conv = Conv(
        **ENDS, weights=random_values(TensorSpec(shape, weight_type), 1, seed)[0], weight_type=weight_type,
        bias=rng.integers(-9, 9, shape[0]) if draw(st.booleans()) else None, stride=each(1, 2), padding=padding,
        dilation=dilation, pad_value=draw(st.sampled_from([0, -1, 1, 5])),
    )  # fmt: skip
    return conv, TensorSpec((*size, shape[-1]), draw(st.sampled_from(dtypes)))


def threshold_of(outputs: int, seed: int, reach: int) -> Threshold:
    rng = np.random.default_rng(seed)
    rows = rng.integers(-reach, reach + 1, (outputs, 1))
    rows[:1] = rng.choice([-(2**62), 2**62, 0])
    return Threshold(**ENDS, thresholds=rows, ascending=rng.random(outputs) < 0.5, output_type=BIPOLAR)


widths = st.sampled_from([1, 3, 21, 31, 32, 63, 64, 65, 100, 128, 130])


@EACH
@settings(deadline=None, max_examples=60)
@given(cases([BIPOLAR], [BIPOLAR, TERNARY], widths), st.integers(0, 99))
def test_packed_bits(way: str, case: tuple[Conv, TensorSpec], seed: int) -> None:
    conv, spec = case
    assert is_packable(conv, spec)
    x = random_values(spec, 3, seed)
    sums = conv.run(x)
    with pytest.MonkeyPatch.context() as patch:
        use(patch, way)
        packed = PackedConv.of(conv, spec)
        assert np.array_equal(packed(pack(x)), sums)
        threshold = threshold_of(len(conv.weights), seed, int(np.abs(sums).max()))
        bits = PackedConvThreshold.of(packed, threshold)(pack(x))
        assert np.array_equal(unpack(bits, len(conv.weights)), threshold.run(sums))
        assert np.array_equal(bits, pack(threshold.run(sums)))


@pytest.mark.parametrize("way", ["vectors", "words"])
@settings(deadline=None, max_examples=60)
@given(cases([INT4, IntType.unsigned(8)], [BIPOLAR, INT4], st.integers(1, 40)), st.integers(0, 99))
def test_integer_kernel(way: str, case: tuple[Conv, TensorSpec], seed: int) -> None:
    conv, spec = case
    library = KERNELS[integer_conv.__name__][way]
    assert library is not None
    assert is_small(conv, spec)
    x = random_values(spec, 3, seed)
    sums = conv.run(x)
    method = IntegerConv.of(conv, spec, library)
    assert np.array_equal(method(x), sums)
    threshold = threshold_of(len(conv.weights), seed, int(np.abs(sums).max()))
    bits = IntegerConvThreshold.of(method, threshold)(x)
    assert np.array_equal(bits, pack(threshold.run(sums)))


def grouped(seed: int, groups: int, inputs: int, outputs: int) -> tuple[Conv, TensorSpec]:
    rng = np.random.default_rng(seed)
    conv = Conv(
        **ENDS, weights=rng.integers(-8, 8, (groups * outputs, 3, 2, inputs)), weight_type=INT4, stride=(1, 2),
        bias=rng.integers(-9, 9, groups * outputs), padding=((1, 2), (0, 1)), groups=groups, pad_value=3,
    )  # fmt: skip
    return conv, TensorSpec((5, 6, groups * inputs), INT4)


@pytest.mark.parametrize("way", ["vectors", "words"])
@pytest.mark.parametrize(("groups", "inputs", "outputs"), [(2, 3, 4), (3, 17, 33), (5, 1, 1), (20, 1, 1), (7, 1, 3)])
def test_groups(way: str, groups: int, inputs: int, outputs: int) -> None:
    conv, spec = grouped(groups, groups, inputs, outputs)
    x = random_values(spec, 4, 0)
    library = KERNELS[integer_conv.__name__][way]
    assert library is not None
    methods: list[Callable[[IntArray], IntArray]] = [FloatConv.of(conv, spec), IntegerConv.of(conv, spec, library)]
    if inputs == 1:
        methods.append(DepthwiseConv.of(conv, spec, library))
    for method in methods:
        assert np.array_equal(method(x), conv.run(x))


@settings(deadline=None, max_examples=60)
@given(
    cases([BIPOLAR, IntType.unsigned(8), IntType.signed_bits(30), IntType.signed_bits(48)], [TERNARY, INT4],
          st.integers(1, 9)),
    st.integers(0, 99),
)  # fmt: skip
def test_floats(case: tuple[Conv, TensorSpec], seed: int) -> None:
    conv, spec = case
    x = random_values(spec, 3, seed)
    assert np.array_equal(FloatConv.of(conv, spec)(x), conv.run(x))


@pytest.mark.parametrize(("reach", "dtype"), [(2**24, "float32"), (2**24 + 1, "float64"), (2**53 + 1, "int64")])
def test_floats_are_exact_at_the_edges_of_each_dtype(reach: int, dtype: str) -> None:
    spec = TensorSpec((3, 1), IntType(-reach + 1, reach - 1))
    conv = Conv(**ENDS, weights=[[[1]], [[-1]]], weight_type=BIPOLAR, bias=[1, -1])
    method = FloatConv.of(conv, spec)
    assert method.matrices.dtype == np.dtype(dtype)
    x = np.array([[[reach - 1], [reach - 2], [1 - reach]]])
    assert np.array_equal(method(x), conv.run(x))


def test_padding_too_large_for_the_input_dtype() -> None:
    conv = Conv(**ENDS, weights=[[[1], [3]]], weight_type=INT4, padding=((1, 0),), pad_value=1000)
    spec = TensorSpec((2, 1), INT4)
    x = random_values(spec, 3, 0)
    assert np.array_equal(FloatConv.of(conv, spec)(x), conv.run(x))


@pytest.mark.parametrize(("input_hi", "weight", "pad", "bias", "small"), [
    (32767, 32767, 0, 0, True), (32768, 1, 0, 0, False), (1, 32768, 0, 0, False), (1, 1, 32768, 0, False),
    (32767, 32767, 0, 2**31 - 2 - 2 * 32767**2, True), (32767, 32767, 0, 2**31 - 1 - 2 * 32767**2, False),
])  # fmt: skip
def test_where_16_and_32_bits_end(input_hi: int, weight: int, pad: int, bias: int, small: bool) -> None:
    conv = Conv(**ENDS, weights=[[[weight], [weight]]], weight_type=IntType(0, weight), bias=[bias], pad_value=pad)
    spec = TensorSpec((2, 1), IntType(-input_hi, input_hi))
    assert is_small(conv, spec) == small
    if small:
        library = integer_conv.kernel()
        assert library is not None
        x = np.full((1, 2, 1), input_hi)
        assert np.array_equal(IntegerConv.of(conv, spec, library)(x), conv.run(x))


def test_more_rows_than_a_tile_and_longer_than_a_strip() -> None:
    rng = np.random.default_rng(0)
    conv = Conv(**ENDS, weights=rng.integers(-8, 8, (35, 3, 3, 33)), weight_type=INT4)
    spec = TensorSpec((12, 11, 33), INT4)
    library = integer_conv.kernel()
    assert library is not None
    for frames in (0, 1, 5):
        x = random_values(spec, frames, 0)
        assert np.array_equal(IntegerConv.of(conv, spec, library)(x), conv.run(x))


@pytest.mark.parametrize("way", ["vectors", "words"])
def test_work_split_over_threads(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, way)
    monkeypatch.setattr(integer_conv, "THREAD_WORK", 1)
    monkeypatch.setattr("bitwright.graph.packed.THREAD_WORK", 1)
    library = integer_conv.kernel()
    assert library is not None
    for frames in (0, 1, 7):
        conv, spec = grouped(1, 1, 5, 70)
        x = random_values(spec, frames, 0)
        assert np.array_equal(IntegerConv.of(conv, spec, library)(x), conv.run(x))
        binary = Conv(**ENDS, weights=np.where(conv.weights > 0, 1, -1), weight_type=BIPOLAR, padding=conv.padding)
        bits = TensorSpec(spec.shape, BIPOLAR)
        x = random_values(bits, frames, 0)
        assert np.array_equal(PackedConv.of(binary, bits)(pack(x)), binary.run(x))
        conv, spec = grouped(1, 20, 1, 1)
        x = random_values(spec, frames, 0)
        assert np.array_equal(DepthwiseConv.of(conv, spec, library)(x), conv.run(x))


@EACH
@pytest.mark.parametrize("channels", [1, 5, 64, 70, 128])
def test_pools_and_flatten_of_packed_images(way: str, channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, way)
    spec = TensorSpec((5, 4, channels), BIPOLAR)
    x = random_values(spec, 6, channels)
    pool = MaxPool(**ENDS, kernel=(2, 3), stride=(2, 1), padding=((1, 0), (1, 1)), dilation=(2, 1))
    assert np.array_equal(packed_maxpool(pool, spec, pack(x)), pack(pool.run(x).astype(np.int8)))
    assert np.array_equal(packed_flatten(spec, pack(x)), pack(x.reshape(6, -1)))
    assert packed_flatten(spec, pack(x[:0])).shape == (0, -(-spec.size // 64))


def test_what_bits_cannot_do() -> None:
    conv, spec = grouped(0, 2, 3, 4)
    assert not is_packable(conv, TensorSpec(spec.shape, BIPOLAR))
    plain = Conv(**ENDS, weights=[[[1]]], weight_type=BIPOLAR, bias=[2**40])
    assert not is_packable(plain, TensorSpec((3, 1), BIPOLAR))
    assert not is_packable(plain, TensorSpec((3, 1), TERNARY))
