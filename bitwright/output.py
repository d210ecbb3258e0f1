"""What a user asked to be written: made aside and renamed into place, so that nothing is ever half-written."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bitwright.errors import OutputError


def _reason(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else str(error)


def _family(target: Path) -> str:
    return f".{target.name}.part-{platform.node()}-"


def _prefix(target: Path) -> str:
    """The name of a scratch place for `target`: hidden, and it tells which process of which machine made it."""
    return f"{_family(target)}{os.getpid()}-"


def _sweep(target: Path) -> None:
    """Remove what processes that were killed left beside `target`."""
    for scrap in target.parent.iterdir():
        if not scrap.name.startswith(_family(target)):
            continue
        maker = scrap.name.removeprefix(_family(target)).partition("-")[0]
        if maker.isdecimal() and not _alive(int(maker)):
            if scrap.is_dir():
                shutil.rmtree(scrap, ignore_errors=True)
            else:
                scrap.unlink(missing_ok=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextlib.contextmanager
def new_folder(folder: Path, owned: str) -> Iterator[Path]:
    """A scratch folder to fill; on success it takes the place of `folder`, on any error it vanishes.

    A folder that is there already is replaced only when it is empty or holds the file `owned`, the mark of an earlier
    result of the same kind. Raises OutputError when it holds something else or cannot be written.
    """
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file; name a folder")
    try:
        if folder.is_dir() and any(folder.iterdir()) and not (folder / owned).is_file():
            raise OutputError(f"{folder} holds other files (no {owned}); choose a new or empty folder")
        folder.parent.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        scratch = Path(tempfile.mkdtemp(prefix=_prefix(folder), dir=folder.parent))
    except OSError as error:
        raise OutputError(f"cannot write {folder} ({_reason(error)}); choose a folder that can be written") from error
    try:
        yield scratch
        scratch.chmod(0o777 & ~_umask())
        _replace(scratch, folder)
    except OSError as error:
        raise OutputError(f"cannot write {folder} ({_reason(error)}); choose a folder that can be written") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _replace(scratch: Path, folder: Path) -> None:
    if not folder.exists():
        scratch.rename(folder)
        return
    retired = Path(tempfile.mkdtemp(prefix=_prefix(folder), dir=folder.parent))
    folder.rename(retired / "old")
    try:
        scratch.rename(folder)
    except OSError:
        (retired / "old").rename(folder)
        raise
    finally:
        shutil.rmtree(retired, ignore_errors=True)


def _umask() -> int:
    """The process's file mode mask, which can only be read by setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def write_file(path: Path, data: str | bytes) -> None:
    """Write a whole file or nothing, making its folder if need be. Raises OutputError."""
    content = data.encode("utf-8") if isinstance(data, str) else data
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path)
        handle, name = tempfile.mkstemp(prefix=_prefix(path), dir=path.parent)
    except OSError as error:
        raise OutputError(f"cannot write {path} ({_reason(error)}); choose a place that can be written") from error
    scratch = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        scratch.chmod(0o666 & ~_umask())
        scratch.replace(path)
    except OSError as error:
        raise OutputError(f"cannot write {path} ({_reason(error)}); choose a place that can be written") from error
    finally:
        scratch.unlink(missing_ok=True)
