"""The network file: a zip of one JSON header and .npy arrays, with a SHA-256 over every byte of it.

Nothing in the file is ever executed: arrays are plain numbers, the header is JSON. The same network gives the same
bytes. The members are stored, not compressed, so a small file cannot unfold into a large one. The checksum stands in
the zip's comment, the last 64 characters of the file, and covers all bytes before it.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright.errors import InputError, NetworkFormatError
from bitwright.graph.header import network_from_header, network_to_header
from bitwright.graph.network import Network
from bitwright.graph.writing import write_whole

FORMAT = "bitwright network"
VERSION = 1
MAX_BYTES = 1 << 31
"""Files above 2 GiB are refused before they are read."""

HEADER = "network.json"
COMMENT = re.compile(rb"bitwright sha256 ([0-9a-f]{64})\Z")
DTYPES = {np.dtype(name) for name in ("bool", "int8", "int16", "int32", "int64", "float64")}


def network_bytes(network: Network) -> bytes:
    """The whole file as bytes; equal networks give equal bytes."""
    header, arrays = network_to_header(network)
    header = {"format": FORMAT, "version": VERSION, **header}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.comment = b"bitwright sha256 " + b"0" * 64
        _add(archive, HEADER, json.dumps(header, indent=1, ensure_ascii=True, allow_nan=False).encode())
        for index, values in enumerate(arrays):
            _add(archive, _member(index), _npy(values))
    body = buffer.getvalue()[:-64]
    return body + hashlib.sha256(body).hexdigest().encode()


def _member(index: int) -> str:
    return f"arrays/{index:05d}.npy"


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    info.create_system = 3
    info.external_attr = 0o644 << 16
    archive.writestr(info, data)


def _npy(values: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    ordered = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
    np.lib.format.write_array(buffer, ordered, version=(1, 0), allow_pickle=False)
    return buffer.getvalue()


def save_network(network: Network, path: str | os.PathLike[str]) -> Path:
    """Write the network file and return its path; the file appears whole or not at all. Raises OutputError."""
    return write_whole(path, network_bytes(network), "network file")


def load_network(path: str | os.PathLike[str]) -> Network:
    """Read a network file. Raises NetworkFormatError naming the place when anything in it is not as it must be."""
    source = Path(path)
    data = _read(source)
    _check_checksum(source, data)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            header, arrays = _unpack(archive)
        return network_from_header(header, arrays)
    except InputError as error:
        raise NetworkFormatError(f"network file '{source}': {error}") from error
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise NetworkFormatError(f"network file '{source}' is damaged ({error}); write it again by save()") from error


def _read(source: Path) -> bytes:
    try:
        size = source.stat().st_size
        if size > MAX_BYTES:
            raise NetworkFormatError(f"network file '{source}' has {size} bytes, more than the limit of {MAX_BYTES}")
        return source.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise NetworkFormatError(f"cannot read network file '{source}' ({reason}); check the path") from error


def _check_checksum(source: Path, data: bytes) -> None:
    comment = COMMENT.search(data[-81:])
    if comment is None:
        raise NetworkFormatError(f"'{source}' is no network file: {_what_it_is(data)}; write one by Network.save()")
    if hashlib.sha256(data[:-64]).hexdigest().encode() != comment[1]:
        raise NetworkFormatError(
            f"network file '{source}' was edited or damaged: its SHA-256 does not match; write it again by save()"
        )


def _what_it_is(data: bytes) -> str:
    if not data:
        return "it is empty"
    if re.match(rb"\x80[\x02-\x05]", data):
        return "it is a Python pickle, which could run code and is never loaded"
    if data.startswith(b"PK\x03\x04"):
        if b"data.pkl" in data[:4096]:
            return "it is a PyTorch pickle, which could run code and is never loaded"
        return "it is a zip without bitwright's checksum, or a truncated network file"
    return "it is something else, or a damaged network file"


def _unpack(archive: zipfile.ZipFile) -> tuple[dict[str, Any], list[NDArray[Any]]]:
    members = archive.infolist()
    names = [member.filename for member in members]
    if names != [HEADER, *(_member(index) for index in range(len(names) - 1))]:
        raise ValueError(f"its members are not {HEADER} and numbered arrays")
    size = 0
    for member in members:
        if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
            raise ValueError(f"{member.filename} is compressed, which a network file never is")
        size += member.file_size
    if size > MAX_BYTES:
        raise ValueError(f"its members claim {size} bytes")
    header = _header(archive.read(HEADER))
    return header, [_array(name, archive.read(name)) for name in names[1:]]


def _header(data: bytes) -> dict[str, Any]:
    def refuse(word: str) -> Any:
        raise ValueError(f"{HEADER} holds {word}")

    try:
        header = json.loads(data, parse_constant=refuse)
    except RecursionError as error:
        raise ValueError(f"{HEADER} is nested too deeply") from error
    if not isinstance(header, dict) or header.pop("format", None) != FORMAT:
        raise ValueError(f"{HEADER} does not describe a {FORMAT}")
    version = header.pop("version", None)
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ValueError(f"{HEADER} has no version")
    if version > VERSION:
        raise InputError(f"its format version is {version}, newer than {VERSION}; update bitwright to read it")
    return header


def _array(name: str, data: bytes) -> NDArray[Any]:
    stream = io.BytesIO(data)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError(f"{name} is not a .npy array of version 1.0")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    if dtype not in DTYPES:
        raise ValueError(f"{name} has dtype {dtype}, which a network file never holds")
    count = 1
    for length in shape:
        count *= length
    if fortran or count * dtype.itemsize != len(data) - stream.tell():
        raise ValueError(f"{name} does not hold the {shape} values it claims")
    return np.frombuffer(data, dtype=dtype, offset=stream.tell()).reshape(shape)
