import pytest

from bitwright.graph import BIPOLAR, IntType, TensorSpec, TopK
from tests.hw.check_core import chain, check_core


@pytest.mark.parametrize(
    ("source", "k"),
    [(IntType.signed_bits(3), 1), (IntType.signed_bits(3), 3), (IntType.unsigned(2), 9), (BIPOLAR, 4)],
    ids=str,
)
def test_order_and_ties(source, k):
    top = TopK(name="top", inputs=("x",), output="y", k=k)
    check_core(chain(TensorSpec((9,), source), top), frames=20)
