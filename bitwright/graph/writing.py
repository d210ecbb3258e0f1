"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from bitwright.errors import OutputError


def write_whole(path: str | os.PathLike[str], data: bytes, what: str) -> Path:
    """Write a file beside its place and rename it there. Raises OutputError naming `what` and the path."""
    target = Path(path)
    scratch = target.parent / f".bitwright-{secrets.token_hex(8)}.tmp"
    try:
        try:
            scratch.write_bytes(data)
            scratch.replace(target)
        finally:
            scratch.unlink(missing_ok=True)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise OutputError(f"cannot write {what} '{target}' ({reason}); choose a writable place") from error
    return target
