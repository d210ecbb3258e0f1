"""The progress bar: on a terminal, after two seconds, one at a time."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from bitwright.sim import process
from bitwright.sim.process import ProgressBar, progress_bar


def bar(description: str, age: float, terminal: bool = True) -> tuple[ProgressBar, io.StringIO]:
    one = ProgressBar(description)
    text = io.StringIO()
    one.console = Console(file=text, force_terminal=terminal, width=80)
    one.started -= age
    return one, text


def test_shows_on_a_terminal_after_two_seconds() -> None:
    one, text = bar("working hard", age=3.0)
    one.update(0.5)
    one.close()
    assert "working hard" in text.getvalue()


@pytest.mark.parametrize(("age", "terminal"), [(0.0, True), (3.0, False)])
def test_stays_away(age: float, terminal: bool) -> None:
    one, text = bar("working hard", age, terminal)
    one.update(0.5)
    one.close()
    assert text.getvalue() == ""


def test_one_at_a_time() -> None:
    one, _ = bar("first", age=3.0)
    other, text = bar("second", age=3.0)
    one.update(0.5)
    other.update(0.5)
    assert other.progress is None
    one.close()
    other.update(0.5)
    other.close()
    assert "second" in text.getvalue()
    assert not process._on_screen.locked()


def fail_under_a_bar() -> None:
    with progress_bar("work") as one:
        one.console = Console(file=io.StringIO(), force_terminal=True)
        one.started -= 3
        one.update()
        raise KeyError


def test_taken_away_after_an_error() -> None:
    with pytest.raises(KeyError):
        fail_under_a_bar()
    assert not process._on_screen.locked()
