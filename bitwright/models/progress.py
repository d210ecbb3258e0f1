"""A progress bar for training, shown only to a person who has to wait."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

_PATIENCE_S = 2.0


class TrainingProgress:
    """Epochs done and validation accuracy on standard error, from two seconds on and only on a terminal."""

    def __init__(self, epochs: int, enabled: bool = True, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._enabled = enabled and self._console.is_terminal
        self._epochs = epochs
        self._start = time.monotonic()
        self._bar: Progress | None = None

    def __enter__(self) -> TrainingProgress:
        return self

    def update(self, epoch: int, accuracy: float) -> None:
        """Tell that `epoch` epochs are done and the last one's validation accuracy (a fraction)."""
        if not self._enabled:
            return
        if self._bar is None:
            if time.monotonic() - self._start < _PATIENCE_S:
                return
            columns = (TextColumn("training"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
            self._bar = Progress(*columns, TimeRemainingColumn(), console=self._console, transient=True)
            self._bar.add_task("", total=self._epochs)
            self._bar.start()
        self._bar.update(self._bar.task_ids[0], completed=epoch, description=f"validation {100 * accuracy:.1f} %")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
