"""What a command says: one answer on stdout (text, or exactly one JSON document), everything else on stderr."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, TextIO

import typer

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout instead of text.")]

_streams: list[TextIO] = []


@contextlib.contextmanager
def only_answers_on_stdout() -> Iterator[None]:
    """Send all output of this process and its children to stderr, except what `answer` prints."""
    sys.stdout.flush()
    saved = os.dup(1)
    stdout = sys.stdout
    with os.fdopen(saved, "w", encoding="utf-8") as stream:
        _streams.append(stream)
        os.dup2(2, 1)
        sys.stdout = sys.stderr
        try:
            yield
        finally:
            stream.flush()
            sys.stderr.flush()
            os.dup2(saved, 1)
            sys.stdout = stdout
            _streams.pop()


def answer(document: Mapping[str, Any], text: Any, as_json: bool) -> None:
    """Print a command's result: the document as JSON, or `text` (a string or a Rich renderable)."""
    stream = _streams[-1] if _streams else sys.stdout
    if as_json:
        print(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False), file=stream, flush=True)
    elif isinstance(text, str):
        print(text, file=stream, flush=True)
    else:
        from rich.console import Console

        console = Console(file=stream)
        if not console.is_terminal:
            console = Console(file=stream, width=200)
        console.print(text)


def say(message: str) -> None:
    """A line of progress, on stderr."""
    print(message, file=sys.stderr, flush=True)
