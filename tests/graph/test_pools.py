"""MaxPool and SumPool against torch, and their types against what can occur."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bitwright.errors import InputError
from bitwright.graph import BIPOLAR, IntType, MaxPool, Operation, SumPool, TensorSpec
from bitwright.graph.random import random_values

INT4 = IntType.signed_bits(4)
ENDS: dict[str, Any] = {"name": "op", "inputs": ("x",), "output": "y"}


@st.composite
def geometries(draw: st.DrawFn) -> dict[str, Any]:
    """Fields of a pool as torch allows them, and the size of an input."""
    axes = draw(st.integers(1, 2))

    def each(low: int, high: int) -> tuple[int, ...]:
        return tuple(draw(st.integers(low, high)) for _ in range(axes))

    kernel = each(1, 4)
    pads = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    return {
        "kernel": kernel, "stride": each(1, 3), "padding": tuple((p, p) for p in pads),
        "dilation": each(1, 2), "size": tuple(2 * k + draw(st.integers(0, 4)) for k in kernel),
    }  # fmt: skip


@settings(deadline=None)
@given(geometries(), st.sampled_from([BIPOLAR, INT4, IntType.unsigned(8)]))
def test_maxpool_is_that_of_torch(geometry: dict[str, Any], dtype: IntType) -> None:
    spec = TensorSpec((*geometry.pop("size"), 3), dtype, 0.5)
    pool = MaxPool(**ENDS, **geometry)
    x = random_values(spec, 2, 0)
    function = torch.nn.functional.max_pool1d if len(pool.kernel) == 1 else torch.nn.functional.max_pool2d
    expected = function(
        torch.tensor(np.moveaxis(x, -1, 1).astype(np.float64)), pool.kernel, pool.stride,
        tuple(before for before, _ in pool.padding), pool.dilation,
    )  # fmt: skip
    result = pool.run(x)
    assert np.array_equal(result, np.moveaxis(expected.numpy(), 1, -1))
    assert pool.infer(spec) == TensorSpec(result.shape[1:], dtype, 0.5)


@settings(deadline=None)
@given(geometries(), st.sampled_from([BIPOLAR, IntType(2, 5), IntType(-7, 3), IntType(-4, -2)]))
def test_sumpool_is_that_of_torch_in_an_exact_type(geometry: dict[str, Any], dtype: IntType) -> None:
    spec = TensorSpec((*geometry.pop("size"), 2), dtype)
    del geometry["dilation"]
    pool = SumPool(**ENDS, **geometry)
    x = random_values(spec, 2, 0)
    # One channel at a time, torch's convolution with ones is the sum.
    images = torch.tensor(np.moveaxis(x, -1, 1).astype(np.float64))
    function = torch.nn.functional.conv1d if len(pool.kernel) == 1 else torch.nn.functional.conv2d
    pads = tuple(before for before, _ in pool.padding)
    ones = torch.ones((2, 1, *pool.kernel), dtype=torch.float64)
    expected = function(images, ones, stride=pool.stride, padding=pads, groups=2)
    assert np.array_equal(pool.run(x), np.moveaxis(expected.numpy(), 1, -1))
    ends = [pool.run(np.full((1, *spec.shape), value)) for value in (dtype.lo, dtype.hi)]
    exact = IntType(min(int(e.min()) for e in ends), max(int(e.max()) for e in ends))
    assert pool.infer(spec) == TensorSpec(pool.run(x).shape[1:], exact)
    assert pool.accumulator_type(spec) == IntType(min(0, exact.lo), max(0, exact.hi))


def test_uneven_padding() -> None:
    x = np.array([[[3], [-5], [-2]]], dtype=np.int8)
    maximum = MaxPool(**ENDS, kernel=(2,), stride=(1,), padding=((0, 1),))
    assert maximum.run(x).tolist() == [[[3], [-2], [-2]]]
    total = SumPool(**ENDS, kernel=(2,), stride=(1,), padding=((0, 1),))
    assert total.run(x).tolist() == [[[-2], [-7], [-2]]]
    assert total.infer(TensorSpec((3, 1), IntType(3, 4))).dtype == IntType(3, 8)


def test_stride_is_the_kernel_unless_given() -> None:
    assert MaxPool(**ENDS, kernel=(2, 3)).stride == (2, 3)
    assert SumPool(**ENDS, kernel=(2,)).stride == (2,)
    assert SumPool(**ENDS, kernel=(4, 4)).infer(TensorSpec((4, 4, 7), BIPOLAR)) == TensorSpec(
        (1, 1, 7), IntType(-16, 16)
    )


@pytest.mark.parametrize("kind", [MaxPool, SumPool])
@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kernel": 2}, "kernel must be a tuple"),
        ({"kernel": ()}, "kernel must be a tuple"),
        ({"kernel": (1, 1, 1)}, "kernel must be a tuple"),
        ({"kernel": (0, 1)}, "kernel must be 2 integers"),
        ({"kernel": (2,), "stride": (1, 1)}, "stride must be 1 integers"),
        ({"kernel": (2,), "padding": ((1,),)}, "padding must be 1 pairs"),
    ],
)
def test_bad_arguments(kind: type[Operation], fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        kind(**ENDS, **fields)
    assert str(caught.value).startswith(f"{kind.kind} 'op': ")


@pytest.mark.parametrize(
    ("pool", "shape", "message"),
    [
        (MaxPool(**ENDS, kernel=(2,)), (5, 5, 1), "needs an input .length, channels."),
        (SumPool(**ENDS, kernel=(2, 2)), (5, 1), "needs an input .height, width, channels."),
        (MaxPool(**ENDS, kernel=(6,)), (5, 1), "does not fit"),
        (SumPool(**ENDS, kernel=(6,)), (5, 1), "does not fit"),
        (MaxPool(**ENDS, kernel=(2,), padding=((2, 0),)), (5, 1), "windows of padding alone"),
        (MaxPool(**ENDS, kernel=(2,), stride=(1,), padding=((0, 2),)), (5, 1), "windows of padding alone"),
        (MaxPool(**ENDS, kernel=(2,), stride=(1,), padding=((1, 1),), dilation=(2,)), (1, 1), "of padding alone"),
        (MaxPool(**ENDS, kernel=(1 << 30,), padding=((1 << 30, 0),)), (5, 1), "may exceed"),
    ],
)
def test_misfits(pool: Operation, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        pool.infer(TensorSpec(shape, INT4))
    assert "'op'" in str(caught.value)


def test_sums_beyond_64_bits_are_refused_at_run() -> None:
    with pytest.raises(InputError, match="64 bits"):
        SumPool(**ENDS, kernel=(4,)).run(np.full((1, 4, 1), 2**62))
