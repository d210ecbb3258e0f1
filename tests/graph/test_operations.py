"""Each operation against its definition, written a second time in plain Python."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitwright.errors import InputError
from bitwright.graph import (
    BIPOLAR,
    TERNARY,
    ArgMax,
    Duplicate,
    Flatten,
    IntType,
    Linear,
    Operation,
    Permute,
    Requant,
    TensorSpec,
    Threshold,
    TopK,
)

INT4 = IntType.signed_bits(4)
ENDS: dict[str, Any] = {"name": "op", "inputs": ("x",), "output": "y"}
seeds = st.integers(0, 2**32 - 1)


@given(seeds, st.sampled_from([BIPOLAR, TERNARY, INT4, IntType.signed_bits(16), IntType(3, 9)]))
def test_linear_is_the_sum_of_products(seed: int, weight_type: IntType) -> None:
    rng = np.random.default_rng(seed)
    weights = rng.integers(weight_type.lo, weight_type.hi + 1, (3, 5))
    weights[weights == 0] = weight_type.hi
    bias = rng.integers(-1000, 1000, 3) if seed % 2 else None
    operation = Linear(**ENDS, weights=weights, weight_type=weight_type, bias=bias)
    x = rng.integers(-128, 128, (4, 5)).astype(np.int8)
    expected = [
        [sum(int(a) * int(w) for a, w in zip(row, line, strict=True)) + (int(bias[o]) if bias is not None else 0)
         for o, line in enumerate(weights)]
        for row in x
    ]  # fmt: skip
    assert operation.run(x).tolist() == expected


@settings(max_examples=40)
@given(seeds, st.sampled_from([IntType(-1, 1), IntType(0, 3), IntType(2, 4), IntType(-3, -2), BIPOLAR]))
def test_linear_types_are_exact_by_trying_everything(seed: int, input_type: IntType) -> None:
    rng = np.random.default_rng(seed)
    weights = rng.integers(-8, 8, (2, 3))
    bias = rng.integers(-20, 20, 2) if seed % 2 else None
    operation = Linear(**ENDS, weights=weights, weight_type=INT4, bias=bias)
    values = [v for v in range(input_type.lo, input_type.hi + 1) if v or input_type is not BIPOLAR]
    every = np.array(list(itertools.product(values, repeat=3)), dtype=np.int8)
    results = operation.run(every)
    assert operation.infer(TensorSpec((3,), input_type)).dtype == IntType(int(results.min()), int(results.max()))
    accumulator = operation.accumulator_type(input_type)
    reached = {0}
    for frame, channel in itertools.product(every, range(2)):
        terms = [int(a) * int(w) for a, w in zip(frame, weights[channel], strict=True)]
        terms += [int(bias[channel])] if bias is not None else []
        for size in range(len(terms) + 1):
            reached |= {sum(part) for part in itertools.combinations(terms, size)}
    assert accumulator.lo <= min(reached)
    assert accumulator.hi >= max(reached)
    if input_type.lo <= 0 <= input_type.hi:
        assert (accumulator.lo, accumulator.hi) == (min(reached), max(reached))


@given(seeds, st.sampled_from([BIPOLAR, TERNARY, IntType.unsigned(1), IntType(-3, 5), IntType(7, 7 + 3)]))
def test_threshold_counts_what_is_reached(seed: int, output_type: IntType) -> None:
    rng = np.random.default_rng(seed)
    steps = 1 if output_type is BIPOLAR else output_type.hi - output_type.lo
    channels = 1 if seed % 3 == 0 else 4
    rows = np.sort(rng.integers(-10, 10, (channels, steps)), axis=1)
    ascending = rng.random(channels) < 0.5
    operation = Threshold(**ENDS, thresholds=rows, ascending=ascending, output_type=output_type)
    x = rng.integers(-12, 12, (5, 4)).astype(np.int16)
    unit = 2 if output_type is BIPOLAR else 1
    for frame, channel in itertools.product(range(5), range(4)):
        row = channel if channels > 1 else 0
        count = unit * sum(1 for t in rows[row] if int(x[frame, channel]) >= int(t))
        expected = output_type.lo + count if ascending[row] else output_type.hi - count
        assert operation.run(x)[frame, channel] == expected


@given(seeds, st.integers(0, 20))
def test_requant_rounds_down_and_clips(seed: int, shift: int) -> None:
    rng = np.random.default_rng(seed)
    multiplier, offset = rng.integers(-500, 500, 3), rng.integers(-(2**18), 2**18, 3)
    operation = Requant(**ENDS, multiplier=multiplier, offset=offset, shift=shift, output_type=INT4)
    x = rng.integers(-1000, 1000, (4, 3))
    for frame, channel in itertools.product(range(4), range(3)):
        quotient = (int(x[frame, channel]) * int(multiplier[channel]) + int(offset[channel])) // 2**shift
        assert operation.run(x)[frame, channel] == max(-8, min(7, quotient))


@given(st.lists(st.integers(-128, 127), min_size=1, max_size=8), st.data())
def test_argmax_and_topk_prefer_the_lower_index(values: list[int], data: st.DataObject) -> None:
    x = np.array([values], dtype=np.int8)
    ranked = sorted(range(len(values)), key=lambda i: (-values[i], i))
    k = data.draw(st.integers(1, len(values)))
    assert ArgMax(**ENDS).run(x).tolist() == [ranked[0]]
    assert TopK(**ENDS, k=k).run(x).tolist() == [ranked[:k]]


def test_the_movers() -> None:
    x = np.arange(12, dtype=np.int8).reshape(2, 2, 3)
    assert Flatten(**ENDS).run(x).tolist() == [list(range(6)), list(range(6, 12))]
    assert Flatten(**ENDS).run(x[:0]).shape == (0, 6)
    assert Permute(**ENDS, order=[2, 0, 1]).run(x)[0, 0].tolist() == [2, 0, 1]
    assert Duplicate(**ENDS, copies=[2, 2]).run(x)[0, 1].tolist() == [3, 4, 5, 5, 5]


def test_shapes_and_types_of_the_others() -> None:
    vector = TensorSpec((6,), INT4, 0.5)
    assert ArgMax(**ENDS).infer(vector) == TensorSpec((), IntType(0, 5))
    assert TopK(**ENDS, k=2).infer(vector) == TensorSpec((2,), IntType(0, 5))
    assert Permute(**ENDS, order=range(6)).infer(vector) == vector
    assert Duplicate(**ENDS, copies=[1]).infer(vector) == TensorSpec((7,), INT4, 0.5)
    assert Flatten(**ENDS).infer(TensorSpec((2, 3), BIPOLAR)) == TensorSpec((6,), BIPOLAR)
    assert Threshold(**ENDS, thresholds=[[0]], ascending=[True], output_type=BIPOLAR).infer(vector).dtype == BIPOLAR


def test_arrays_are_copied_and_read_only() -> None:
    weights = np.ones((2, 3), dtype=np.int64)
    operation = Linear(**ENDS, weights=weights, weight_type=BIPOLAR)
    weights[:] = -1
    assert operation.weights.dtype == np.int8
    assert operation.weights.tolist() == [[1, 1, 1], [1, 1, 1]]
    with pytest.raises(ValueError, match="read-only"):
        operation.weights[0, 0] = 0


BAD = [
    (Linear, {"weights": np.zeros((2, 3)), "weight_type": INT4}, "weights must be an integer array"),
    (Linear, {"weights": np.zeros(3, dtype=int), "weight_type": INT4}, "2 axes"),
    (Linear, {"weights": np.zeros((0, 3), dtype=int), "weight_type": INT4}, "non-empty"),
    (Linear, {"weights": [[8]], "weight_type": INT4}, "outside their type int4"),
    (Linear, {"weights": [[0]], "weight_type": BIPOLAR}, "outside their type bipolar"),
    (Linear, {"weights": [[1]], "weight_type": IntType(0, 2**40)}, "more than 32 bits"),
    (Linear, {"weights": [[1]], "weight_type": 4}, "must be an IntType"),
    (Linear, {"weights": [[1]], "weight_type": INT4, "bias": [1, 2]}, "bias has 2 values"),
    (Linear, {"weights": [[1]], "weight_type": INT4, "bias": [0.5]}, "bias must be an integer array"),
    (Linear, {"weights": [[1]], "weight_type": INT4, "bias": np.array([2**63], dtype=np.uint64)}, "do not fit int64"),
    (Threshold, {"thresholds": [[1, 0]], "ascending": [True], "output_type": TERNARY}, "not sorted"),
    (Threshold, {"thresholds": [[0, 1]], "ascending": [True], "output_type": BIPOLAR}, "needs 1 thresholds, not 2"),
    (Threshold, {"thresholds": [[0]], "ascending": [1], "output_type": BIPOLAR}, "must be a bool array"),
    (Threshold, {"thresholds": [[0]], "ascending": [True, True], "output_type": BIPOLAR}, "ascending has 2 values"),
    (Requant, {"multiplier": [1], "offset": [0], "shift": 63, "output_type": INT4}, "shift must be"),
    (Requant, {"multiplier": [1], "offset": [0], "shift": 1.0, "output_type": INT4}, "shift must be"),
    (Requant, {"multiplier": [1], "offset": [0], "shift": 1, "output_type": BIPOLAR}, "that holds 0"),
    (Requant, {"multiplier": [1], "offset": [0, 0], "shift": 1, "output_type": INT4}, "must agree"),
    (TopK, {"k": 0}, "k must be a positive integer"),
    (Permute, {"order": [0, 0]}, "each of 0 to 1 once"),
    (Duplicate, {"copies": [-1]}, "indices from 0 on"),
]


@pytest.mark.parametrize(("kind", "fields", "message"), BAD)
def test_bad_arguments_name_the_operation(kind: type[Operation], fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        kind(**ENDS, **fields)
    assert str(caught.value).startswith(f"{kind.kind} 'op': ")
    assert "\n" not in str(caught.value)


MISFITS = [
    (Linear(**ENDS, weights=[[1, 1]], weight_type=BIPOLAR), (3,), INT4, "weights for 2 inputs"),
    (Linear(**ENDS, weights=[[1]], weight_type=BIPOLAR), (), INT4, "not a scalar"),
    (Linear(**ENDS, weights=[[7]], weight_type=INT4), (1,), IntType(0, 2**61), "more than 63"),
    (Threshold(**ENDS, thresholds=[[0]] * 2, ascending=[True] * 2, output_type=BIPOLAR), (3,), INT4, "2 channels"),
    (Requant(**ENDS, multiplier=[1, 1], offset=[0, 0], shift=0, output_type=INT4), (3,), INT4, "2 multipliers"),
    (Requant(**ENDS, multiplier=[2**60], offset=[0], shift=0, output_type=INT4), (3,), INT4, "64 bits"),
    (ArgMax(**ENDS), (2, 3), INT4, "needs a vector"),
    (TopK(**ENDS, k=4), (3,), INT4, "only 3 values"),
    (TopK(**ENDS, k=1), (3, 1), INT4, "needs a vector"),
    (Permute(**ENDS, order=[1, 0]), (3,), INT4, "orders 2 channels"),
    (Duplicate(**ENDS, copies=[3]), (3,), INT4, "copies channel 3"),
]


@pytest.mark.parametrize(("operation", "shape", "dtype", "message"), MISFITS)
def test_misfits_name_operation_and_tensor(
    operation: Operation, shape: tuple[int, ...], dtype: IntType, message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        operation.infer(TensorSpec(shape, dtype))
    assert "'op'" in str(caught.value)


@pytest.mark.parametrize("word", ["", "a\nb", 7, "x" * 201])
def test_names_that_are_none(word: Any) -> None:
    with pytest.raises(InputError, match="is no name"):
        Flatten(name=word, inputs=("x",), output="y")


def test_one_input_each() -> None:
    with pytest.raises(InputError, match="exactly 1 input"):
        Flatten(name="f", inputs=("x", "z"), output="y")
    with pytest.raises(InputError, match="not the string"):
        Flatten(name="f", inputs="x", output="y")  # type: ignore[arg-type]


def test_sums_beyond_64_bits_are_refused_at_run() -> None:
    linear = Linear(**ENDS, weights=np.full((1, 4), 2**31 - 1), weight_type=IntType.signed_bits(32))
    with pytest.raises(InputError, match="64 bits"):
        linear.run(np.full((1, 4), 2**40))
    requant = Requant(**ENDS, multiplier=[2**40], offset=[0], shift=0, output_type=INT4)
    with pytest.raises(InputError, match="64 bits"):
        requant.run(np.full((1, 4), 2**40))


def test_macs_and_weight_bits() -> None:
    linear = Linear(**ENDS, weights=np.ones((3, 5), dtype=np.int8), weight_type=TERNARY)
    assert linear.weight_bits == 30
    assert linear.macs(TensorSpec((5,), INT4)) == 15
    assert linear.macs(TensorSpec((2, 5), INT4)) == 30
    assert Flatten(**ENDS).weight_bits == Flatten(**ENDS).macs(TensorSpec((2, 5), INT4)) == 0
