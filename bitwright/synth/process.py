"""Running a tool in a folder of its own: output to a log, a time limit, and nothing left running afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from bitwright.errors import InputError, SynthesisError

_DIE_WITH_PARENT = (
    "import ctypes, sys\n"
    "if sys.platform == 'linux':\n"
    "    ctypes.CDLL(None).prctl(1, 9)\n"  # PR_SET_PDEATHSIG: a killed caller leaves no tool behind
)


class Deadline:
    """The time limit of a whole synthesis, shared by its tools."""

    def __init__(self, timeout_s: float) -> None:
        """`timeout_s` counts from now. Raises InputError unless it is above 0."""
        if not timeout_s > 0:
            raise InputError(f"timeout_s must be above 0, not {timeout_s}; the default is 600")
        self.timeout_s = timeout_s
        self._end = time.monotonic() + timeout_s

    def left(self) -> float:
        """Seconds left, 0 when it is over."""
        return max(0.0, self._end - time.monotonic())


def run_python(
    code: str,
    arguments: Sequence[str],
    *,
    tool: str,
    folder: Path,
    log: Path,
    deadline: Deadline,
    environment: Mapping[str, str] | None = None,
) -> int:
    """Run Python `code` with `arguments` in `folder`, stdout and stderr to the file `log`; the exit status.

    The process and its children are killed when the deadline passes (SynthesisError) and on any exception.
    """
    command = [sys.executable, "-P", "-c", _DIE_WITH_PARENT + code, *arguments]
    with open(log, "wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
        try:
            status = process.wait(timeout=deadline.left())
        except subprocess.TimeoutExpired:
            raise SynthesisError(
                f"{tool} did not finish within timeout_s={deadline.timeout_s:g}; "
                "allow more time, fold the design further (a higher target_cycles) or choose a larger device"
            ) from None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    if status == -signal.SIGKILL:
        raise SynthesisError(f"{tool} was killed, most likely for want of memory; fold the design further")
    return status


def error_line(log: Path) -> str:
    """The last line of a tool's log that tells an error, else its last line."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if "ERROR" in line or "Error" in line]
    return (errors or lines or ["it left no output"])[-1]
