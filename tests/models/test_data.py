"""Data sets: fixed splits, scaled pixels, IDX files good and damaged."""

import gzip
import hashlib
import struct

import numpy as np
import pytest

from bitwright.errors import InputError
from bitwright.models.data import load, mnist, stratified_split
from bitwright.models.data.idx import read_idx


def digest(data):
    parts = (data.train_x, data.train_y, data.test_x, data.test_y)
    return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()


SPLITS = {
    "digits": ("10d1ddb84545664fc42a36df8b46f0e04e82fed42cfcf01019e7cfd1ca2279bc", 1438, 359, 64),
    "mnist": ("d6894ae207b363487e5c602f6975261a7b4c99a878dd7c02a60d5579b5e80a05", 4000, 1000, 784),
}


@pytest.mark.parametrize("name", SPLITS)
def test_split_is_fixed(name):
    expected, train, test, pixels = SPLITS[name]
    data = load(name)
    assert data.train_x.shape == (train, pixels)
    assert data.test_x.shape == (test, pixels)
    assert data.image_shape[0] * data.image_shape[1] == pixels
    assert digest(data) == expected


@pytest.mark.parametrize("name", SPLITS)
def test_pixels_are_scaled_and_classes_balanced(name):
    data = load(name)
    for x, y in ((data.train_x, data.train_y), (data.test_x, data.test_y)):
        assert x.dtype == np.float32
        assert (x.min(), x.max()) == (0.0, 1.0)
        counts = np.bincount(y, minlength=10)
        assert counts.max() - counts.min() <= 0.1 * len(y) / 10


def test_no_image_is_in_both_parts():
    data = load("mnist")
    train = {row.tobytes() for row in data.train_x}
    assert not any(row.tobytes() in train for row in data.test_x)


def test_subset_says_what_it_is():
    assert "5,000 real MNIST images" in load("mnist").source


def test_unknown_set_and_needless_folder(tmp_path):
    with pytest.raises(InputError, match=r"unknown data set 'cifar'.*digits, mnist"):
        load("cifar")
    with pytest.raises(InputError, match="takes no folder"):
        load("digits", tmp_path)


def test_stratified_split_needs_two_of_each_class():
    with pytest.raises(InputError, match="class 1 has 1 images"):
        stratified_split(np.array([0, 0, 0, 0, 1]), 0.5, 0)


def idx_bytes(array):
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def synthetic(tmp_path):
    """Four generated IDX files, one of them gzipped, in a folder with a space and a letter beyond ASCII."""
    folder = tmp_path / "idx größe"
    folder.mkdir()
    random = np.random.default_rng(0)
    arrays = {}
    for part, count in (("train", 50), ("t10k", 20)):
        arrays[f"{part}-images-idx3-ubyte"] = random.integers(0, 256, (count, 5, 4), dtype=np.uint8)
        arrays[f"{part}-labels-idx1-ubyte"] = random.integers(0, 10, count, dtype=np.uint8)
    for name, array in arrays.items():
        (folder / name).write_bytes(idx_bytes(array))
    zipped = folder / "t10k-images-idx3-ubyte"
    (folder / f"{zipped.name}.gz").write_bytes(gzip.compress(zipped.read_bytes()))
    zipped.unlink()
    return folder, arrays


def test_idx_folder(synthetic):
    folder, arrays = synthetic
    data = load("mnist", folder, verify=False)
    assert data.image_shape == (5, 4)
    assert np.array_equal(np.rint(data.train_x * 255).reshape(50, 5, 4), arrays["train-images-idx3-ubyte"])
    assert np.array_equal(np.rint(data.test_x * 255).reshape(20, 5, 4), arrays["t10k-images-idx3-ubyte"])
    assert np.array_equal(data.test_y, arrays["t10k-labels-idx1-ubyte"])
    assert "unverified" in data.source


def test_checksums_are_checked(synthetic, monkeypatch):
    folder, arrays = synthetic
    with pytest.raises(InputError, match=r"train-images-idx3-ubyte has SHA-256 .*verify=False"):
        load("mnist", folder)
    right = {name: hashlib.sha256(idx_bytes(array)).hexdigest() for name, array in arrays.items()}
    monkeypatch.setattr(mnist, "OFFICIAL_SHA256", right)
    assert "official" in load("mnist", folder).source


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data[:-1], "is truncated"),
        (lambda data: data[:10], "truncated inside its header"),
        (lambda data: data[:3], "too short"),
        (lambda data: data + b"x", "trailing bytes"),
        (lambda data: b"\0\0\x0d\x03" + data[4:], "magic number 0x00000d03, not 0x00000803"),
        (lambda data: b"\x89PNG" + data[4:], "magic number"),
        (lambda data: gzip.compress(data)[:-20], "cannot be read"),
        (lambda data: gzip.compress(data)[:20] + b"zzzzzzzzzz", "cannot be read"),
    ],
)
def test_damaged_idx_names_the_file(synthetic, damage, message):
    folder, _ = synthetic
    path = folder / "train-images-idx3-ubyte"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match=rf"train-images-idx3-ubyte.*{message}"):
        read_idx(path, 3)


def test_missing_idx_files(synthetic, tmp_path):
    folder, _ = synthetic
    (folder / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(InputError, match="neither t10k-labels-idx1-ubyte nor"):
        load("mnist", folder, verify=False)
    with pytest.raises(InputError, match="is not a folder"):
        load("mnist", tmp_path / "nowhere")


def test_images_without_labels(synthetic):
    folder, _ = synthetic
    (folder / "train-labels-idx1-ubyte").write_bytes(idx_bytes(np.zeros(49, dtype=np.uint8)))
    with pytest.raises(InputError, match="50 train images but 49 labels"):
        load("mnist", folder, verify=False)
