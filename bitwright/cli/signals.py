"""Being told to end: SIGTERM unwinds like an error, so that scratch folders and child processes go too."""

from __future__ import annotations

import signal
import sys
from types import FrameType

TERMINATED = 128 + signal.SIGTERM
"""The exit code after SIGTERM."""


def _end(number: int, frame: FrameType | None) -> None:
    sys.exit(TERMINATED)


def end_on_sigterm() -> None:
    """Make SIGTERM raise SystemExit in the main thread of this process."""
    signal.signal(signal.SIGTERM, _end)
