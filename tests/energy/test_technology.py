import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitwright.energy import TECHNOLOGIES, Technology, find_technology
from bitwright.errors import InputError

HOROWITZ = find_technology("horowitz45")
every = pytest.mark.parametrize("table", TECHNOLOGIES.values(), ids=list(TECHNOLOGIES))
bits = st.integers(1, 64)


def test_published_figures_are_returned_as_they_are() -> None:
    assert [HOROWITZ.int_add(width).pj for width in (8, 16, 32)] == [0.03, 0.05, 0.1]
    assert HOROWITZ.int_mul(8, 8).pj == 0.2
    assert HOROWITZ.int_mul(32, 32).pj == 3.1
    assert [HOROWITZ.memory_read(64, kilobytes * 128).pj for kilobytes in (8, 32, 1024)] == [10, 20, 100]
    assert {HOROWITZ.int_add(8).basis, HOROWITZ.int_mul(32, 32).basis, HOROWITZ.memory_read(64, 1024).basis} == {
        "published"
    }


def test_what_lies_between_and_beyond_says_so() -> None:
    assert HOROWITZ.int_add(12).pj == pytest.approx(0.04)
    assert HOROWITZ.int_add(12).basis == "interpolated"
    assert HOROWITZ.int_add(4).pj == pytest.approx(0.015)
    assert HOROWITZ.int_add(4).basis == "extrapolated"
    assert HOROWITZ.int_add(64).pj == pytest.approx(0.2)
    assert HOROWITZ.int_mul(16, 16).pj == pytest.approx((0.2 * 3.1) ** 0.5)  # 256 is the geometric mean of 64 and 1024
    assert HOROWITZ.int_mul(16, 16).basis == "interpolated"
    assert HOROWITZ.memory_read(64, 2048).pj == pytest.approx(200**0.5)
    assert HOROWITZ.memory_read(64, 256).pj == pytest.approx(5.0)  # energy goes with the root of the size there
    assert HOROWITZ.memory_read(64, 256).basis == "extrapolated"
    assert HOROWITZ.gate().basis == HOROWITZ.memory_write(64, 1024).basis == "assumed"


def test_a_wide_memory_is_slices_of_64_bits() -> None:
    assert HOROWITZ.memory_read(1024, 1024).pj == pytest.approx(160.0)
    assert HOROWITZ.memory_read(16, 1024).pj == pytest.approx(2.5)
    assert HOROWITZ.memory_read(16, 1024).basis == "interpolated"


def test_aladdin_scales_from_its_single_figures() -> None:
    table = find_technology("aladdin40")
    assert table.int_add(32).pj == 0.21
    assert table.int_add(8).pj == pytest.approx(0.21 / 4)
    assert table.int_mul(8, 8).pj == pytest.approx(12.68 / 16)
    assert table.int_mul(8, 8).basis == "extrapolated"


@every
@given(a=bits, b=bits, depth=st.integers(1, 1 << 20))
def test_every_cost_grows_with_its_sizes(table: Technology, a: int, b: int, depth: int) -> None:
    assert 0 < table.int_add(a).pj < table.int_add(a + 1).pj
    assert 0 < table.int_mul(a, b).pj < table.int_mul(a + 1, b).pj
    assert table.int_mul(a, b) == table.int_mul(b, a)
    assert 0 < table.memory_read(a, depth).pj < table.memory_read(a + 1, depth).pj
    assert table.memory_read(a, depth).pj < table.memory_read(a, depth + 1).pj


@every
def test_every_figure_names_its_source(table: Technology) -> None:
    points = (*table.adds, *table.multiplies, *table.memory_reads, table.register_bit_point)
    assert all(point.source and point.pj > 0 for point in points)
    for group in (table.adds, table.multiplies, table.memory_reads):
        assert [point.size for point in group] == sorted(point.size for point in group)


def test_unknown_technology_lists_the_known() -> None:
    with pytest.raises(InputError, match=r"unknown technology 'horowitz'; did you mean 'horowitz45'\? known: .*aladd"):
        find_technology("horowitz")


def test_sizes_below_one_are_refused() -> None:
    for call in (lambda: HOROWITZ.int_add(0), lambda: HOROWITZ.int_mul(8, 0), lambda: HOROWITZ.memory_read(8, 0)):
        with pytest.raises(InputError, match="at least 1, not 0"):
            call()
