from __future__ import annotations

import pytest

from bitwright.graph import BIPOLAR, IntType, MaxPool, SumPool, TensorSpec
from tests.hw.check_core import chain, check_core

U, S = IntType.unsigned, IntType.signed_bits
NAMES = {"name": "pool", "inputs": ("x",), "output": "y"}


@pytest.mark.parametrize("kind", [MaxPool, SumPool])
@pytest.mark.parametrize("dtype", [BIPOLAR, U(3), S(4), IntType(-3, -1), IntType(2, 5)], ids=str)
@pytest.mark.parametrize("lanes", [1, 4])
def test_windows_that_do_not_overlap(kind, dtype, lanes):
    network = chain(TensorSpec((5, 7, 4), dtype), kind(kernel=(2, 3), **NAMES))
    assert len(check_core(network, {"pool": (lanes, lanes)}, frames=3).stages) == 1


@pytest.mark.parametrize("kind", [MaxPool, SumPool])
@pytest.mark.parametrize("lanes", [1, 3])
def test_global_pools(kind, lanes):
    check_core(chain(TensorSpec((3, 4, 3), S(4)), kind(kernel=(3, 4), **NAMES)), {"pool": (lanes, lanes)})


@pytest.mark.parametrize(
    ("kind", "dtype", "fields"),
    [
        (MaxPool, BIPOLAR, {"kernel": (3, 3), "stride": (2, 2), "padding": ((1, 1), (1, 1))}),
        (MaxPool, S(4), {"kernel": (2, 2), "stride": (1, 2), "dilation": (2, 1)}),
        (MaxPool, U(3), {"kernel": (2, 2), "stride": (2, 2), "padding": ((0, 1), (0, 1))}),
        (SumPool, U(3), {"kernel": (3, 2), "stride": (1, 1), "padding": ((1, 1), (0, 1))}),
        (SumPool, BIPOLAR, {"kernel": (3, 2), "stride": (2, 1)}),
        (SumPool, BIPOLAR, {"kernel": (3, 3), "stride": (2, 2), "padding": ((1, 1), (1, 0))}),
    ],
)
@pytest.mark.parametrize("lanes", [1, 2])
def test_windows_that_overlap_or_reach_into_padding(kind, dtype, fields, lanes):
    check_core(chain(TensorSpec((5, 5, 4), dtype), kind(**fields, **NAMES)), {"pool": (lanes, lanes)}, frames=3)


def test_signals():
    check_core(chain(TensorSpec((9, 2), S(3)), MaxPool(kernel=(3,), stride=(2,), **NAMES)))
