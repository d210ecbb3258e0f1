"""Add and Concat, Upsample and Reshape."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitwright.errors import InputError
from bitwright.graph import (
    BIPOLAR,
    TERNARY,
    Add,
    Concat,
    IntType,
    Linear,
    MaxPool,
    Network,
    Operation,
    Reshape,
    TensorSpec,
    Upsample,
)

INT4 = IntType.signed_bits(4)
ONE: dict[str, Any] = {"name": "op", "inputs": ("x",), "output": "y"}
TWO: dict[str, Any] = {"name": "op", "inputs": ("x", "z"), "output": "y"}


@given(
    st.lists(st.integers(-5, 5).filter(bool), min_size=2, max_size=3),
    st.lists(st.sampled_from([BIPOLAR, TERNARY, IntType(-2, 3), IntType(1, 2)]), min_size=3, max_size=3),
)
def test_add_by_trying_everything(multipliers: list[int], dtypes: list[IntType]) -> None:
    dtypes = dtypes[: len(multipliers)]
    add = Add(name="op", inputs=tuple("abc"[: len(dtypes)]), output="y", multipliers=multipliers)
    ranges = [[v for v in range(d.lo, d.hi + 1) if v or d is not BIPOLAR] for d in dtypes]
    every = np.array(list(itertools.product(*ranges)), dtype=np.int8)
    result = add.run(*every.T[..., None])
    assert result[:, 0].tolist() == [sum(m * int(v) for m, v in zip(multipliers, row, strict=True)) for row in every]
    inferred = add.infer(*(TensorSpec((1,), dtype) for dtype in dtypes))
    assert inferred == TensorSpec((1,), IntType(int(result.min()), int(result.max())))


def test_concat_keeps_one_type() -> None:
    concat = Concat(**TWO)
    for dtype in (BIPOLAR, TERNARY, INT4):
        specs = (TensorSpec((3, 2), dtype, 0.5), TensorSpec((3, 4), dtype, 0.5))
        assert concat.infer(*specs) == TensorSpec((3, 6), dtype, 0.5)
    hull = concat.infer(TensorSpec((2,), IntType(2, 9)), TensorSpec((4,), BIPOLAR))
    assert hull == TensorSpec((6,), IntType(-1, 9))
    assert concat.infer(TensorSpec((2,), TERNARY), TensorSpec((4,), BIPOLAR)).dtype == IntType(-1, 1)
    x = np.arange(12).reshape(1, 3, 4)
    assert concat.run(x[..., :1], x[..., 1:]).tolist() == x.tolist()


def test_upsample_and_reshape() -> None:
    x = np.array([[[[1], [2]], [[3], [4]]]], dtype=np.int8)
    operation = Upsample(**ONE, factors=(2, 3))
    assert operation.run(x)[0, :, :, 0].tolist() == [[1, 1, 1, 2, 2, 2]] * 2 + [[3, 3, 3, 4, 4, 4]] * 2
    assert operation.infer(TensorSpec((2, 2, 5), BIPOLAR, 0.1)) == TensorSpec((4, 6, 5), BIPOLAR, 0.1)
    assert Upsample(**ONE, factors=(2,)).run(x[0]).tolist() == [[[1], [1], [2], [2]], [[3], [3], [4], [4]]]
    reshape = Reshape(**ONE, shape=(4, 1))
    assert reshape.run(x).tolist() == [[[1], [2], [3], [4]]]
    assert reshape.run(x[:0]).shape == (0, 4, 1)
    assert reshape.infer(TensorSpec((2, 2), TERNARY)) == TensorSpec((4, 1), TERNARY)


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        (Add, {**ONE, "multipliers": [1]}, "takes 2 or more input tensors, not 1"),
        (Add, {**TWO, "multipliers": [1]}, "1 multipliers for 2 inputs"),
        (Add, {**TWO, "multipliers": [1, 0]}, "a multiplier is 0"),
        (Add, {**TWO, "multipliers": [1, 0.5]}, "must be an integer array"),
        (Add, {**TWO, "inputs": ("x", "x"), "multipliers": [1, 1]}, "reads a tensor twice"),
        (Concat, ONE, "takes 2 or more"),
        (Upsample, {**ONE, "factors": 2}, "factors must be a tuple"),
        (Upsample, {**ONE, "factors": (2, 0)}, "factors must be 2 integers"),
        (Upsample, {**TWO, "factors": (2, 2)}, "takes exactly 1 input tensor, not 2"),
        (Reshape, {**ONE, "shape": ()}, "shape must be a tuple"),
        (Reshape, {**ONE, "shape": (-1, 2)}, "shape must be 2 integers of at least 1"),
    ],
)
def test_bad_arguments(kind: type[Operation], fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        kind(**fields)
    assert str(caught.value).startswith(f"{kind.kind} 'op': ")


@pytest.mark.parametrize(
    ("operation", "shapes", "message"),
    [
        (Add(**TWO, multipliers=[1, 1]), ((2, 3), (3, 2)), "needs inputs of one shape, but 'x' is"),
        (Add(**TWO, multipliers=[2**62, 1]), ((1,), (1,)), "64 bits"),
        (Concat(**TWO), ((2, 3), (3, 3)), "differ in their last axis only"),
        (Concat(**TWO), ((), ()), "not a scalar"),
        (Upsample(**ONE, factors=(2, 2)), ((2, 3),), "factors for 2 axes"),
        (Upsample(**ONE, factors=(2**40, 2**40)), ((2, 3, 1),), "more than 2,147,483,648 elements"),
        (Reshape(**ONE, shape=(2, 3)), ((7,),), "makes 6 elements, but tensor 'x'"),
    ],
)
def test_misfits(operation: Operation, shapes: tuple[tuple[int, ...], ...], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        operation.infer(*(TensorSpec(shape, INT4) for shape in shapes))
    assert "'op'" in str(caught.value)


def test_sums_beyond_64_bits_are_refused_at_run() -> None:
    with pytest.raises(InputError, match="64 bits"):
        Add(**TWO, multipliers=[2**30, 1]).run(np.full((1, 1), 2**40), np.zeros((1, 1), dtype=np.int8))


def test_fork_and_join_in_a_network() -> None:
    network = Network(
        "residual", "x", TensorSpec((2, 2, 1), INT4),
        (
            Linear(name="fc", inputs=("x",), output="a", weights=[[3]], weight_type=INT4),
            MaxPool(name="pool", inputs=("x",), output="p", kernel=(1, 1)),
            Add(name="add", inputs=("a", "x", "p"), output="s", multipliers=[1, 2, -1]),
            Concat(name="join", inputs=("s", "x"), output="y"),
        ),
        ("y", "s"),
    )  # fmt: skip
    assert [operation.name for operation in network.consumers("x")] == ["fc", "pool", "add", "join"]
    x = np.arange(-4, 4, dtype=np.int8).reshape(2, 2, 2, 1)
    y, s = network.run(x)
    assert np.array_equal(s, 4 * x)
    assert np.array_equal(y, np.concatenate((4 * x, x), axis=-1))
