import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bitwright.graph import IntArray, Requant, Threshold
from bitwright.graph.types import IntType
from bitwright.quantize.requant_fit import fit_requant
from bitwright.quantize.thresholds import StepFunction, bisect_steps, first_difference


def _random_table(rng: np.random.Generator, lo: IntArray, hi: IntArray, steps: int) -> IntArray:
    """Monotone levels for each integer of [min lo, max hi] and channel, rising or falling or constant."""
    span = int(hi.max() - lo.min()) + 1
    rising = np.sort(rng.integers(0, steps + 1, size=(span, lo.size)), axis=0)
    kind = rng.integers(3, size=lo.size)
    return np.where(kind == 0, rising, np.where(kind == 1, rising[::-1], rng.integers(0, steps + 1, size=lo.size)))


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_bisection_finds_every_monotone_step_function(seed: int) -> None:
    rng = np.random.default_rng(seed)
    channels, steps = int(rng.integers(1, 6)), int(rng.integers(1, 20))
    lo = rng.integers(-50, 10, size=channels)
    hi = lo + rng.integers(0, 60, size=channels)
    table = _random_table(rng, lo, hi, steps)
    low = int(lo.min())

    def level(x: IntArray) -> IntArray:
        assert np.all((x >= lo) & (x <= hi))
        return np.take_along_axis(table, x - low, axis=0)

    found = bisect_steps(level, lo, hi, steps)
    assert first_difference(level, found, lo, hi) is None
    assert np.all(np.diff(found.thresholds, axis=1) >= 0)
    assert np.all((found.thresholds >= lo[:, None]) & (found.thresholds <= hi[:, None] + 1))
    operation = Threshold(
        name="t",
        inputs=("x",),
        output="y",
        thresholds=found.thresholds,
        ascending=found.ascending,
        output_type=IntType(3, 3 + steps),
    )
    points = np.minimum(lo + np.arange(61)[:, None], hi)
    assert np.array_equal(operation.run(points), 3 + level(points))


def test_a_function_that_is_not_monotone_is_found_out() -> None:
    lo, hi = np.array([-20]), np.array([20])

    def level(x: IntArray) -> IntArray:
        return ((x > -10) & (x != 7)).astype(np.int64)

    assert first_difference(level, bisect_steps(level, lo, hi, 1), lo, hi) == (0, 7)


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_fitted_requant_is_the_same_function_on_the_whole_interval(seed: int) -> None:
    rng = np.random.default_rng(seed)
    channels, bits = int(rng.integers(1, 5)), int(rng.integers(1, 9))
    lo = rng.integers(-400, 0, size=channels)
    hi = lo + rng.integers(0, 800, size=channels)
    out_lo = int(rng.integers(-130, 5))
    out_hi = out_lo + (1 << bits) - 1
    slope = rng.normal(size=channels) * rng.choice([0.0, 0.01, 0.3, 3.0], size=channels)
    offset = rng.normal(size=channels) * 50

    def level(x: IntArray) -> IntArray:
        return np.clip(np.rint(x * slope + offset), out_lo, out_hi).astype(np.int64) - out_lo

    found = bisect_steps(level, lo, hi, out_hi - out_lo)
    fit = fit_requant(found, lo, hi, slope, out_lo, out_hi)
    assert fit is not None
    operation = Requant(
        name="r",
        inputs=("x",),
        output="y",
        multiplier=fit.multiplier,
        offset=fit.offset,
        shift=fit.shift,
        output_type=IntType(out_lo, out_hi),
    )
    points = np.minimum(lo + np.arange(801)[:, None], hi)
    assert np.array_equal(operation.run(points), level(points) + out_lo)


def test_half_to_even_is_no_requant() -> None:
    """Steps at 1, 1, 5, 5, 9, 9 are what rounding x / 2 to even gives; no straight line does."""
    lo, hi = np.array([0]), np.array([60])
    found = bisect_steps(lambda x: np.clip(np.rint(x / 2), 0, 30).astype(np.int64), lo, hi, 30)
    assert fit_requant(found, lo, hi, np.array([0.5]), 0, 30) is None


def test_levels_mirror_the_definition() -> None:
    function = StepFunction(np.array([[0, 2], [0, 2]]), np.array([True, False]))
    assert function.levels(np.array([[-1, -1], [0, 0], [2, 2]])).tolist() == [[0, 2], [1, 1], [2, 0]]
