"""What a cached conversion or folding depends on besides its network."""

from __future__ import annotations

import importlib.metadata
from functools import cache
from pathlib import Path

from bitwright.cache import content_key

CONVERTERS = ("amaranth", "pyosys")


@cache
def code_key(estimates: bool = False) -> str:
    """A digest of the code that converts networks, or, with `estimates`, of all that chooses foldings too."""
    package = Path(__file__).parent.parent
    parts = [f"{name} {importlib.metadata.version(name)}" for name in CONVERTERS]
    for folder in ("graph", "hw"):
        for path in sorted((package / folder).rglob("*")):
            chosen = path.suffix in (".py", ".sv", ".json")
            if chosen and (estimates or "cost" not in path.relative_to(package).parts):
                parts += [path.relative_to(package).as_posix(), path.read_text()]
    return content_key(*parts)
