"""Checkpoints: round trip, and every kind of damage is told apart."""

import json
import os
import pickle
import struct

import pytest
import torch

from bitwright.errors import CheckpointError, OutputError
from bitwright.models import CheckpointInfo, create, load_checkpoint, load_pretrained, save_checkpoint
from bitwright.models import tensor_file as tensor_file_module

INFO = CheckpointInfo("digits", "w1a1", 3, 10, 0.9, 0.8, "generated")


def split(data):
    """Header (parsed) and tensor bytes of a safetensors file."""
    length = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def join(header, body):
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + body


def edit_document(data, change):
    header, body = split(data)
    document = json.loads(header["__metadata__"]["bitwright"])
    change(document)
    header["__metadata__"]["bitwright"] = json.dumps(document)
    return join(header, body)


def signed(data, change):
    """An edit by somebody who also renews the checksum."""
    header, body = split(data)
    document = json.loads(header["__metadata__"]["bitwright"])
    change(document)
    document.pop("sha256")
    tensors = tensor_file_module.safetensors.torch.load(data)
    document["sha256"] = tensor_file_module._digest(tensors, document)
    header["__metadata__"]["bitwright"] = json.dumps(document)
    return join(header, body)


@pytest.fixture
def path(tmp_path):
    place = tmp_path / "büro netz" / "digits.safetensors"
    save_checkpoint(place, create("digits", "w1a1", seed=3), INFO)
    return place


@pytest.mark.parametrize("precision", ["float", "w8a8", "w2a2", "ternary", "w1a1"])
def test_round_trip(tmp_path, precision):
    model = create("digits", precision, seed=1)
    x = torch.rand(50, 64)
    model(x)
    model.eval()
    info = CheckpointInfo("digits", precision, 1, 1, 0.5, 0.5, "generated")
    save_checkpoint(tmp_path / "net", model, info)
    checkpoint = load_checkpoint(tmp_path / "net", "digits", precision)
    assert checkpoint.info == info
    assert not checkpoint.model.training
    assert torch.equal(checkpoint.model(x), model(x))


def test_binary_weights_take_one_bit_each(tmp_path):
    save_checkpoint(tmp_path / "net", create("tfc", "w1a1"), INFO)
    weights = 784 * 64 + 64 * 64 * 2 + 64 * 10
    assert (tmp_path / "net").stat().st_size < weights / 8 + 10_000


def test_same_content_same_bytes(path, tmp_path):
    save_checkpoint(tmp_path / "again", create("digits", "w1a1", seed=3), INFO)
    assert (tmp_path / "again").read_bytes() == path.read_bytes()


DAMAGE = {
    "truncated": (lambda data: data[:-10], "truncated"),
    "cut in the header": (lambda data: data[:40], "truncated"),
    "empty": (lambda data: b"", "truncated"),
    "not a tensor file": (lambda data: b"hello world, this is text", "no safetensors file"),
    "weight changed": (lambda data: data[:-1] + bytes([data[-1] ^ 1]), "damaged or edited"),
    "accuracy changed": (
        lambda data: edit_document(data, lambda document: document["info"].update(test_accuracy=1.0)),
        "damaged or edited",
    ),
    "newer": (lambda data: edit_document(data, lambda document: document.update(version=2)), "newer than 1; upgrade"),
    "no version": (lambda data: edit_document(data, lambda document: document.pop("version")), "no valid version"),
    "training state": (lambda data: edit_document(data, lambda document: document.update(format="state")), "'state'"),
    "of another program": (
        lambda data: join({**split(data)[0], "__metadata__": {}}, split(data)[1]),
        "another program",
    ),
    "broken JSON": (
        lambda data: join({**split(data)[0], "__metadata__": {"bitwright": "{"}}, split(data)[1]),
        "JSON is broken",
    ),
    "pickle": (lambda data: pickle.dumps({"weights": [1]}), "is a pickle"),
    "torch zip": (lambda data: b"PK\x03\x04rest", "is a pickle"),
    "sizes changed": (
        lambda data: signed(data, lambda document: document["network"].update(sizes=[64, 31, 10])),
        "does not fit its topology|damaged",
    ),
    "sizes missing": (lambda data: signed(data, lambda document: document.pop("network")), "does not describe"),
    "nonsense bits": (
        lambda data: signed(data, lambda document: document["network"].update(weight_bits=77)),
        "does not describe",
    ),
    "signs missing": (
        lambda data: signed(data, lambda document: document["packed"].update({"linear0.weight": [64, 64]})),
        "does not describe",
    ),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_told(path, kind):
    change, message = DAMAGE[kind]
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(CheckpointError, match=message) as caught:
        load_checkpoint(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_pickle_is_never_run(path):
    class Hostile:
        def __reduce__(self):
            return os.mkdir, (str(path.parent / "owned"),)

    path.write_bytes(pickle.dumps(Hostile()))
    with pytest.raises(CheckpointError, match="pickle"):
        load_checkpoint(path)
    assert not (path.parent / "owned").exists()


def test_missing(tmp_path):
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_checkpoint(tmp_path / "nothing")
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_checkpoint(tmp_path)


def test_wrong_topology_and_precision(path):
    with pytest.raises(CheckpointError, match=r"holds topology digits \(64-32-10\), not tfc"):
        load_checkpoint(path, "tfc")
    with pytest.raises(CheckpointError, match="holds precision w1a1, not int8"):
        load_checkpoint(path, "digits", "int8")


def test_unwritable_place_leaves_nothing(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write"):
        save_checkpoint(tmp_path / "file" / "net", create("digits", "w1a1"), INFO)
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_failed_write_keeps_the_old_file(path, monkeypatch):
    before = path.read_bytes()

    def fail(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OutputError, match="No space left"):
        save_checkpoint(path, create("digits", "w1a1", seed=4), INFO)
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_no_such_pretrained_network():
    with pytest.raises(CheckpointError, match=r"no checkpoint tfc-ternary is shipped; .*"):
        load_pretrained("tfc", "ternary")
