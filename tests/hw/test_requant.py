import pytest

from bitwright.graph import BIPOLAR, IntType, TensorSpec
from tests.hw.check_core import chain, check_core
from tests.hw.operations import random_linear, random_requant

U, S = IntType.unsigned, IntType.signed_bits


@pytest.mark.parametrize(
    ("weights", "source", "output"),
    [(S(8), U(8), U(8)), (BIPOLAR, BIPOLAR, S(4)), (S(4), S(4), IntType(-5, 9))],
    ids=str,
)
def test_requantization_behind_a_layer(weights, source, output):
    layer = random_linear(weights, 6, 4, bias=True)
    check_core(chain(TensorSpec((6,), source), layer, random_requant(output, 4)), {"fc": (2, 3)})


@pytest.mark.parametrize("shift", [0, 1, 11])
def test_requantization_of_its_own(shift):
    requant = random_requant(S(8), 4, shift=shift, source="x")
    check_core(chain(TensorSpec((4,), S(9)), requant), {"act": (4, 4)})


def test_a_multiplier_wider_than_a_dsp_block():
    layer = random_linear(S(8), 40, 4)
    requant = random_requant(S(8), 4, shift=38)
    wide = {"multiplier": requant.multiplier * 2**27 + 12345, "offset": requant.offset * 2**36 - 77}
    fields = {**requant.attributes(), **wide, "name": "act", "inputs": ("a",), "output": "h"}
    check_core(chain(TensorSpec((40,), U(8)), layer, type(requant)(**fields)), {"fc": (2, 20)}, frames=40)
