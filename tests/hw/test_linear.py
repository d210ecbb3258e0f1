import pytest

from bitwright.graph import BIPOLAR, TERNARY, IntType, Linear, TensorSpec
from tests.hw.check_core import chain, check_core
from tests.hw.operations import random_linear

U, S = IntType.unsigned, IntType.signed_bits


@pytest.mark.parametrize(
    ("weights", "inputs", "folding"),
    [
        (BIPOLAR, BIPOLAR, (2, 3)),
        (TERNARY, BIPOLAR, (4, 12)),
        (S(3), BIPOLAR, (1, 4)),
        (BIPOLAR, U(3), (2, 12)),
        (BIPOLAR, S(4), (4, 6)),
        (TERNARY, U(2), (1, 1)),
        (TERNARY, S(3), (2, 6)),
        (S(2), U(2), (4, 3)),
        (S(8), U(8), (2, 4)),
        (S(4), S(5), (1, 12)),
        (IntType(-3, 3), IntType(-1, 2), (2, 2)),
        (U(2), U(1), (4, 4)),
    ],
    ids=str,
)
def test_every_kind_of_product_equals_the_definition(weights, inputs, folding):
    layer = random_linear(weights, 12, 8, seed=3)
    check_core(chain(TensorSpec((12,), inputs), layer), {"fc": folding})


@pytest.mark.parametrize("folding", [(1, 1), (8, 1), (1, 12), (8, 12)])
def test_foldings_from_one_multiplier_to_fully_parallel(folding):
    check_core(chain(TensorSpec((12,), BIPOLAR), random_linear(BIPOLAR, 12, 8)), {"fc": folding})


def test_popcounts_longer_than_a_cycle_are_counted_in_pieces():
    check_core(chain(TensorSpec((300,), BIPOLAR), random_linear(BIPOLAR, 300, 2)), {"fc": (1, 300)}, frames=3)


def test_a_bias_and_several_vectors_a_frame():
    layer = random_linear(S(4), 6, 4, bias=True)
    check_core(chain(TensorSpec((3, 6), U(3)), layer), {"fc": (2, 3)})


def test_bias_on_popcounts_goes_into_the_output():
    check_core(chain(TensorSpec((6,), BIPOLAR), random_linear(TERNARY, 6, 4, bias=True)), {"fc": (2, 6)})


def test_layers_of_signed_and_of_unsigned_weights_keep_apart():
    first, second = random_linear(U(3), 6, 4), random_linear(S(3), 6, 4)
    names = {"name": "fc2", "inputs": ("x",), "output": "b"}
    network = chain(TensorSpec((6,), U(3)), first, Linear(**{**second.attributes(), **names}), outputs=("a", "b"))
    check_core(network, {"fc": (2, 3), "fc2": (2, 3)})
