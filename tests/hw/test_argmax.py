import pytest

from bitwright.graph import BIPOLAR, ArgMax, IntType, TensorSpec
from tests.hw.check_core import chain, check_core


@pytest.mark.parametrize(
    ("source", "lanes"),
    [
        (IntType.signed_bits(2), 1),
        (IntType.signed_bits(2), 2),
        (IntType.unsigned(2), 5),
        (IntType.signed_bits(3), 10),
        (BIPOLAR, 10),
    ],
    ids=str,
)
def test_the_lowest_index_wins_ties(source, lanes):
    arg = ArgMax(name="label", inputs=("x",), output="y")
    check_core(chain(TensorSpec((10,), source), arg), {"label": (1, lanes)}, frames=40)


def test_a_single_class():
    arg = ArgMax(name="label", inputs=("x",), output="y")
    check_core(chain(TensorSpec((1,), IntType.signed_bits(4)), arg), {"label": (1, 1)})
