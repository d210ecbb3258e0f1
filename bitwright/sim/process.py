"""Running the programs of a simulation: with a limit, a progress bar when it takes long, and nothing left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from bitwright.errors import SimulationError

POLL_SECONDS = 0.25
SHOW_AFTER_SECONDS = 2.0


T = TypeVar("T")

_on_screen = threading.Lock()
_stop: ContextVar[threading.Event | None] = ContextVar("stop", default=None)


class ProgressBar:
    """A bar on the terminal that shows itself once its work has lasted two seconds.

    Never without a terminal, and never beside another one.
    """

    def __init__(self, description: str) -> None:
        self.description = description
        self.started = time.monotonic()
        self.console = Console(stderr=True)
        self.progress: Progress | None = None
        self.task = TaskID(0)

    def update(self, done: float | None = None) -> None:
        """Redraw; `done` is the fraction of the work that is done, None when nobody knows."""
        if not self.console.is_terminal or time.monotonic() - self.started < SHOW_AFTER_SECONDS:
            return
        if self.progress is None:
            if not _on_screen.acquire(blocking=False):
                return
            columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
            self.progress = Progress(*columns, console=self.console, transient=True)
            self.task = self.progress.add_task(self.description, total=None)
            self.progress.start()
        if done is not None:
            self.progress.update(self.task, total=1.0, completed=done)

    def close(self) -> None:
        """Take the bar away."""
        if self.progress is not None:
            self.progress.stop()
            self.progress = None
            _on_screen.release()


@contextlib.contextmanager
def progress_bar(description: str) -> Iterator[ProgressBar]:
    """A ProgressBar that is taken away at the end."""
    bar = ProgressBar(description)
    try:
        yield bar
    finally:
        bar.close()


@contextlib.contextmanager
def beside(work: Callable[[], T]) -> Iterator[Future[T]]:
    """Do `work` in a thread while the block runs; its end waits for it.

    An exception that leaves the block, KeyboardInterrupt among them, kills the programs that `work` runs.
    """
    stop = threading.Event()

    def run() -> T:
        _stop.set(stop)
        return work()

    with ThreadPoolExecutor(max_workers=1) as pool:
        future = pool.submit(run)
        try:
            yield future
        except BaseException:
            stop.set()
            raise


def _check_stop(what: str) -> None:
    """Raise SimulationError in a thread whose work is no longer wanted."""
    stop = _stop.get()
    if stop is not None and stop.is_set():
        raise SimulationError(f"{what} was stopped")


@dataclass(frozen=True)
class Finished:
    """What a program left: exit status (negative: the signal that ended it) and its words."""

    status: int
    stdout: str
    stderr: str


def run_program(
    command: Sequence[str],
    *,
    limit: float,
    what: str,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    tick: Callable[[], None] | None = None,
) -> Finished:
    """Run a program to its end, calling `tick` several times a second.

    The program and its children are killed when it takes more than `limit` seconds (SimulationError names `what`) and
    when this function is left by any exception, KeyboardInterrupt among them.
    """
    deadline = time.monotonic() + limit
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        while True:
            try:
                stdout, stderr = process.communicate(timeout=POLL_SECONDS)
                return Finished(process.returncode, stdout, stderr)
            except subprocess.TimeoutExpired:
                _check_stop(what)
                if tick is not None:
                    tick()
                if time.monotonic() > deadline:
                    raise SimulationError(
                        f"{what} was stopped at its limit of {limit:g} s; raise the limit or look for an endless loop"
                    ) from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def first_error(finished: Finished) -> str:
    """The line of a failed program's output that tells most."""
    lines = [line.strip() for line in (finished.stderr + "\n" + finished.stdout).splitlines() if line.strip()]
    telling = [line for line in lines if "error" in line.lower()] or [line for line in lines if "%Warning" in line]
    return (telling or lines or [f"exit status {finished.status}"])[0]


def run_all(
    commands: Sequence[Sequence[str]], *, limit: float, what: str, cwd: Path, stop: threading.Event | None = None
) -> None:
    """Run independent programs, as many at once as there are processors. Raises SimulationError for the first failure.

    Ctrl-C, a failure, and another thread that sets `stop` kill the rest.
    """
    failed = threading.Event()

    def tick() -> None:
        if failed.is_set() or (stop is not None and stop.is_set()):
            raise SimulationError(f"{what} was stopped")

    def one(command: Sequence[str]) -> None:
        finished = run_program(command, limit=limit, what=what, cwd=cwd, tick=tick)
        if finished.status:
            raise SimulationError(f"{what} failed: {first_error(finished)}")

    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool, progress_bar(what) as bar:
        futures = [pool.submit(one, command) for command in commands]
        try:
            while not all(future.done() for future in futures):
                _check_stop(what)
                for future in futures:
                    if future.done():
                        future.result()
                bar.update(sum(future.done() for future in futures) / len(futures))
                time.sleep(0.02)
            for future in futures:
                future.result()
        except BaseException:
            failed.set()
            for future in futures:
                future.cancel()
            raise
