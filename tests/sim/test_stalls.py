"""Random stalls: reproducible, of the mean they are asked for, never for ever."""

from __future__ import annotations

import numpy as np
import pytest

from bitwright.errors import InputError
from bitwright.sim.stalls import READY_PERIOD, Stalls


def test_same_seed_same_stalls() -> None:
    one, other = Stalls(3, 1.5, 2.0), Stalls(3, 1.5, 2.0)
    assert np.array_equal(one.input_gaps(1000), other.input_gaps(1000))
    assert np.array_equal(one.output_ready(), other.output_ready())
    assert not np.array_equal(one.input_gaps(1000), Stalls(4, 1.5, 2.0).input_gaps(1000))
    assert not np.array_equal(one.output_ready(output_index=0), one.output_ready(output_index=1))


def test_longer_arrays_start_with_the_shorter() -> None:
    stalls = Stalls(3, 1.5, 2.0)
    assert np.array_equal(stalls.input_gaps(1000)[:10], stalls.input_gaps(10))


@pytest.mark.parametrize("mean", [0.25, 1.0, 7.0])
def test_means(mean: float) -> None:
    stalls = Stalls(0, mean, mean)
    gaps = stalls.input_gaps(200_000)
    assert gaps.dtype == np.uint32
    assert abs(gaps.mean() - mean) < 0.03 * (1 + mean)
    assert abs(stalls.output_ready(200_000).mean() - 1 / (1 + mean)) < 0.01


def test_no_stalls() -> None:
    assert not Stalls().input_gaps(10).any()
    assert Stalls().output_ready().all()
    assert len(Stalls(0, 0.0, 1.0).output_ready()) == READY_PERIOD


def test_a_sink_is_ready_at_some_time() -> None:
    assert Stalls(0, 0.0, 1000.0).output_ready(3).any()


BAD = [{"input_gap": -1.0}, {"output_gap": 2000.0}, {"output_gap": float("nan")}, {"seed": -1}]


@pytest.mark.parametrize("fields", BAD)
def test_bad_stalls(fields: dict[str, float]) -> None:
    with pytest.raises(InputError, match=r"Stalls\."):
        Stalls(**fields)  # type: ignore[arg-type]
