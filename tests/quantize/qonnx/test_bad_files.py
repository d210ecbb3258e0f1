"""Files and graphs that cannot be read: one line with the node, its operator, the reason and a way out."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnx.external_data_helper import convert_model_to_external_data

import bitwright as bw
from bitwright.errors import BitwrightError, InputError, LoweringError, NetworkFormatError
from bitwright.graph import IntType, Linear
from tests.quantize.qonnx.by_hand import LAST, QONNX, Graph
from tests.quantize.qonnx.golden import check
from tests.quantize.qonnx.random_graphs import RandomGraph

Build = Callable[[Graph], str]
Change = Callable[[onnx.ModelProto], Any]


def _refused(path: Path, error: type[BitwrightError], message: str, **options: Any) -> None:
    with pytest.raises(error, match=message) as caught:
        bw.read_qonnx(path, **options)
    line = str(caught.value)
    assert len(line.splitlines()) == 1
    assert len(line) < 600


def _small(path: Path, change: Change | None = None, **options: Any) -> Path:
    """Quant, MatMul, Quant in a file, changed."""
    g = Graph((6,), **options)
    model = g.model(g.quant(g.matmul(g.quant("x"), 6, 4), 3, 2.0))
    if change is not None:
        change(model)
    path.write_bytes(model.SerializeToString())
    return path


# Files


def test_no_file(tmp_path: Path) -> None:
    _refused(tmp_path / "missing.onnx", NetworkFormatError, "cannot read .*missing.onnx.*; check the path")
    _refused(tmp_path, NetworkFormatError, "cannot read")


@pytest.mark.parametrize("content", [b"", b"\x00" * 50, b"no protocol buffer", b"\xff" * 1000, b"PK\x03\x04 a zip"])
def test_no_onnx(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(content)
    _refused(tmp_path / "net.onnx", NetworkFormatError, "is no ONNX model")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_truncated_and_damaged_files(data: st.DataObject, tmp_path: Path) -> None:
    """Any error is one of ours: no traceback, whatever is wrong."""
    content = bytearray(_small(tmp_path / "net.onnx").read_bytes())
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content) - 1))]
    for _ in range(data.draw(st.integers(0, 5))):
        if content:
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / "damaged.onnx").write_bytes(content)
    try:
        bw.read_qonnx(tmp_path / "damaged.onnx")
    except BitwrightError as error:
        assert len(str(error).splitlines()) == 1  # noqa: PT017


def test_a_file_beyond_two_gigabytes(tmp_path: Path) -> None:
    path = tmp_path / "huge.onnx"
    with path.open("wb") as file:
        # Sparse: takes no place on the disk.
        file.truncate((1 << 31) + 5)
    _refused(path, NetworkFormatError, r"has 2\.0 GiB; an ONNX file holds at most 2: save the weights as external data")


def test_external_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, data = tmp_path / "net.onnx", tmp_path / "net.data"
    plain = bw.read_qonnx(_small(tmp_path / "plain.onnx"))
    model = onnx.load(tmp_path / "plain.onnx")
    convert_model_to_external_data(model, location=data.name, size_threshold=0)
    onnx.save(model, str(path))
    held = data.read_bytes()
    x = np.random.default_rng(0).normal(size=(5, 6)).astype(np.float32)
    # From any working folder.
    monkeypatch.chdir("/")
    (weights,) = (one.weights for one in bw.read_qonnx(path).operations if isinstance(one, Linear))
    (wanted,) = (one.weights for one in plain.operations if isinstance(one, Linear))
    assert np.array_equal(weights, wanted)
    assert np.array_equal(bw.read_qonnx(path).predict(x), plain.predict(x))
    data.write_bytes(held[:10])
    _refused(path, NetworkFormatError, "constant '.*' cannot be read")
    data.unlink()
    _refused(path, NetworkFormatError, "constant '.*' cannot be read")


def test_external_data_outside_the_folder(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(bytes(96))
    folder = tmp_path / "model"
    folder.mkdir()

    def leave(model: onnx.ModelProto) -> None:
        tensor = next(one for one in model.graph.initializer if len(one.dims) == 2)
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", "../secret"), ("length", "96")):
            entry = tensor.external_data.add()
            entry.key, entry.value = key, value

    _refused(_small(folder / "net.onnx", leave), NetworkFormatError, "cannot be read")


def _opset(version: int, domain: str = "") -> Change:
    def change(model: onnx.ModelProto) -> None:
        next(one for one in model.opset_import if one.domain == domain).version = version

    return change


def _cycle(model: onnx.ModelProto) -> None:
    model.graph.node[1].input[0] = model.graph.node[2].output[0]


def _twice(model: onnx.ModelProto) -> None:
    model.graph.node[1].output[0] = model.graph.node[0].output[0]


def _second_input(model: onnx.ModelProto) -> None:
    model.graph.input.append(helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 6]))


def _no_text(model: onnx.ModelProto) -> None:
    del model.opset_import[:]


BROKEN: dict[str, tuple[Change, str]] = {
    "an operator set too new": (_opset(99), "operator set 99 is newer than .*; export with opset_version="),
    "an operator set too old": (_opset(6), "operator set is 6; export with opset_version=7 to"),
    "no operator set": (_no_text, "operator set is missing; export with opset_version="),
    "a cycle": (_cycle, "its graph has a cycle through '.*'; a network is acyclic"),
    "a tensor with two makers": (_twice, "is made 2 times; every tensor has one maker"),
    "a tensor that nobody makes": (
        lambda m: m.graph.node[1].input.__setitem__(0, "nothing"), "node 'MatMul_1' reads 'nothing', which nobody makes"
    ),
    "an output that nobody makes": (lambda m: setattr(m.graph.output[0], "name", "z"), "nobody makes the output 'z'"),
    "no output": (lambda m: m.graph.output.pop(), "needs at least one output"),
    "two inputs": (_second_input, r"takes 2 inputs \(x, y\); a network has one: fix the others as constants"),
    "no input": (lambda m: m.graph.input.pop(), "reads 'x', which nobody makes"),
    "an input of text": (
        lambda m: setattr(m.graph.input[0].type.tensor_type, "elem_type", TensorProto.STRING), "input 'x' is"
    ),
    "a double input": (
        lambda m: setattr(m.graph.input[0].type.tensor_type, "elem_type", TensorProto.DOUBLE), "export in float32"
    ),
    "an input without batch": (
        lambda m: m.graph.input[0].CopyFrom(helper.make_tensor_value_info("x", TensorProto.FLOAT, [6])),
        "export it with a batch axis first",
    ),
    "sparse weights": (
        lambda m: m.graph.sparse_initializer.append(onnx.SparseTensorProto()), "holds sparse initializers; write them"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_unsound_graphs(case: str, tmp_path: Path) -> None:
    change, message = BROKEN[case]
    _refused(_small(tmp_path / "net.onnx", change), NetworkFormatError, message)


# Shapes


def test_dynamic_shapes(tmp_path: Path) -> None:
    def open_axis(model: onnx.ModelProto) -> None:
        model.graph.input[0].CopyFrom(helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", "features"]))

    path = _small(tmp_path / "net.onnx", open_axis)
    _refused(path, NetworkFormatError, r"input 'x' has shape \(None, None\), axes \[1\] dynamic; give input_shape")
    assert bw.read_qonnx(path, input_shape=(6,)).input_spec.shape == (6,)
    _refused(path, LoweringError, "layer 'MatMul_1': MatMul multiplies", input_shape=(7,))
    _refused(path, InputError, r"input_shape \(6, 1\) does not fit", input_shape=(6, 1))
    _refused(path, InputError, r"input_shape \(0,\) does not fit", input_shape=(0,))
    _refused(_small(tmp_path / "net.onnx"), InputError, r"input_shape \(5,\) does not fit", input_shape=(5,))


@pytest.mark.parametrize("batch", ["N", 0, 4])
def test_batches(batch: Any, tmp_path: Path) -> None:
    g = Graph((3, 4, 4), batch=batch)
    h = g.quant(g.conv(g.quant("x", shape=None), 3, 2), 3, 2.0)
    fixed = batch if batch == 4 else -1
    h = g.add("Reshape", h, g.constant([fixed, 8], np.int64))
    network = bw.read_qonnx(g.save(tmp_path / "net.onnx", g.matmul(h, 8, 3)))
    assert network.output_specs[0].shape == (3,)


# Operators


def _then(kind: str, *constants: Any, **attributes: Any) -> Build:
    """The operator behind a quantized input."""
    return lambda g: g.add(kind, g.quant("x"), *(g.constant(one) for one in constants), **attributes)


def _slice(g: Graph, *bounds: int) -> str:
    return g.add("Slice", g.quant("x"), *(g.constant([one], np.int64) for one in bounds))


REFUSED: dict[str, tuple[Build, str]] = {
    "an unknown operator": (_then("Mish"), "layer 'Mish_1': Mish is not known here; see docs/qonnx.md"),
    "an unknown domain": (
        _then("Frobnicate", domain="acme.ops"), "Frobnicate_1': Frobnicate of the domain 'acme.ops' is not known here"
    ),
    "a recurrent layer": (_then("LSTM", np.zeros((1, 8, 6)), np.zeros((1, 8, 2))), "LSTM carries a state"),
    "a norm of the frame": (_then("LayerNormalization", np.ones(6)), "takes its statistics from the frame; use Batch"),
    "a transposed convolution": (_then("ConvTranspose", np.ones((6, 2, 3))), "ConvTranspose has no form in integer"),
    "attention": (lambda g: g.add("MatMul", q := g.quant("x"), q), "MatMul multiplies two tensors; products of act"),
    "a product of tensors": (lambda g: g.add("Mul", q := g.quant("x"), q), "Mul combines two tensors; only Add"),
    "division by a tensor": (lambda g: g.add("Div", g.constant(1.0), g.quant("x")), "Div divides by a tensor"),
    "real weights": (
        lambda g: g.add("MatMul", g.quant("x"), g.constant(g.rng.normal(size=(6, 4)))),
        "MatMul has weights that are real numbers, not quantized; quantize them: .*post_training_quantize",
    ),
    "weights that are NaN": (_then("MatMul", np.full((6, 4), np.nan)), "has weights that are no finite numbers"),
    "weights that are not constant": (
        lambda g: g.add("Gemm", q := g.quant("x"), g.add("Transpose", q, perm=[1, 0])), "batch"
    ),
    "a scale that is not constant": (
        lambda g: g.add("Quant", q := g.quant("x"), q, g.constant(0), g.constant(4), domain=QONNX),
        "Quant has a scale that is not constant; make it constant: an initializer",
    ),
    "bits that are not constant": (
        lambda g: g.add("Quant", q := g.quant("x"), g.constant(1), g.constant(0), q, domain=QONNX), "no constant bit"
    ),
    "a scale of 0": (lambda g: g.quant(g.matmul(g.quant("x"), 6, 4), 4, 0.0), "has a scale that is not above 0"),
    "a scale that is NaN": (lambda g: g.quant(g.quant("x"), 4, np.nan), "has a scale that is NaN or infinite"),
    "half a bit": (lambda g: g.quant(g.quant("x"), 2.5), "a bit width that is not one whole number"),  # type: ignore[arg-type]
    "too many bits": (lambda g: g.quant(g.quant("x"), 40), "quantizes to 40 bits; use 1 to 24"),
    "a fraction as zero point": (lambda g: g.quant(g.quant("x"), 4, 0.5, zero=0.5), "a zero point that is no whole"),
    "an unknown rounding": (lambda g: g.quant(g.quant("x"), 4, rounding_mode="STOCHASTIC"), "rounds by the mode STOCH"),
    "thresholds without a matrix": (
        lambda g: g.add("MultiThreshold", g.quant("x"), g.constant([1.0, 2.0]), domain=QONNX), "has thresholds of shape"
    ),
    "thresholds for other channels": (
        lambda g: g.add("MultiThreshold", g.quant("x"), g.constant(np.zeros((4, 2))), domain=QONNX), "has 4 rows for"
    ),
    "a curve that falls and rises": (
        lambda g: g.quant(g.add("LeakyRelu", g.quant("x"), alpha=-0.5), 4), "is not monotone .*; use an alpha of 0 or"
    ),
    "a bias of another length": (
        lambda g: g.add("Gemm", g.quant("x"), g.constant(g.integers(6, 4)), g.constant(np.zeros(3))), "has a bias of sh"
    ),
    "probabilities": (lambda g: g.add("Softmax", g.matmul(g.quant("x"), 6, 4)), "ends the graph, .*drop_softmax=True"),
    "a constant": (
        lambda g: (g.quant("x"), g.add("Add", g.constant(1.0), g.constant(2.0)))[1], "Add_1': Add works on a constant"
    ),
    "an input that is quantized twice": (
        lambda g: g.add("Concat", g.quant("x"), g.quant("x", 3), axis=1), "quantizes the input another way than an earl"
    ),
    "a dropout in training": (
        lambda g: g.add("Dropout", g.quant("x"), g.constant(0.5), g.constant(True, np.bool_)), "is in training mode"
    ),
    "a batch norm in training": (
        lambda g: g.add("BatchNormalization", g.quant("x"), *[g.constant(np.ones(6))] * 4, training_mode=1),
        "takes its statistics from the batch; export in evaluation mode",
    ),
    "a missing operand": (lambda g: g.add("MatMul", g.quant("x")), "MatMul needs 2 inputs, not 1"),
    "too few operands": (lambda g: g.add("Quant", g.quant("x"), domain=QONNX), "Quant needs 4 inputs, not 1"),
    "an attribute of another type": (
        lambda g: g.add("Gemm", g.quant("x"), g.constant(g.integers(6, 4)), transB="yes"), "an attribute transB of type"
    ),
    "a batch that moves": (_then("Transpose", perm=[1, 0]), "moves the batch out of axis 0; keep the batch first"),
    "a shape that does not fit": (
        lambda g: g.add("Reshape", g.quant("x"), g.constant([1, 7], np.int64)), "does not fit a tensor"
    ),
    "a concatenation of batches": (
        lambda g: g.add("Concat", q := g.quant("x"), g.quant(q, 3), axis=0), "Concat joins along the batch; join along"
    ),
    "a gather of what is not there": (
        lambda g: g.add("Gather", g.quant("x"), g.constant([0, 6], np.int64), axis=1), "do not exist along axis 1"
    ),
    "a gather of the batch": (
        lambda g: g.add("Gather", g.quant("x"), g.constant([0], np.int64), axis=0), "along axis 0; use a list, and keep"
    ),
    "a slice of nothing": (lambda g: _slice(g, 3, 3, 1), "takes no element along axis 1; leave it out"),
    "a slice of the batch": (lambda g: _slice(g, 1, 2, 0), "takes some frames of the batch; keep the batch whole"),
    "a slice of an axis that is not there": (lambda g: _slice(g, 0, 1, 2), "works on axis 2 of a tensor with 2"),
    "a slice by no step": (lambda g: _slice(g, 0, 3, 1, 0), "steps that do not fit together"),
    "a slice without an end": (lambda g: g.add("Slice", g.quant("x"), g.constant([0], np.int64)), "has no starts and"),
    "a split into parts that are not alike": (
        lambda g: g.add("Split", g.quant("x"), axis=1, outputs=4), "splits 6 elements into 4 parts of"
    ),
    "a split that is too long": (
        lambda g: g.add("Split", g.quant("x"), g.constant([4, 3], np.int64), axis=1, outputs=2), "splits 6 elements int"
    ),
    "integers that are too wide": (
        lambda g: g.matmul(g.matmul(g.quant("x", 16, 0.1), 6, 4), 4, 3), "multiplies integers of .* bits, more than"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_graphs_without_an_integer_form(case: str, tmp_path: Path) -> None:
    build, message = REFUSED[case]
    g = Graph((6,), opset=13)
    _refused(g.save(tmp_path / "net.onnx", build(g)), LoweringError, message)


IMAGES: dict[str, tuple[Build, str]] = {
    "three spatial axes": (
        lambda g: g.add("Conv", g.quant("x"), g.constant(np.ones((2, 3, 2, 2, 2)))), "one or two spatial axes have"
    ),
    "weights for other channels": (lambda g: g.conv(g.quant("x"), 4, 2), r"weights of shape .* for 3 channels"),
    "groups that do not divide": (
        lambda g: g.add("Conv", g.quant("x"), g.constant(np.ones((4, 1, 1, 1))), group=2), "weights of shape"
    ),
    "padding by mirrors": (
        lambda g: g.conv(g.add("Pad", g.quant("x"), g.constant([0, 0, 1, 1] * 2, np.int64), mode="reflect"), 3, 2),
        "Pad pads by reflect; pad with a constant",
    ),
    "padding that no integer stands for": (
        lambda g: g.conv(g.add("Pad", g.quant("x"), g.constant([0, 0, 1, 1] * 2, np.int64), g.constant(0.1)), 3, 2),
        "pads with 0.1, for which its input has no integer",
    ),
    "padding of channels": (
        lambda g: g.conv(g.add("Pad", g.quant("x"), g.constant([0, 1, 0, 0] * 2, np.int64)), 5, 2),
        "follows a Pad of the batch or the channels",
    ),
    "averages that leave the padding out": (
        lambda g: g.add("AveragePool", g.quant("x"), kernel_shape=[2, 2], pads=[1, 1, 1, 1]),
        "divides by the number of elements that are no padding; use no pads, or count_include_pad=1",
    ),
    "a linear interpolation": (
        lambda g: g.add("Resize", g.quant("x"), "", g.constant([1, 1, 2, 2]), mode="linear"), "interpolates by linear"
    ),
    "half an enlargement": (
        lambda g: g.add("Resize", g.quant("x"), "", g.constant([1, 1, 1.5, 2])), "use a whole number for each axis"
    ),
    "a scale for each pixel": (
        lambda g: g.conv(g.quant(g.conv(g.quant("x"), 3, 3, 1), 4, np.linspace(1, 2, 25).reshape(1, 1, 5, 5)), 3, 2),
        "scale",
    ),
    "additions of ragged shapes": (
        lambda g: g.add("Add", q := g.quant("x"), g.quant(g.conv(q, 3, 3), 4)), "Add adds .*; add tensors of one shape"
    ),
    "three branches of other scales": (
        lambda g: g.add("Sum", *(g.quant(g.conv(g.quant("x"), 3, 3, 1), 4, s) for s in (0.5, 0.3333, 0.4711))),
        "adds integers whose scales are not multiples of one step .*; quantize the branches with the same scale",
    ),
    "the channels of one pixel": (
        lambda g: g.add("MatMul", g.quant(g.conv(g.quant("x"), 3, 2)), g.constant(g.integers(3, 2))),
        "multiplies along an axis of .* that is not the channels; transpose to channels last first",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", IMAGES)
def test_graphs_on_images_without_an_integer_form(case: str, tmp_path: Path) -> None:
    build, message = IMAGES[case]
    g = Graph((3, 5, 5), opset=13, versions={LAST: 1})
    _refused(g.save(tmp_path / "net.onnx", build(g)), LoweringError, message)


def test_control_flow(tmp_path: Path) -> None:
    branch = helper.make_graph(
        [helper.make_node("Constant", [], ["one"], value_float=1.0)],
        "branch", [], [helper.make_tensor_value_info("one", TensorProto.FLOAT, [])],
    )  # fmt: skip

    def add(model: onnx.ModelProto) -> None:
        model.graph.initializer.append(numpy_helper.from_array(np.array(True), "choice"))
        node = helper.make_node("If", ["choice"], ["chosen"], name="choose", then_branch=branch, else_branch=branch)
        model.graph.node.append(node)

    _refused(_small(tmp_path / "net.onnx", add), LoweringError, "layer 'choose': If holds a subgraph; export without")


@pytest.mark.parametrize("seed", range(12))
def test_damaged_attributes_and_constants(seed: int, tmp_path: Path) -> None:
    """Graphs with nodes, operands or attributes changed at random: read, or refused in one line."""
    rng = np.random.default_rng(seed)
    for trial in range(5):
        drawn = RandomGraph(seed * 100 + trial)
        model = drawn.graph.model(drawn.output)
        for _ in range(2):
            node = model.graph.node[rng.integers(len(model.graph.node))]
            change = rng.integers(4)
            if change == 0 and node.attribute:
                del node.attribute[rng.integers(len(node.attribute))]
            elif change == 1 and node.input:
                other = model.graph.initializer[rng.integers(len(model.graph.initializer))].name
                node.input[rng.integers(len(node.input))] = other
            elif change == 2 and len(node.input) > 1:
                node.input.pop()
            else:
                node.op_type = str(
                    rng.choice(["Conv", "MatMul", "Quant", "Add", "Flatten", "MaxPool", "Concat", "Gemm"])
                )
        path = tmp_path / "net.onnx"
        path.write_bytes(model.SerializeToString())
        try:
            bw.read_qonnx(path)
        except BitwrightError as error:
            assert len(str(error).splitlines()) == 1  # noqa: PT017


def test_annotations_are_checked_against_what_is_fed(tmp_path: Path) -> None:
    g = Graph((6,), annotation="UINT4")
    network = check(g.save(tmp_path / "net.onnx", g.matmul("x", 6, 3)), np.full((1, 6), 15, dtype=np.float32))
    assert network.input_spec.dtype == IntType.unsigned(4)
    with pytest.raises(InputError):
        network.run(np.full((1, 6), 16))


def test_nothing_is_left_half_written(tmp_path: Path) -> None:
    network = bw.read_qonnx(_small(tmp_path / "net.onnx"))
    target = tmp_path / "again.onnx"
    target.write_bytes(b"kept")
    wide = bw.read_qonnx(_wide(tmp_path / "wide.onnx"))
    with pytest.raises(InputError, match="beyond the 2"):
        bw.write_qonnx(wide, target)
    assert target.read_bytes() == b"kept"
    bw.write_qonnx(network, target)
    assert sorted(os.listdir(tmp_path)) == ["again.onnx", "net.onnx", "wide.onnx"]


def _wide(path: Path) -> Path:
    g = Graph((600,), annotation="INT16")
    return g.save(path, g.add("MatMul", "x", g.constant(np.full((600, 1), 7))))
