"""What measures speed and size, each side by side with its peer or its limit.

One module a benchmark, each with `run() -> dict`: figures and ratios, JSON values only. `bitwright bench NAME` runs it.
"""

from __future__ import annotations

import ast
from pathlib import Path


def names() -> tuple[str, ...]:
    """The benchmarks there are: every module of this folder that defines `run`."""
    found = []
    for path in sorted(Path(__file__).parent.glob("*.py")):
        if any(isinstance(node, ast.FunctionDef) and node.name == "run" for node in ast.parse(path.read_text()).body):
            found.append(path.stem)
    return tuple(found)
