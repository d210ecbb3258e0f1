"""Every code block of the README and of docs/ runs.

The Python blocks of a page run one after the other in one process; lines of `bash` blocks run in the same scratch
folder, `make` targets are only looked up (they would run these tests again). Blocks marked `text` are pictures.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")))
LANGUAGES = {"python", "bash", "json", "text"}
LINK = re.compile(r"\]\(([^)\s]+)\)|<img[^>]*src=\"([^\"]+)\"")


@dataclass(frozen=True)
class Block:
    """One fenced block: its language, its text, and the line of the page it starts on."""

    language: str
    text: str
    line: int


def blocks(page: str) -> list[Block]:
    """All fenced blocks of a Markdown page. Raises AssertionError for a fence that is not closed."""
    found, current, language, start = [], None, "", 0
    for number, line in enumerate(page.splitlines(), 1):
        if line.startswith("```") and current is None:
            current, language, start = [], line[3:].strip(), number
        elif line.startswith("```"):
            assert current is not None
            found.append(Block(language or "text", "\n".join(current) + "\n", start))
            current = None
        elif current is not None:
            current.append(line)
    assert current is None, f"the block of line {start} is not closed"
    return found


def program(page: Path) -> str:
    """The page's Python blocks and `bitwright` commands as one program whose line numbers are the page's."""
    lines: list[str] = []
    for block in blocks(page.read_text()):
        lines += [""] * (block.line - len(lines))
        if block.language == "python":
            lines += block.text.splitlines()
        elif block.language == "bash":
            lines += _shell(block).splitlines()
    return "\n".join(lines)


def _shell(block: Block) -> str:
    calls = []
    for line in block.text.splitlines():
        words = shlex.split(line, comments=True)
        if words and words[0] == "make":
            calls += [f"__make({word!r})" for word in words[1:]]
        elif words and words[0] in ("git", "cd"):
            calls.append("")
        else:
            calls.append(f"__run({words!r})" if words else "")
    return "\n".join(calls)


PRELUDE = f"""
import subprocess as __subprocess
def __make(target):
    __subprocess.run(["make", "-n", "-C", {str(ROOT)!r}, target], check=True, stdout=__subprocess.DEVNULL)
def __run(words):
    __subprocess.run(words, check=True)
"""


def _runs(page: Path) -> bool:
    return any(block.language in ("python", "bash") for block in blocks(page.read_text()))


@pytest.mark.parametrize("page", [page for page in PAGES if _runs(page)], ids=lambda page: str(page.relative_to(ROOT)))
def test_code_blocks_run(page: Path, tmp_path: Path) -> None:
    (tmp_path / page.name).write_text(program(page))
    starter = f"exec(compile(open({page.name!r}).read(), {page.name!r}, 'exec'))"
    code = f"{PRELUDE}\n__name__ = '__main__'\n{starter}"
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_blocks_have_a_known_language(page: Path) -> None:
    for block in blocks(page.read_text()):
        assert block.language in LANGUAGES, f"line {block.line}: '{block.language}'"
        if block.language == "json":
            json.loads(block.text)
        if block.language == "text":
            assert "import " not in block.text, f"line {block.line} looks like code: mark it python"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for found in LINK.finditer(page.read_text()):
        target = (found[1] or found[2]).partition("#")[0]
        if target and "://" not in target:
            assert (page.parent / target).exists(), target


def test_a_failing_block_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    fences = ["# x", "", "```python", "value = 1", "```", "", "text", "", "```python", "assert value == 2", "```"]
    page.write_text("\n".join([*fences, "", "```text", "---", "```", ""]))
    lines = program(page).splitlines()
    assert lines[3] == "value = 1"
    assert lines[9] == "assert value == 2"
    with pytest.raises(AssertionError):
        exec(program(page), {})
