from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitwright.graph.packed import PackedWeights, pack, unpack
from tests.graph.kernels import EACH, KERNELS, use


@pytest.fixture
def kernel(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, way)


def test_there_are_two_kernels() -> None:
    for kernels in KERNELS.values():
        assert kernels["vectors"] is not None
        assert kernels["words"] is not None
        assert kernels["vectors"]._name != kernels["words"]._name


def signs(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.choice(np.array([-1, 1], dtype=np.int8), shape)


@EACH
@pytest.mark.parametrize("size", [1, 31, 32, 33, 63, 64, 65, 127, 128, 200, 784])
@pytest.mark.usefixtures("kernel")
def test_bits_stand_where_they_should(size: int) -> None:
    x = signs(np.random.default_rng(size), 5, size)
    words = pack(x)
    assert words.shape == (5, -(-size // 64))
    for frame in range(5):
        number = sum(int(word) << (64 * k) for k, word in enumerate(words[frame]))
        assert number == sum(1 << i for i in range(size) if x[frame, i] > 0)
    assert np.array_equal(unpack(words, size), x)
    assert np.array_equal(pack(x.astype(np.int32)), words)


@EACH
@pytest.mark.usefixtures("kernel")
def test_no_frames() -> None:
    words = pack(np.zeros((0, 70), dtype=np.int8))
    weights = PackedWeights.of(signs(np.random.default_rng(0), 3, 70))
    assert words.shape == (0, 2)
    assert unpack(words, 70).shape == (0, 70)
    assert weights.accumulate(words).shape == (0, 3)
    assert weights.threshold(words, np.zeros(3, np.int32), np.zeros(1, np.uint64)).shape == (0, 1)


def check_products(seed: int, frames: int, inputs: int, outputs: int, ternary: bool) -> None:
    rng = np.random.default_rng(seed)
    x = signs(rng, frames, inputs)
    weights = signs(rng, outputs, inputs)
    if ternary:
        weights[rng.random(weights.shape) < 0.4] = 0
    held = PackedWeights.of(weights)
    expected = x.astype(np.int64) @ weights.T.astype(np.int64)
    assert np.array_equal(held.accumulate(pack(x)), expected)
    negative = (np.count_nonzero(weights, axis=1) - expected) // 2
    limits = rng.integers(-1, inputs + 1, outputs).astype(np.int32)
    inverted = rng.random((1, outputs)) < 0.5
    bits = held.threshold(pack(x), limits, pack(inverted.astype(np.int8))[0])
    assert np.array_equal(bits, pack(((negative <= limits) ^ inverted).astype(np.int8)))


@EACH
@settings(deadline=None, max_examples=60)
@given(st.integers(0, 999), st.integers(1, 80), st.integers(1, 700), st.integers(1, 150), st.booleans())
def test_products_and_thresholds(way: str, seed: int, frames: int, inputs: int, outputs: int, ternary: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        use(patch, way)
        check_products(seed, frames, inputs, outputs, ternary)


@pytest.mark.parametrize("ternary", [False, True])
@pytest.mark.parametrize("inputs", [64 * 512, 64 * 512 + 1, 64 * 1024])
@pytest.mark.parametrize("frames", [3, 37])
def test_rows_so_long_that_narrow_counters_would_overflow(frames: int, inputs: int, ternary: bool) -> None:
    check_products(1, frames, inputs, 6, ternary)
    ones = np.ones((frames, inputs), dtype=np.int8)
    weights = -ones[:3]
    weights[:, 5] = 0 if ternary else -1
    assert np.array_equal(PackedWeights.of(weights).accumulate(pack(ones)), np.full((frames, 3), -inputs + ternary))


def test_more_frames_than_a_tile() -> None:
    check_products(3, 2051, 70, 65, False)
    check_products(3, 1027, 70, 65, True)


@pytest.mark.parametrize("frames", [1, 2, 3, 1000])
def test_work_split_over_threads(frames: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PackedWeights, "threads", lambda self, frames: 2)
    check_products(2, frames, 130, 70, True)
