"""`bitwright bench`: the benchmarks of a checkout, by name."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Annotated

import typer

from bitwright.cli.answer import JsonFlag, answer, say
from bitwright.errors import InputError


def _checkout() -> Path:
    """The checkout this package runs from; benchmarks are no part of the installed package."""
    root = Path(__file__).resolve().parents[2]
    if not (root / "benchmarks" / "__init__.py").is_file():
        raise InputError("benchmarks are not installed with the package; run this in a clone of the repository")
    return root


def bench(
    name: Annotated[str, typer.Argument(help="Which benchmark; `all` runs each of them.")],
    as_json: JsonFlag = False,
) -> None:
    """Run one of the repository's benchmarks: each figure beside its peer or its limit."""
    root = _checkout()
    sys.path.insert(0, str(root))
    names = importlib.import_module("benchmarks").names()
    if name != "all" and name not in names:
        raise InputError(f"no benchmark is called '{name}'; there are {', '.join(names)}")
    figures = {}
    for each in names if name == "all" else (name,):
        say(f"benchmark {each} ...")
        figures[each] = importlib.import_module(f"benchmarks.{each}").run()
    document = figures if name == "all" else figures[name]
    answer(document, _lines(document), as_json)


def _lines(document: dict[str, object], indent: str = "") -> str:
    lines = []
    for key, value in document.items():
        if isinstance(value, dict):
            lines += [f"{indent}{key}:", _lines(value, indent + "  ")]
        elif isinstance(value, float):
            lines.append(f"{indent}{key}: {value:.4g}")
        else:
            lines.append(f"{indent}{key}: {value}")
    return "\n".join(lines)
