from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from bitwright.errors import InputError
from bitwright.graph import (
    BIPOLAR,
    ArgMax,
    Flatten,
    Golden,
    InputQuantizer,
    IntType,
    Linear,
    Network,
    OutputScale,
    Requant,
    TensorSpec,
    TopK,
)

UINT4 = IntType.unsigned(4)
SPEC = TensorSpec((2, 2), UINT4)
FLATTEN = Flatten(name="flatten", inputs=("x",), output="flat")
LINEAR = Linear(
    name="fc", inputs=("flat",), output="scores", weights=[[1, 0, 0, 0], [0, 2, 0, -1]],
    weight_type=IntType.signed_bits(3), bias=[1, -1],
)  # fmt: skip
ARGMAX = ArgMax(name="argmax", inputs=("scores",), output="label")
OPERATIONS = (FLATTEN, LINEAR, ARGMAX)


def network(**changes: object) -> Network:
    fields: dict[str, object] = {
        "name": "small", "input_name": "x", "input_spec": SPEC, "operations": OPERATIONS, "outputs": ("label",),
    }  # fmt: skip
    return Network(**(fields | changes))  # type: ignore[arg-type]


X = np.array([[[3, 1], [0, 0]], [[0, 5], [9, 15]]], dtype=np.uint8)


def test_values_by_hand() -> None:
    trace = network().trace(X)
    assert list(trace) == ["x", "flat", "scores", "label"]
    assert trace["scores"].tolist() == [[4, 1], [1, -6]]
    assert trace["label"].tolist() == [0, 0]
    assert network().run(X).tolist() == [0, 0]  # type: ignore[union-attr]
    scores, label = network(outputs=("scores", "label")).run(X)
    assert (scores.tolist(), label.tolist()) == ([[4, 1], [1, -6]], [0, 0])
    assert all(values.dtype == np.int8 for values in trace.values())


def test_what_one_can_ask_a_network() -> None:
    net = network(outputs=("scores", "label"))
    assert net.spec("scores") == TensorSpec((2,), IntType(-16, 29))
    assert net.consumers("scores") == (ARGMAX,)
    assert net.consumers("label") == ()
    assert net.producer("flat") is FLATTEN
    assert net.producer("x") is None
    assert net.output_specs == (net.spec("scores"), net.spec("label"))
    assert (net.total_macs, net.weight_bits, net.macs(LINEAR)) == (8, 24, 8)
    with pytest.raises(InputError, match="no tensor 'nope'; it has x, flat, scores, label"):
        net.spec("nope")


BAD: list[tuple[Callable[[], Network], str]] = [
    (lambda: network(operations=(LINEAR, FLATTEN, ARGMAX)), "'fc': reads tensor 'flat', which no earlier operation"),
    (lambda: network(operations=(FLATTEN, FLATTEN)), "two operations are named 'flatten'"),
    (lambda: network(operations=(Flatten(name="f", inputs=("x",), output="x"),)), "makes tensor 'x', which exists"),
    (lambda: network(operations=(FLATTEN, LINEAR)), "its output 'label' is no tensor"),
    (lambda: network(outputs=()), "at least one output"),
    (lambda: network(outputs=("label", "label")), "each named once"),
    (lambda: network(outputs=("flat",)), "'argmax': nobody reads its output"),
    (lambda: network(input_spec=TensorSpec((2, 3), UINT4)), "weights for 4 inputs"),
    (lambda: network(input_spec=TensorSpec((0, 2), UINT4)), "empty axis"),
    (
        lambda: network(input_spec=TensorSpec((2, 2), IntType(0, 2**64)), operations=(FLATTEN,), outputs=("flat",)),
        "no tensor may exceed 63 bits",
    ),
    (lambda: network(name=""), "is no name"),
    (lambda: network(input_name="\n"), "is no name"),
    (lambda: network(input_quantizer=InputQuantizer(dtype=IntType.unsigned(3))), "input quantizer gives uint3"),
    (lambda: network(output_scales={"scores": OutputScale(2.0)}), "'scores', which is no output"),
    (
        lambda: network(outputs=("scores", "label"), output_scales={"scores": OutputScale(np.ones(3))}),
        "its scale has 3 values",
    ),
    (lambda: network(golden=Golden(X, ())), "golden holds 0 outputs"),
    (lambda: network(golden=Golden(X + 20, (np.zeros(2, dtype=int),))), "golden input has values"),
    (lambda: network(golden=Golden(X, (np.full(2, 2),))), "golden output 'label' has values"),
    (lambda: network(golden=Golden(X, (np.zeros(3, dtype=int),))), "differ in frames"),
]


@pytest.mark.parametrize(("make", "message"), BAD)
def test_networks_that_cannot_be(make: Callable[[], Network], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_bad_inputs_reach_neither_run_nor_trace() -> None:
    for call in (network().run, network().trace):
        with pytest.raises(InputError, match="outside its type uint4"):
            call(X + 20)
        with pytest.raises(InputError, match=r"expected \(batch, 2, 2\)"):
            call(X[0])
        with pytest.raises(InputError, match=r"use net\.quantize"):
            call(X / 2)


def test_real_in_and_real_out() -> None:
    net = network(
        outputs=("scores", "label"),
        input_quantizer=InputQuantizer(dtype=UINT4, scale=0.5, zero_point=1),
        output_scales={"scores": OutputScale(np.array([0.5, 2.0]), 0.25)},
    )
    real = (X.astype(np.float64) - 1) * 0.5
    assert np.array_equal(net.quantize(real), X)
    assert np.array_equal(net.quantize(X), X)
    scores, label = net.predict(real)
    assert scores.tolist() == [[2.25, 2.25], [0.75, -11.75]]
    assert label.dtype == np.int8
    assert label.tolist() == [0, 0]
    with pytest.raises(InputError, match="has 2 outputs, not 1"):
        net.dequantize(label)


def test_no_scale_is_the_identity_and_indices_stay() -> None:
    net = network(operations=(FLATTEN, LINEAR), outputs=("scores",))
    assert net.predict(X).tolist() == [[4.0, 1.0], [1.0, -6.0]]  # type: ignore[union-attr]
    top = network(operations=(FLATTEN, LINEAR, TopK(name="k", inputs=("scores",), output="top", k=2)), outputs=("top",))
    assert top.predict(X).dtype == np.int8  # type: ignore[union-attr]
    with pytest.raises(InputError, match="no input quantizer"):
        net.quantize(X / 2)
    with pytest.raises(InputError, match="outside its type"):
        net.quantize(X + 30)


def test_one_output_may_be_given_by_its_name_alone() -> None:
    assert network(outputs="label").outputs == ("label",)


def test_a_network_without_operations_passes_its_input() -> None:
    net = network(operations=(), outputs=("x",))
    assert np.array_equal(net.run(X), X)


def test_requant_after_bipolar() -> None:
    requant = Requant(
        name="r", inputs=("x",), output="y", multiplier=[3], offset=[1], shift=1, output_type=IntType(-1, 2)
    )
    net = Network("r", "x", TensorSpec((2,), BIPOLAR), (requant,), ("y",))
    assert net.run(np.array([[-1, 1]])).tolist() == [[-1, 2]]  # type: ignore[union-attr]
