from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitwright.errors import InputError
from bitwright.graph import BIPOLAR, TERNARY, IntType, TensorSpec
from tests.graph.strategies import int_types


@given(int_types())
def test_codes_are_a_bijection_within_the_width(dtype: IntType) -> None:
    values = np.arange(dtype.lo, dtype.hi + 1, dtype=np.int64)
    codes = dtype.encode(values)
    assert codes.max() < 2**dtype.width
    assert len(np.unique(codes)) == len(values)
    assert np.array_equal(dtype.decode(codes), values)


@given(int_types())
def test_width_is_the_smallest_that_serves(dtype: IntType) -> None:
    fits = [
        bits
        for bits in range(1, 14)
        if (dtype.lo >= 0 and dtype.hi < 2**bits) or (dtype.lo >= -(2 ** (bits - 1)) and dtype.hi < 2 ** (bits - 1))
    ]
    assert dtype.width == min(fits)


def test_bipolar_and_ternary_codes() -> None:
    assert (BIPOLAR.width, TERNARY.width, BIPOLAR.signed, TERNARY.signed) == (1, 2, False, True)
    assert BIPOLAR.encode(np.array([-1, 1])).tolist() == [0, 1]
    assert TERNARY.encode(np.array([-1, 0, 1])).tolist() == [3, 0, 1]
    assert not BIPOLAR.contains(np.array([0, 1]))
    assert TERNARY.contains(np.array([0, 1, -1]))


@pytest.mark.parametrize(
    ("lo", "hi", "name"),
    [(-128, 127, "int8"), (0, 127, "int8"), (0, 128, "int16"), (-32769, 0, "int32"), (0, 2**31, "int64")],
)
def test_smallest_numpy_dtype(lo: int, hi: int, name: str) -> None:
    assert IntType(lo, hi).numpy == np.dtype(name)


def test_types_that_cannot_be() -> None:
    with pytest.raises(InputError, match="lo <= hi"):
        IntType(1, 0)
    with pytest.raises(InputError, match="always"):
        IntType(0, 1, "bipolar")
    with pytest.raises(InputError, match="64 bits"):
        _ = IntType(0, 2**63).numpy


def test_names_for_people() -> None:
    types = (BIPOLAR, TERNARY, IntType.unsigned(4), IntType.signed_bits(3), IntType(-5, 9))
    assert [str(t) for t in types] == ["bipolar", "ternary", "uint4", "int3", "[-5, 9]"]
    assert str(TensorSpec((3, 4), BIPOLAR)) == "bipolar[3 x 4]"
    assert str(TensorSpec((), BIPOLAR)) == "bipolar[scalar]"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((2, 3)), "must be a NumPy array of integers"),
        ([[1, 1, 1]], "must be a NumPy array of integers"),
        (np.ones((2, 4), dtype=np.int8), "expected \\(batch, 3\\)"),
        (np.ones(3, dtype=np.int8), "expected \\(batch, 3\\)"),
        (np.full((2, 3), 2, dtype=np.int8), "outside its type bipolar"),
        (np.zeros((2, 3), dtype=np.int8), "outside its type bipolar"),
    ],
)
def test_bad_inputs_are_named(values: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        TensorSpec((3,), BIPOLAR).check(values)  # type: ignore[arg-type]


@given(st.lists(st.integers(-(2**40), 2**40), max_size=5), int_types())
def test_contains_is_membership(values: list[int], dtype: IntType) -> None:
    assert dtype.contains(np.array(values, dtype=np.int64)) == all(dtype.lo <= v <= dtype.hi for v in values)
