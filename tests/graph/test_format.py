"""Network files: the same network comes back, and nothing else ever does."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitwright.errors import InputError, NetworkFormatError, OutputError
from bitwright.graph import (
    BIPOLAR,
    Add,
    Conv,
    Golden,
    InputQuantizer,
    IntType,
    Linear,
    Network,
    OutputScale,
    TensorSpec,
    TopK,
    format,
)
from bitwright.graph.format import network_bytes
from bitwright.graph.random import random_values
from tests.graph.strategies import cnns, networks

FC = Linear(name="fc", inputs=("x",), output="y", weights=[[1, -1], [1, 1]], weight_type=BIPOLAR, bias=[3, -3])


def example() -> Network:
    return Network(
        "example", "x", TensorSpec((2,), BIPOLAR, 0.1), (FC, TopK(name="k", inputs=("y",), output="top", k=2)),
        ("y", "top"),
        input_quantizer=InputQuantizer(dtype=BIPOLAR, kind="bipolar", threshold=0.1),
        output_scales={"y": OutputScale(np.array([0.1, 1 / 3]), -0.25)},
        golden=Golden(np.array([[1, 1]]), (np.array([[3, -1]]), np.array([[0, 1]]))),
    )  # fmt: skip


def sealed(members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    """A zip with a right checksum around whatever members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        archive.comment = b"bitwright sha256 " + b"0" * 64
        for name, data in members.items():
            archive.writestr(name, data)
    body = buffer.getvalue()[:-64]
    return body + hashlib.sha256(body).hexdigest().encode()


def members(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def npy(values: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.asarray(values), **options)
    return buffer.getvalue()


@settings(deadline=None, max_examples=50)
@given(networks() | cnns(), st.sampled_from(["net.bw", "mit Leerzeichen.bw", "Zürich – 東京.bw"]))
def test_round_trip(network: Network, name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        assert network.save(path) == path
        again = Network.load(path)
        assert os.listdir(folder) == [name]
        assert path.read_bytes() == network_bytes(again)
    assert again.specs == network.specs
    x = random_values(network.input_spec, 9, 0)
    for (tensor, expected), (other, result) in zip(network.trace(x).items(), again.trace(x).items(), strict=True):
        assert tensor == other
        assert np.array_equal(expected, result)


def test_everything_around_the_operations_comes_back(tmp_path: Path) -> None:
    network = example()
    again = Network.load(str(network.save(str(tmp_path / "n.bw"))))
    assert again.digest == network.digest
    assert (again.name, again.input_spec, again.outputs) == ("example", network.input_spec, ("y", "top"))
    assert again.input_quantizer == network.input_quantizer
    assert again.golden is not None
    assert again.golden.outputs[0].tolist() == [[3, -1]]
    scale = again.output_scales["y"]
    assert np.array_equal(scale.scale, [0.1, 1 / 3])
    assert scale.offset == -0.25
    assert again.operations[0].attributes()["bias"].tolist() == [3, -3]


def test_tuples_and_axes_come_back(tmp_path: Path) -> None:
    conv = Conv(
        name="conv", inputs=("x",), output="y", weights=[[[[1], [-1]]]], weight_type=BIPOLAR, stride=(2, 1),
        padding=((0, 1), (2, 0)), dilation=(1, 3), pad_value=-1,
    )  # fmt: skip
    network = Network(
        "image", "x", TensorSpec((3, 4, 1), BIPOLAR), (conv,), ("y",),
        input_quantizer=InputQuantizer(dtype=BIPOLAR, kind="bipolar", axes=(1, 2, 0)),
        output_scales={"y": OutputScale(0.5, axes=(2, 0, 1))},
    )  # fmt: skip
    again = Network.load(network.save(tmp_path / "n.bw"))
    assert again.digest == network.digest
    fields = again.operations[0].attributes()
    assert {key: fields[key] for key in ("stride", "padding", "dilation", "groups", "pad_value")} == {
        "stride": (2, 1), "padding": ((0, 1), (2, 0)), "dilation": (1, 3), "groups": 1, "pad_value": -1,
    }  # fmt: skip
    assert again.input_quantizer == network.input_quantizer
    assert again.output_scales["y"].axes == (2, 0, 1)


def test_the_precision_of_the_input_comes_back(tmp_path: Path) -> None:
    linear = Linear(name="fc", inputs=("x",), output="y", weights=[[1, -1]], weight_type=BIPOLAR)
    for precision in ("float32", "float64"):
        quantizer = InputQuantizer(dtype=IntType.unsigned(4), scale=0.5, precision=precision)
        spec = TensorSpec((2,), IntType.unsigned(4))
        network = Network("net", "x", spec, (linear,), ("y",), input_quantizer=quantizer)
        path = network.save(tmp_path / f"{precision}.bw")
        assert Network.load(path).input_quantizer == quantizer
        assert (b"precision" in path.read_bytes()) == (precision == "float32")


def test_thresholds_of_the_input_come_back(tmp_path: Path) -> None:
    linear = Linear(name="fc", inputs=("x",), output="y", weights=[[1, -1]], weight_type=BIPOLAR)
    spec = TensorSpec((2,), IntType.unsigned(2))
    rows = ((-0.1, 0.3, 1e39), (1 / 3, 1 / 3, 7.0))
    quantizer = InputQuantizer(dtype=spec.dtype, kind="thresholds", thresholds=rows)
    network = Network("net", "x", spec, (linear,), ("y",), input_quantizer=quantizer)
    assert Network.load(network.save(tmp_path / "net.bw")).input_quantizer == quantizer
    assert "3 thresholds, 2 channels" in str(network)
    with pytest.raises(InputError, match="thresholds for 2 channels"):
        Network("net", "x", TensorSpec((3,), spec.dtype), (), ("x",), input_quantizer=quantizer)


def test_files_without_axes_load() -> None:
    # As the first files were written.
    assert "axes" not in json.dumps(HEADER)


def test_same_network_same_bytes_in_another_process() -> None:
    code = "import tests.graph.test_format as t; print(t.example().digest)"
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert there.stdout.strip() == example().digest


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_any_changed_byte_and_any_truncation_is_caught(data: st.DataObject) -> None:
    sound = network_bytes(example())
    place = data.draw(st.integers(0, len(sound) - 1))
    if data.draw(st.booleans()):
        broken = sound[:place]
    else:
        broken = sound[:place] + bytes([sound[place] ^ data.draw(st.integers(1, 255))]) + sound[place + 1 :]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "n.bw"
        path.write_bytes(broken)
        with pytest.raises(NetworkFormatError, match=r"n\.bw"):
            Network.load(path)


class Evil:
    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return os.mkdir, ("was-unpickled",)


def torch_file() -> bytes:
    import torch

    buffer = io.BytesIO()
    torch.save({"a": torch.zeros(2)}, buffer)
    return buffer.getvalue()


HEADER = json.loads(members(network_bytes(example()))["network.json"])
ARRAYS = {name: data for name, data in members(network_bytes(example())).items() if name != "network.json"}


def with_header(change: Callable[[dict[str, Any]], Any]) -> bytes:
    header = json.loads(json.dumps(HEADER))
    change(header)
    return sealed({"network.json": json.dumps(header).encode(), **ARRAYS})


def with_array(data: bytes) -> bytes:
    return sealed({"network.json": json.dumps(HEADER).encode(), **ARRAYS, "arrays/00000.npy": data})


def op(header: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = header["operations"][0]
    return result


def image_header(change: Callable[[dict[str, Any]], Any]) -> bytes:
    """A Conv and an Add of it with the input, the first arrays of `example` in place of theirs."""
    conv = Conv(name="conv", inputs=("x",), output="y", weights=np.ones((1, 3, 1), dtype=int), weight_type=BIPOLAR,
                padding=((1, 1),))  # fmt: skip
    add = Add(name="add", inputs=("x", "y"), output="z", multipliers=[1, 2])
    network = Network(
        "image", "x", TensorSpec((3, 1), BIPOLAR), (conv, add), ("z",),
        input_quantizer=InputQuantizer(dtype=BIPOLAR, kind="bipolar", axes=(1, 0)),
        output_scales={"z": OutputScale(axes=(1, 0))},
    )  # fmt: skip
    parts = members(network_bytes(network))
    header = json.loads(parts["network.json"])
    change(header)
    return sealed({**parts, "network.json": json.dumps(header).encode()})


HOSTILE = [
    (lambda: image_header(lambda h: op(h)["fields"].update(stride=2)), "stride must be a list"),
    (lambda: image_header(lambda h: op(h)["fields"].update(stride=None)), "stride must be a list"),
    (lambda: image_header(lambda h: op(h)["fields"].update(stride=["2"])), "stride must be an integer"),
    (lambda: image_header(lambda h: op(h)["fields"].update(stride=[True])), "stride must be an integer"),
    (lambda: image_header(lambda h: op(h)["fields"].update(stride=[0])), "stride must be 1 integers of at least 1"),
    (lambda: image_header(lambda h: op(h)["fields"].update(stride=[[1]])), "stride must be 1 integers"),
    (lambda: image_header(lambda h: op(h)["fields"].update(stride=[1] * 10**5)), "stride must be 1 integers"),
    (lambda: image_header(lambda h: op(h)["fields"].update(padding=[1, 1])), "padding must be 1 pairs"),
    (lambda: image_header(lambda h: op(h)["fields"].update(padding=[[[1, 1]]])), "padding must be an integer"),
    (lambda: image_header(lambda h: op(h)["fields"].update(padding=[[-1, 1]])), "padding must be 1 pairs"),
    (lambda: image_header(lambda h: op(h)["fields"].update(padding=[[2**62, 1]])), "may exceed 1,048,576"),
    (lambda: image_header(lambda h: op(h)["fields"].update(dilation=[2**62])), "may exceed 1,048,576"),
    (lambda: image_header(lambda h: op(h)["fields"].update(groups=[1])), "groups is a list"),
    (lambda: image_header(lambda h: op(h)["fields"].update(groups=2)), "2 groups do not divide"),
    (lambda: image_header(lambda h: op(h)["fields"].update(pad_value=1.5)), "pad_value is a float"),
    (lambda: image_header(lambda h: op(h)["fields"].update(pad_value=2**80)), "pad_value must be an integer"),
    (lambda: image_header(lambda h: h["operations"][1].update(inputs=["x"])), "takes 2 or more input tensors"),
    (lambda: image_header(lambda h: h["operations"][1].update(inputs=["x", "x"])), "reads a tensor twice"),
    (lambda: image_header(lambda h: h["operations"][1]["fields"].update(multipliers=[1, 1])), "multipliers is a list"),
    (lambda: image_header(lambda h: h["input_quantizer"].update(axes="xy")), "axes must be a list"),
    (lambda: image_header(lambda h: h["input_quantizer"].update(axes=[0, 0])), "each of 0 to 1 once"),
    (lambda: image_header(lambda h: h["input_quantizer"].update(axes=[0])), "has 1 axes, but tensor 'x'"),
    (lambda: image_header(lambda h: h["output_scales"][0].update(axes=[0, 2])), "each of 0 to 1 once"),
    (lambda: image_header(lambda h: h["output_scales"][0].update(axes=[2, 0, 1])), "has 3 axes, but tensor 'z'"),
    (lambda: image_header(lambda h: h["output_scales"][0].update(more=1)), "output_scales must have the fields"),
    (lambda: b"", "it is empty"),
    (lambda: b"hello", "something else"),
    (lambda: pickle.dumps(Evil()), "Python pickle"),
    (torch_file, "PyTorch pickle"),
    (lambda: network_bytes(example())[:400], "truncated"),
    (lambda: sealed({}), "numbered arrays"),
    (lambda: sealed({"../evil": b""}), "numbered arrays"),
    (lambda: sealed({"network.json": b"{", **ARRAYS}), "damaged"),
    (lambda: sealed({"network.json": b"\xff\xfe"}), "damaged"),
    (lambda: sealed({"network.json": b"[" * 100_000}), "nested too deeply"),
    (lambda: sealed({"network.json": b"[]"}), "does not describe"),
    (lambda: sealed({"network.json": json.dumps(HEADER).encode(), "x.npy": b""}), "numbered arrays"),
    (lambda: sealed({"network.json": json.dumps(HEADER).encode()}), "array 0, which the file does not hold"),
    (lambda: sealed({"network.json": b" " * 1000}, zipfile.ZIP_DEFLATED), "compressed"),
    (lambda: with_header(lambda h: h.update(version=2)), "newer than 1; update bitwright"),
    (lambda: with_header(lambda h: h.update(version=True)), "no version"),
    (lambda: with_header(lambda h: h.update(format="other")), "does not describe"),
    (lambda: with_header(lambda h: h.update(more=1)), "header must have the fields"),
    (lambda: with_header(lambda h: h.pop("golden")), "header must have the fields"),
    (lambda: with_header(lambda h: h.update(name=3)), "name must be a string"),
    (lambda: with_header(lambda h: h.update(name="a\nb")), "is no name"),
    (lambda: with_header(lambda h: h.update(name="x" * 10**6)), "is no name"),
    (lambda: with_header(lambda h: h.update(operations={})), "operations must be a list"),
    (lambda: with_header(lambda h: op(h).update(kind="Exec")), "operation 0 is of unknown kind 'Exec'"),
    (lambda: with_header(lambda h: op(h).update(name="../../etc\x00")), "is no name"),
    (lambda: with_header(lambda h: op(h).update(inputs=["nope"])), "'fc': reads tensor 'nope'"),
    (lambda: with_header(lambda h: op(h)["fields"].pop("bias")), r"operation 0 \(Linear\) must have the fields"),
    (lambda: with_header(lambda h: op(h)["fields"].update(weights=1)), "weights must be"),
    (lambda: with_header(lambda h: op(h)["fields"].update(weights=[1])), "weights is a list"),
    (lambda: with_header(lambda h: op(h)["fields"].update(weights={"array": -1})), "array -1, which"),
    (lambda: with_header(lambda h: op(h)["fields"].update(weights={"array": 10**30})), "at most 64 bits"),
    (lambda: with_header(lambda h: op(h)["fields"].update(weights={"array": 2})), "weights must be an integer array"),
    (lambda: with_header(lambda h: op(h)["fields"]["weight_type"].update(lo="x")), "integer of at most 64 bits"),
    (lambda: with_header(lambda h: op(h)["fields"]["weight_type"].update(kind="__class__")), "unknown kind of type"),
    (lambda: with_header(lambda h: h["operations"][1]["fields"].update(k="2")), "k is a str"),
    (lambda: with_header(lambda h: h["operations"][1]["fields"].update(k=None)), "k must be a positive integer"),
    (lambda: with_header(lambda h: h["input"]["spec"].update(shape=[2**20, 2**20])), "too large"),
    (lambda: with_header(lambda h: h["input"]["spec"].update(shape=[-2])), "empty or too large"),
    (lambda: with_header(lambda h: h["input_quantizer"].update(scale="1")), "scale must be a finite number"),
    (lambda: with_header(lambda h: h["input_quantizer"].update(scale=float("nan"))), "holds NaN"),
    (lambda: with_header(lambda h: h["input_quantizer"].update(scale=10**400)), "scale must be a finite number"),
    (
        lambda: sealed({"network.json": json.dumps(HEADER).replace("0.25", "1e999").encode(), **ARRAYS}),
        "offset must be a finite number",
    ),
    (lambda: with_header(lambda h: h["input_quantizer"].update(kind=[])), "unknown kind"),
    (lambda: with_header(lambda h: h["golden"].update(outputs=[])), "golden holds 0 outputs"),
    (lambda: with_header(lambda h: h["golden"].update(inputs={"array": 2})), "integers, not float64"),
    (lambda: with_array(npy(np.array([Evil()], dtype=object), allow_pickle=True)), "has dtype object"),
    (lambda: with_array(npy(np.zeros(2, dtype="<f4"))), "has dtype float32"),
    (lambda: with_array(npy(np.zeros(2, dtype=">i4"))), "has dtype >i4"),
    (lambda: with_array(npy(np.zeros(2, dtype="i4,i4"))), "dtype"),
    (lambda: with_array(npy([[1, -1], [1, 1]])[:-1]), "does not hold"),
    (lambda: with_array(npy(np.zeros(2, dtype=np.int8)).replace(b"(2,), }", b"(2,)*9}")), "damaged"),
    (lambda: with_array(npy([1]).replace(b"(1,), }      ", b"(10**12,), }")), "damaged"),
    (lambda: with_array(npy([1]).replace(b"(1,), }            ", b"(1000000000000,), }")), "does not hold"),
    (lambda: with_array(b"nonsense"), "damaged"),
    (lambda: with_array(npy([[1, 2], [1, 1]])), "outside their type bipolar"),
    (lambda: with_array(npy(np.asfortranarray([[1, -1], [1, 1]]))), "does not hold"),
]


@pytest.mark.parametrize(("make", "message"), HOSTILE)
def test_hostile_files(
    make: Callable[[], bytes], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "n ö.bw"
    path.write_bytes(make())
    with pytest.raises(NetworkFormatError, match=message) as caught:
        Network.load(path)
    assert "n ö.bw" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "was-unpickled").exists()


def test_missing_places_and_folders(tmp_path: Path) -> None:
    for path in (tmp_path / "none.bw", tmp_path, tmp_path / "a\0b"):
        with pytest.raises(NetworkFormatError, match="cannot read network file"):
            Network.load(path)


def test_enormous_files_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = example().save(tmp_path / "n.bw")
    monkeypatch.setattr(format, "MAX_BYTES", 100)
    with pytest.raises(NetworkFormatError, match="more than the limit of 100"):
        Network.load(path)


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "no" / "n.bw", tmp_path / "file" / "n.bw", tmp_path / "folder", tmp_path / "a\0b"):
        with pytest.raises(OutputError, match="cannot write network file"):
            example().save(path)
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


def test_a_write_that_fails_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = example().save(tmp_path / "n.bw")
    before = path.read_bytes()

    def full(self: Path, data: bytes) -> int:
        with open(self, "wb") as handle:
            handle.write(data[: len(data) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    other = Network("other", "x", TensorSpec((2,), IntType(0, 3)), (), ("x",))
    with pytest.raises(OutputError, match="No space left"):
        other.save(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["n.bw"]
