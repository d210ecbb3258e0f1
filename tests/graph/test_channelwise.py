"""Threshold and Requant in the compiled kernel against their definitions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitwright.graph import BIPOLAR, IntType, Requant, TensorSpec, Threshold, channelwise
from bitwright.graph.channelwise import ChannelRequant, ChannelThreshold
from bitwright.graph.random import random_values
from tests.graph.kernels import KERNELS

ENDS: dict[str, Any] = {"name": "op", "inputs": ("x",), "output": "y"}
COMPILED = pytest.mark.parametrize("way", ["vectors", "words"])
INPUTS = [
    IntType.signed_bits(6), IntType(-3, 127), IntType(-(2**15), 2**15 - 2), IntType(-(2**15), 2**15 - 1),
    IntType.signed_bits(30), IntType(-(2**31) + 1, 2**31 - 2),
]  # fmt: skip


@COMPILED
@settings(deadline=None, max_examples=80)
@given(
    st.integers(0, 999), st.sampled_from([1, 2, 3, 15, 63, 64, 65, 255, 1000]), st.sampled_from(INPUTS),
    st.sampled_from([1, 3, 8, 16, 17, 40]), st.booleans(),
)  # fmt: skip
def test_thresholds(way: str, seed: int, steps: int, input_type: IntType, channels: int, shared: bool) -> None:
    rng = np.random.default_rng(seed)
    lo = int(rng.integers(-130, 130))
    output_type = BIPOLAR if steps == 1 and seed % 2 else IntType(lo, lo + steps)
    held = 1 if shared else channels
    rows = np.sort(rng.integers(input_type.lo - 9, input_type.hi + 9, (held, steps)), axis=1)
    operation = Threshold(**ENDS, thresholds=rows, ascending=rng.random(held) < 0.5, output_type=output_type)
    spec = TensorSpec((2, channels), input_type)
    x = random_values(spec, 7, seed)
    x[0, 0, :held] = np.clip(rows[:, 0], input_type.lo, input_type.hi)
    library = KERNELS[channelwise.__name__][way]
    assert library is not None
    method = ChannelThreshold.of(operation, spec, library)
    assert method is not None
    result = method(x)
    assert result.dtype == output_type.numpy
    assert np.array_equal(result, operation.run(x))


@COMPILED
@settings(deadline=None, max_examples=80)
@given(
    st.integers(0, 9999), st.integers(2, 32), st.integers(1, 31), st.integers(0, 40), st.sampled_from([1, 5, 8, 33]),
)  # fmt: skip
def test_requant(way: str, seed: int, input_bits: int, factor_bits: int, shift: int, channels: int) -> None:
    rng = np.random.default_rng(seed)
    factors = IntType.signed_bits(factor_bits)
    held = channels if seed % 3 else 1
    operation = Requant(
        **ENDS, multiplier=random_values(TensorSpec((), factors), held, seed), shift=shift,
        offset=rng.integers(-(2**30), 2**30, held), output_type=IntType.signed_bits(int(rng.integers(2, 17))),
    )  # fmt: skip
    spec = TensorSpec((3, channels), IntType.signed_bits(input_bits))
    x = random_values(spec, 9, seed)
    library = KERNELS[channelwise.__name__][way]
    assert library is not None
    method = ChannelRequant.of(operation, spec, library)
    assert method is not None
    result = method(x)
    assert result.dtype == operation.output_type.numpy
    assert np.array_equal(result, operation.run(x))


@COMPILED
def test_products_at_the_edge_of_32_bits(way: str) -> None:
    library = KERNELS[channelwise.__name__][way]
    assert library is not None
    spec = TensorSpec((1, 1), IntType(-1, 2**15))
    for offset, wide in ((2**31 - 1 - 2**30, "int32"), (2**31 - 2**30, "int64")):
        operation = Requant(
            **ENDS, multiplier=[2**15], offset=[offset], shift=17, output_type=IntType(-(2**15), 2**15 - 1)
        )
        method = ChannelRequant.of(operation, spec, library)
        assert method is not None
        assert method.multiplier.dtype == np.dtype(wide)
        x = np.array([[[2**15]], [[-1]]], dtype=np.int32)
        assert np.array_equal(method(x), operation.run(x))


def test_what_is_too_wide() -> None:
    library = channelwise.kernel()
    assert library is not None
    wide, narrow = TensorSpec((2, 1), IntType(0, 2**31 - 1)), TensorSpec((2, 1), IntType(0, 9))
    threshold = Threshold(**ENDS, thresholds=[[3]], ascending=[True], output_type=BIPOLAR)
    assert ChannelThreshold.of(threshold, wide, library) is None
    far = Threshold(**ENDS, thresholds=[[3]], ascending=[True], output_type=IntType(2**15, 2**15 + 1))
    assert ChannelThreshold.of(far, narrow, library) is None
    requant = Requant(**ENDS, multiplier=[1], offset=[0], shift=0, output_type=IntType(0, 2**15))
    assert ChannelRequant.of(requant, narrow, library) is None
    small = Requant(**ENDS, multiplier=[1], offset=[0], shift=0, output_type=IntType(0, 9))
    assert ChannelRequant.of(small, TensorSpec((2, 1), IntType(0, 2**31)), library) is None


@COMPILED
def test_work_split_over_threads(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channelwise, "THREAD_WORK", 1)
    library = KERNELS[channelwise.__name__][way]
    assert library is not None
    spec = TensorSpec((3, 20), IntType.signed_bits(9))
    threshold = Threshold(**ENDS, thresholds=[[-5, 0, 7]], ascending=[False], output_type=IntType(0, 3))
    requant = Requant(**ENDS, multiplier=[3], offset=[4], shift=3, output_type=IntType(-9, 90))
    for frames in (0, 1, 5):
        x = random_values(spec, frames, 0)
        for method, operation in (
            (ChannelThreshold.of(threshold, spec, library), threshold),
            (ChannelRequant.of(requant, spec, library), requant),
        ):
            assert method is not None
            assert np.array_equal(method(x), operation.run(x))
