"""Every fast path answers exactly as the definitions do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitwright.graph import (
    BIPOLAR,
    TERNARY,
    Add,
    Concat,
    Conv,
    Flatten,
    IntArray,
    IntType,
    Linear,
    MaxPool,
    Network,
    Operation,
    Requant,
    TensorSpec,
    Threshold,
    Upsample,
    executor,
    values,
)
from bitwright.graph.executor import Executor
from bitwright.graph.matmul import ExactMatmul
from bitwright.graph.random import random_mlp, random_values
from bitwright.graph.steps import FastThreshold, fast_requant
from tests.graph.kernels import EACH, use
from tests.graph.strategies import cnns, networks

ENDS: dict[str, Any] = {"name": "op", "inputs": ("x",), "output": "y"}


def assert_exact(network: Network, x: IntArray) -> None:
    trace = network.trace(x)
    results = network.run(x)
    results = results if isinstance(results, tuple) else (results,)
    assert len(results) == len(network.outputs)
    for tensor, result in zip(network.outputs, results, strict=True):
        assert result.dtype == trace[tensor].dtype
        assert np.array_equal(result, trace[tensor])
    for tensor, result in trace.items():
        network.spec(tensor).check(result, tensor)


@settings(deadline=None, max_examples=200)
@given(networks(), st.integers(0, 40))
def test_run_equals_trace(network: Network, frames: int) -> None:
    assert_exact(network, random_values(network.input_spec, frames, 1))


@settings(deadline=None, max_examples=40)
@given(networks(binary=1.0, max_width=200), st.booleans())
def test_binary_networks_with_and_without_a_compiler(network: Network, compiled: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        if not compiled:
            use(patch, "numpy")
        assert_exact(network, random_values(network.input_spec, 20, 2))


@EACH
@settings(deadline=None, max_examples=60)
@given(cnns(), st.sampled_from([0, 1, 9, 33]))
def test_convolutional_networks_run_as_traced(way: str, network: Network, frames: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        use(patch, way)
        assert_exact(network, random_values(network.input_spec, frames, 1))


@EACH
@settings(deadline=None, max_examples=25)
@given(cnns(binary=1.0, max_channels=140, max_size=6, max_blocks=3), st.sampled_from([1, 12]))
def test_wide_binary_convolutional_networks(way: str, network: Network, frames: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        use(patch, way)
        assert_exact(network, random_values(network.input_spec, frames, 1))


def test_random_networks_meet_every_operation_and_type() -> None:
    kinds, weights, activations = set(), set(), set()
    for seed in range(150):
        network = random_mlp(seed)
        for operation in network.operations:
            kinds.add(operation.kind)
            if isinstance(operation, Linear):
                weights.add(operation.weight_type)
                activations.add(network.spec(operation.inputs[0]).dtype)
    assert len(kinds) == 8
    assert len(weights) == 9
    assert len(activations) == 16
    assert random_mlp(3).digest == random_mlp(3).digest != random_mlp(4).digest


def chain(weight_type: IntType, bias: bool, ascending: bool, widths: tuple[int, ...] = (70, 130, 66, 5)) -> Network:
    rng = np.random.default_rng(5)
    operations: list[Operation] = []
    tensor = "x"
    for layer in range(len(widths) - 1):
        shape = (widths[layer + 1], widths[layer])
        operations.append(
            Linear(
                name=f"fc{layer}", inputs=(tensor,), output=f"a{layer}",
                weights=random_values(TensorSpec(shape, weight_type), 1, layer)[0], weight_type=weight_type,
                bias=rng.integers(-9, 9, shape[0]) if bias else None,
            )
        )  # fmt: skip
        tensor = f"a{layer}"
        if layer < len(widths) - 2:
            operations.append(
                Threshold(
                    name=f"t{layer}", inputs=(tensor,), output=f"b{layer}",
                    thresholds=rng.integers(-9, 9, (shape[0], 1)), ascending=np.full(shape[0], ascending),
                    output_type=BIPOLAR,
                )
            )  # fmt: skip
            tensor = f"b{layer}"
    return Network("chain", "x", TensorSpec((widths[0],), BIPOLAR), tuple(operations), (tensor,))


@pytest.mark.parametrize("weight_type", [BIPOLAR, TERNARY])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("ascending", [False, True])
def test_packed_chains(weight_type: IntType, bias: bool, ascending: bool) -> None:
    network = chain(weight_type, bias, ascending)
    assert len(Executor(network).steps) == 3
    assert_exact(network, random_values(network.input_spec, 50, 3))


def test_a_chain_of_binary_layers_stays_packed(monkeypatch: pytest.MonkeyPatch) -> None:
    network = chain(BIPOLAR, False, True)
    calls: list[str] = []
    monkeypatch.setattr(values, "unpack", lambda *_: calls.append("unpack"))
    x = random_values(network.input_spec, 4, 3)
    expected = network.trace(x)["a2"]
    assert np.array_equal(network.run(x), expected)
    assert calls == []


def test_a_sum_that_somebody_else_reads_is_not_fused_away() -> None:
    single = chain(BIPOLAR, False, True)
    several = Network("n", "x", single.input_spec, single.operations, ("a0", "b0", "a2"))
    assert len(Executor(several).steps) == 4
    assert_exact(several, random_values(single.input_spec, 9, 3))


def test_chunks_join_seamlessly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor, "CHUNK_BYTES", 8 * 130 * 7)
    network = chain(BIPOLAR, True, True)
    assert Executor(network).chunk == 7
    assert_exact(network, random_values(network.input_spec, 30, 3))
    assert_exact(network, random_values(network.input_spec, 0, 3))


@pytest.mark.parametrize(
    ("lo", "hi", "dtype"),
    [
        (0, 2**24 - 1, "float32"), (0, 2**24, "float32"), (0, 2**24 + 1, "float64"), (-(2**24) - 1, 0, "float64"),
        (0, 2**53, "float64"), (0, 2**53 + 1, "int64"), (-(2**53) - 1, 0, "int64"),
    ],
)  # fmt: skip
def test_products_are_exact_at_the_edges_of_each_dtype(lo: int, hi: int, dtype: str) -> None:
    input_type = IntType(lo, hi)
    operation = Linear(**ENDS, weights=[[1], [-1]], weight_type=BIPOLAR, bias=None)
    method = ExactMatmul.of(operation, input_type)
    reach = max(-lo, hi)
    assert method.matrix.dtype == np.dtype(dtype)
    x = np.array([[lo], [hi], [hi - 1], [lo + 1]], dtype=np.int64)
    assert np.array_equal(method(x), operation.run(x))
    assert int(np.abs(method(x)).max()) == reach


@settings(deadline=None)
@given(st.integers(0, 999), st.integers(1, 31), st.integers(1, 63))
def test_wide_sums_in_any_dtype(seed: int, weight_bits: int, input_bits: int) -> None:
    rng = np.random.default_rng(seed)
    weight_type = IntType.signed_bits(max(2, weight_bits))
    input_type = IntType.signed_bits(min(input_bits, 56 - weight_bits))
    weights = random_values(TensorSpec((3, 40), weight_type), 1, seed)[0]
    operation = Linear(**ENDS, weights=weights, weight_type=weight_type, bias=rng.integers(-(2**40), 2**40, 3))
    x = random_values(TensorSpec((40,), input_type), 5, seed)
    assert np.array_equal(ExactMatmul.of(operation, input_type)(x), operation.run(x))


@settings(deadline=None)
@given(
    st.integers(0, 999),
    st.sampled_from([1, 2, 3, 7, 15, 16, 17, 31, 255]),
    st.sampled_from([IntType.signed_bits(6), IntType(-3, 127), IntType.signed_bits(30), IntType(5, 2**40)]),
    st.booleans(),
)
def test_each_way_to_do_thresholds(seed: int, steps: int, input_type: IntType, shared: bool) -> None:
    rng = np.random.default_rng(seed)
    lo = int(rng.integers(-130, 130))
    channels = 1 if shared else 6
    rows = np.sort(rng.integers(input_type.lo - 9, input_type.hi + 9, (channels, steps)), axis=1)
    operation = Threshold(
        **ENDS, thresholds=rows, ascending=rng.random(channels) < 0.5, output_type=IntType(lo, lo + steps)
    )
    x = random_values(TensorSpec((2, 6), input_type), 7, seed)
    x[0, 0, :channels] = np.clip(rows[:, 0], input_type.lo, input_type.hi)
    assert np.array_equal(FastThreshold.of(operation, input_type)(x), operation.run(x))


@settings(deadline=None)
@given(st.integers(0, 9999), st.integers(2, 34), st.integers(1, 30), st.integers(0, 40))
def test_requant_in_either_width(seed: int, input_bits: int, factor_bits: int, shift: int) -> None:
    rng = np.random.default_rng(seed)
    input_type, factors = IntType.signed_bits(input_bits), IntType.signed_bits(factor_bits + 1)
    operation = Requant(
        **ENDS, multiplier=random_values(TensorSpec((), factors), 5, seed), offset=rng.integers(-(2**30), 2**30, 5),
        shift=shift, output_type=IntType.signed_bits(int(rng.integers(2, 20))),
    )  # fmt: skip
    x = random_values(TensorSpec((5,), input_type), 9, seed)
    assert np.array_equal(fast_requant(operation, input_type)(x), operation.run(x))


def test_leading_axes() -> None:
    spec = TensorSpec((3, 4), IntType.unsigned(3))
    network = Network(
        "axes", "x", spec,
        (
            Linear(name="fc", inputs=("x",), output="a", weights=np.arange(8).reshape(2, 4), weight_type=IntType(0, 7)),
            Threshold(
                name="t", inputs=("a",), output="b", thresholds=[[20], [60]], ascending=[True, False],
                output_type=BIPOLAR,
            ),
            Linear(name="fc2", inputs=("b",), output="c", weights=[[1, -1]], weight_type=BIPOLAR),
        ),
        ("c",),
    )  # fmt: skip
    assert network.spec("c").shape == (3, 1)
    assert_exact(network, random_values(spec, 20, 0))


def test_tensors_are_dropped_after_their_last_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    dropped: list[str] = []
    drop = values.Values.drop

    def record(self: values.Values, tensor: str) -> None:
        dropped.append(tensor)
        drop(self, tensor)

    monkeypatch.setattr(values.Values, "drop", record)
    spec = TensorSpec((4, 4, 2), IntType(0, 3))
    network = Network(
        "forks", "x", spec,
        (
            MaxPool(name="pool", inputs=("x",), output="p", kernel=(1, 1)),
            Add(name="add", inputs=("p", "x"), output="s", multipliers=[1, 1]),
            Flatten(name="flat", inputs=("s",), output="f"),
            Linear(name="fc", inputs=("f",), output="y", weights=[[1] * 32], weight_type=BIPOLAR),
        ),
        ("y", "s"),
    )  # fmt: skip
    assert_exact(network, random_values(spec, 3, 0))
    assert dropped == ["p", "x", "f"]


@pytest.mark.parametrize(("channels", "outputs"), [(64, 64), (70, 66), (3, 130)])
def test_binary_images_stay_packed(channels: int, outputs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = TensorSpec((8, 7, channels), BIPOLAR)
    rng = np.random.default_rng(0)

    def layer(name: str, source: str, outputs: int, inputs: int) -> list[Operation]:
        weights = rng.choice([-1, 1], (outputs, 3, 3, inputs))
        return [
            Conv(name=name, inputs=(source,), output=f"{name}a", weights=weights, weight_type=BIPOLAR,
                 padding=((1, 1), (0, 1))),
            Threshold(name=f"{name}t", inputs=(f"{name}a",), output=f"{name}b", output_type=BIPOLAR,
                      thresholds=rng.integers(-9, 9, (outputs, 1)), ascending=rng.random(outputs) < 0.5),
        ]  # fmt: skip

    network = Network(
        "images", "x", spec,
        (
            *layer("c", "x", outputs, channels),
            MaxPool(name="pool", inputs=("cb",), output="p", kernel=(3, 2), stride=(2, 2), padding=((1, 1), (0, 1))),
            *layer("d", "p", 64, outputs),
            *layer("e", "p", outputs, outputs),
            Concat(name="side", inputs=("db", "eb"), output="s"),
            Upsample(name="up", inputs=("s",), output="u", factors=(2, 1)),
            Flatten(name="flat", inputs=("u",), output="f"),
            Linear(name="fc", inputs=("f",), output="y", weight_type=BIPOLAR,
                   weights=rng.choice([-1, 1], (2, 8 * 2 * (64 + outputs)))),
        ),
        ("y",),
    )  # fmt: skip
    x = random_values(spec, 20, 0)
    expected = network.trace(x)["y"]
    calls: list[str] = []
    monkeypatch.setattr(values, "unpack", lambda *_: calls.append("unpack"))
    assert np.array_equal(network.run(x), expected)
    assert calls == []
