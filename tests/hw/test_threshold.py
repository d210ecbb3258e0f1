import numpy as np
import pytest

from bitwright.graph import BIPOLAR, TERNARY, IntType, TensorSpec, Threshold
from tests.hw.check_core import chain, check_core
from tests.hw.operations import random_linear, random_threshold

U, S = IntType.unsigned, IntType.signed_bits


@pytest.mark.parametrize(
    ("output", "descending"),
    [
        (BIPOLAR, False),
        (BIPOLAR, True),
        (TERNARY, True),
        (U(2), False),
        (U(3), True),
        (S(4), True),
        (IntType(-2, 4), False),
    ],
    ids=str,
)
def test_thresholds_behind_a_layer(output, descending):
    layer = random_linear(S(3), 6, 8, seed=2)
    activation = random_threshold(output, 8, 60, descending=descending)
    check_core(chain(TensorSpec((6,), U(2)), layer, activation), {"fc": (2, 3)})


def test_popcount_thresholds_with_bias_and_negative_offsets():
    layer = random_linear(TERNARY, 9, 6, bias=True)
    check_core(chain(TensorSpec((9,), BIPOLAR), layer, random_threshold(U(3), 6, 12)), {"fc": (3, 9)})


@pytest.mark.parametrize(
    ("source", "output", "lanes"), [(S(5), U(2), 3), (BIPOLAR, BIPOLAR, 6), (U(6), S(4), 1)], ids=str
)
def test_thresholds_of_their_own(source, output, lanes):
    activation = random_threshold(output, 6, 20, source="x")
    check_core(chain(TensorSpec((2, 6), source), activation), {"act": (lanes, lanes)})


def test_one_row_serves_all_channels():
    row = Threshold(
        name="act",
        inputs=("x",),
        output="h",
        thresholds=np.arange(-7, 8)[None, :],
        ascending=np.array([True]),
        output_type=U(4),
    )
    check_core(chain(TensorSpec((4,), S(5)), row), {"act": (2, 2)})
