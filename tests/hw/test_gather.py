import numpy as np
import pytest

from bitwright.graph import BIPOLAR, Duplicate, IntType, Permute, TensorSpec
from tests.hw.check_core import chain, check_core


@pytest.mark.parametrize(("lanes_in", "lanes_out"), [(1, 1), (3, 4), (12, 2), (4, 12)])
def test_permute(lanes_in, lanes_out):
    order = np.random.default_rng(lanes_in).permutation(12)
    permute = Permute(name="perm", inputs=("x",), output="y", order=order)
    check_core(chain(TensorSpec((12,), IntType.signed_bits(3)), permute), {"perm": (lanes_out, lanes_in)})


@pytest.mark.parametrize(("lanes_in", "lanes_out"), [(2, 3), (6, 9)])
def test_duplicate(lanes_in, lanes_out):
    duplicate = Duplicate(name="copy", inputs=("x",), output="y", copies=np.array([5, 0, 5]))
    check_core(chain(TensorSpec((2, 6), BIPOLAR), duplicate), {"copy": (lanes_out, lanes_in)})
