"""A content-addressed cache of build folders, safe against two builders at once and against a kill at any time.

A build is made in a scratch folder beside its final place and renamed there when it is complete, so a folder that
exists is whole. Two processes that want the same build take turns by a file lock, which the kernel drops when its
holder dies.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from bitwright.errors import OutputError


def cache_root() -> Path:
    """The folder of all builds: `$BITWRIGHT_CACHE`, else `bitwright` in the user's cache folder."""
    explicit = os.environ.get("BITWRIGHT_CACHE")
    if explicit:
        return Path(explicit)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "bitwright"


def content_key(*parts: str | bytes) -> str:
    """A SHA-256 hex digest of the parts, each with its length so that their borders count."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with open(path, "w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(handle, fcntl.LOCK_UN)


def cached_build(kind: str, key: str, build: Callable[[Path], None]) -> Path:
    """The folder of the build `key`, made by `build(scratch_folder)` when it is not there yet.

    `build` fills the scratch folder it is given; when it raises, nothing is kept. The result is read-only by
    agreement. Raises OutputError when the cache folder cannot be written.
    """
    parent = cache_root() / kind
    final = parent / key
    if final.is_dir():
        return final
    try:
        parent.mkdir(parents=True, exist_ok=True)
        lock = parent / f".{key}.lock"
        lock.touch()
    except OSError as error:
        raise OutputError(
            f"cannot write the build cache {parent} ({error.strerror}); set BITWRIGHT_CACHE to a writable folder"
        ) from error
    with _locked(lock):
        if final.is_dir():
            return final
        for leftover in parent.glob(f".{key}.build-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{key}.build-", dir=parent))
        try:
            build(scratch)
            scratch.rename(final)
        except BaseException:
            shutil.rmtree(scratch, ignore_errors=True)
            raise
    return final
