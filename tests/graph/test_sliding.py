"""Where windows lie, against plain Python."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitwright.errors import InputError
from bitwright.graph import SlidingWindow


@given(st.integers(1, 9), st.integers(1, 4), st.integers(1, 4), st.integers(0, 6), st.integers(0, 6), st.integers(1, 4))
def test_ranges_are_those_of_the_taps(size: int, kernel: int, stride: int, before: int, after: int, d: int) -> None:
    if size + before + after < d * (kernel - 1) + 1:
        with pytest.raises(InputError, match="does not fit"):
            SlidingWindow((size,), (kernel,), (stride,), ((before, after),), (d,))
        return
    window = SlidingWindow((size,), (kernel,), (stride,), ((before, after),), (d,))
    found = set()
    for row in window.taps[0].tolist():
        real = [k for k, place in enumerate(row) if 0 <= place < size]
        assert real == list(range(real[0], real[-1] + 1)) if real else True
        found.add((real[0], real[-1] + 1) if real else (0, 0))
    assert {tuple(pair) for pair in window.ranges[0].tolist()} == found
    assert window.padded == any(pair != (0, kernel) for pair in found)
    x = np.arange(1, size + 1).reshape(1, size, 1)
    views = np.stack([seen[0, :, 0] for _, seen in window.views(window.pad(x, 0))], axis=1)
    inside = (window.taps[0] >= 0) & (window.taps[0] < size)
    assert np.array_equal(views, np.where(inside, window.taps[0] + 1, 0))


def test_order_of_the_views() -> None:
    window = SlidingWindow((3, 4), (2, 2), (1, 2), ((0, 0), (0, 0)), (1, 1))
    assert window.out == (2, 2)
    x = np.arange(12).reshape(1, 3, 4, 1)
    seen = {tap: view[0, :, :, 0].tolist() for tap, view in window.views(x)}
    assert seen == {
        (0, 0): [[0, 2], [4, 6]],
        (0, 1): [[1, 3], [5, 7]],
        (1, 0): [[4, 6], [8, 10]],
        (1, 1): [[5, 7], [9, 11]],
    }


def test_entries_that_make_no_sense() -> None:
    for fields in (
        ((3,), (2, 2), (1,), ((0, 0),), (1,)), ((3,), (2,), (0,), ((0, 0),), (1,)),
        ((3,), (2,), (1,), ((0,),), (1,)), ((3,), (2,), (1,), ((0, 1 << 21),), (1,)),
    ):  # fmt: skip
        with pytest.raises(InputError):
            SlidingWindow(*fields)
