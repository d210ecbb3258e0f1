"""One file of named tensors and a JSON document: safetensors with the document in its header, never pickle.

The document carries a format name, a version and a SHA-256 over itself and every tensor, so that a file that was cut,
edited or swapped is told from a good one. Files are written aside and renamed into place.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from bitwright.errors import CheckpointError, OutputError

VERSION = 1
"""The newest version this package reads and the one it writes."""

_KEY = "bitwright"
_PICKLE_STARTS = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


def write_tensor_file(path: Path, kind: str, tensors: Mapping[str, Tensor], document: Mapping[str, Any]) -> None:
    """Write `tensors` and the JSON `document` to `path` as a file of `kind`; all of it or nothing.

    Raises OutputError when the place cannot be written.
    """
    kept = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    full: dict[str, Any] = {"format": kind, "version": VERSION, **document}
    full["sha256"] = _digest(kept, full)
    data = safetensors.torch.save(kept, metadata={_KEY: json.dumps(full, sort_keys=True)})
    scratch: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, scratch = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(scratch, 0o666 & ~umask)
        os.replace(scratch, path)
    except OSError as error:
        raise OutputError(f"cannot write {path} ({error.strerror}); choose a writable folder") from error
    finally:
        if scratch is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(scratch)


def read_tensor_file(path: Path, kind: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and document of a file of `kind` written by `write_tensor_file`.

    Raises CheckpointError naming the file when it is missing, not such a file (a pickle, say), truncated, edited, or
    of a newer version.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error.strerror}); check the path") from error
    if data.startswith(_PICKLE_STARTS):
        raise CheckpointError(f"{path} is a pickle, which could run code; save the weights as a bitwright checkpoint")
    try:
        tensors = safetensors.torch.load(data)
    except (safetensors.SafetensorError, KeyError, ValueError) as error:
        raise CheckpointError(
            f"{path} is truncated or no safetensors file ({error}); get the file again or train anew"
        ) from error
    document = _document(path, data)
    if document.get("format") != kind:
        raise CheckpointError(f"{path} is not a {kind} but {document.get('format', 'something else')!r}; give a {kind}")
    version = document.get("version")
    if not isinstance(version, int) or version < 1:
        raise CheckpointError(f"{path} has no valid version; get the file again or train anew")
    if version > VERSION:
        raise CheckpointError(f"{path} has version {version}, newer than {VERSION}; upgrade bitwright")
    found = document.pop("sha256", None)
    if found != _digest(tensors, document):
        raise CheckpointError(f"{path} was damaged or edited (SHA-256 differs); get the file again or train anew")
    return tensors, document


def _document(path: Path, data: bytes) -> dict[str, Any]:
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    text = header.get("__metadata__", {}).get(_KEY)
    if text is None:
        raise CheckpointError(f"{path} is a safetensors file of another program; give one that bitwright wrote")
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise CheckpointError(f"{path} was edited: its JSON is broken ({error}); get the file again") from error
    if not isinstance(document, dict):
        raise CheckpointError(f"{path} was edited: its JSON is no object; get the file again")
    return document


def _digest(tensors: Mapping[str, Tensor], document: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(document, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name}:{tensor.dtype}:{tuple(tensor.shape)}:".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()
