"""Add, Concat and Upsample: what joins and repeats streams."""

from __future__ import annotations

import numpy as np
import pytest

from bitwright.graph import (
    BIPOLAR,
    Add,
    Concat,
    Conv,
    IntType,
    Network,
    Operation,
    Permute,
    Requant,
    TensorSpec,
    Threshold,
    Upsample,
)
from tests.hw.check_core import chain, check_core

U, S = IntType.unsigned, IntType.signed_bits


def clipped(name: str, dtype: IntType, source: str = "x") -> Operation:
    """A branch of another type than its source."""
    if dtype == BIPOLAR:
        return Threshold(
            name=name,
            inputs=(source,),
            output=name,
            thresholds=np.zeros((1, 1), dtype=int),
            ascending=np.ones(1, dtype=bool),
            output_type=dtype,
        )
    return Requant(
        name=name,
        inputs=(source,),
        output=name,
        multiplier=np.ones(1, dtype=int),
        offset=np.zeros(1, dtype=int),
        shift=0,
        output_type=dtype,
    )


@pytest.mark.parametrize("others", [(S(3),), (BIPOLAR, U(2)), (S(3), S(4), U(3))], ids=str)
@pytest.mark.parametrize("lanes", [1, 4])
def test_add_joins_branches_of_a_fork(others, lanes):
    branches = [clipped(f"b{index}", dtype) for index, dtype in enumerate(others)]
    multipliers = np.array([3, -1, 2, 5][: 1 + len(others)])
    join = Add(name="add", inputs=("x", *(b.output for b in branches)), output="y", multipliers=multipliers)
    check_core(chain(TensorSpec((3, 4), S(5)), *branches, join), {"add": (lanes, lanes)})


@pytest.mark.parametrize("dtypes", [(S(5), S(5)), (BIPOLAR, S(3)), (U(3), S(2)), (BIPOLAR, BIPOLAR)], ids=str)
@pytest.mark.parametrize("lanes", [1, 2])
def test_concat(dtypes, lanes):
    branches = [clipped(f"b{index}", dtype) for index, dtype in enumerate(dtypes)]
    join = Concat(name="concat", inputs=tuple(b.output for b in branches), output="y")
    check_core(chain(TensorSpec((2, 3, 4), S(5)), *branches, join), {"concat": (lanes, lanes)})


def test_concat_of_different_widths():
    narrow = Permute(name="p", inputs=("x",), output="p", order=np.array([1, 0, 2, 3]))
    conv = Conv(name="c", inputs=("x",), output="c", weights=np.ones((2, 1, 1, 4), dtype=int), weight_type=S(2))
    join = Concat(name="concat", inputs=("p", "c"), output="y")
    check_core(chain(TensorSpec((2, 2, 4), S(3)), narrow, conv, join), {"c": (1, 1), "concat": (2, 2)})


@pytest.mark.parametrize("factors", [(2, 3), (1, 2), (3, 1), (1, 1)])
@pytest.mark.parametrize("lanes", [1, 2])
def test_upsample(factors, lanes):
    operation = Upsample(name="up", inputs=("x",), output="y", factors=factors)
    check_core(chain(TensorSpec((3, 2, 4), S(3)), operation), {"up": (lanes, lanes)}, frames=3)


def test_upsample_of_a_signal():
    check_core(chain(TensorSpec((5, 2), BIPOLAR), Upsample(name="up", inputs=("x",), output="y", factors=(3,))))


def test_a_residual_block():
    rng = np.random.default_rng(0)

    def conv(name: str, source: str) -> Conv:
        weights = rng.integers(-3, 4, (4, 3, 3, 4))
        pads = ((1, 1), (1, 1))
        return Conv(name=name, inputs=(source,), output=name, weights=weights, weight_type=S(3), padding=pads)

    operations = [
        conv("c1", "x"),
        clipped("r1", S(4), "c1"),
        conv("c2", "r1"),
        clipped("r2", S(5), "c2"),
        Add(name="add", inputs=("r2", "x"), output="y", multipliers=np.array([1, 2])),
    ]
    network = Network("residual", "x", TensorSpec((5, 5, 4), S(4)), tuple(operations), ("y",))
    check_core(network, {"c1": (2, 4), "c2": (2, 2)}, frames=3)
