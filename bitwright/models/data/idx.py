"""The IDX format of MNIST and its successors: a magic number, big-endian sizes, then bytes."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright.errors import InputError

_UNSIGNED_BYTE = 0x08
_GZIP_MAGIC = b"\x1f\x8b"


def find_idx(folder: Path, name: str) -> Path:
    """The file `name` in `folder`, plain or with `.gz`. Raises InputError when neither is there."""
    for candidate in (folder / name, folder / f"{name}.gz"):
        if candidate.is_file():
            return candidate
    raise InputError(f"{folder} has neither {name} nor {name}.gz; put the four IDX files into that folder")


def read_idx(path: Path, dimensions: int, sha256: str | None = None) -> NDArray[np.uint8]:
    """The bytes of one IDX file, gzipped or not, as an array of `dimensions` axes.

    `sha256` is the expected digest of the uncompressed file; None accepts any content. Raises InputError naming the
    file when it cannot be read, has another magic number or length, or does not match the digest.
    """
    data = _content(path)
    if len(data) < 4:
        raise InputError(f"{path} is truncated: {len(data)} bytes, too short for an IDX header; get the file again")
    if data[:2] != b"\0\0" or data[2] != _UNSIGNED_BYTE or data[3] != dimensions:
        expected = _UNSIGNED_BYTE << 8 | dimensions
        raise InputError(
            f"{path} has magic number 0x{data[:4].hex()}, not 0x{expected:08x}; "
            f"give an IDX file of unsigned bytes with {dimensions} dimensions"
        )
    header = 4 + 4 * dimensions
    if len(data) < header:
        raise InputError(f"{path} is truncated inside its header; get the file again")
    shape = [int.from_bytes(data[offset : offset + 4], "big") for offset in range(4, header, 4)]
    size = 1
    for extent in shape:
        size *= extent
    if len(data) - header != size:
        problem = "is truncated" if len(data) - header < size else "has trailing bytes"
        raise InputError(f"{path} {problem}: header says {size} bytes, found {len(data) - header}; get the file again")
    if sha256 is not None:
        found = hashlib.sha256(data).hexdigest()
        if found != sha256:
            raise InputError(
                f"{path} has SHA-256 {found[:16]}..., the official file {sha256[:16]}...; "
                "get the file again, or pass verify=False for another IDX set"
            )
    values: NDArray[Any] = np.frombuffer(data, dtype=np.uint8, offset=header).reshape(shape)
    return values


def _content(path: Path) -> bytes:
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if data[:2] == _GZIP_MAGIC else data
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} cannot be read ({error}); get the file again") from error
