"""Conversions kept in the build cache: a design that was converted once is not elaborated again.

The key covers all that a conversion depends on: the network, its folding, the source files of `graph` and `hw` (cost
estimates, a folder of their own, take no part), the versions of Amaranth and Yosys.
"""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from pathlib import Path

from bitwright.cache import cached_build, content_key
from bitwright.graph import Network
from bitwright.hw.emit import Emission
from bitwright.hw.folding import Folding

CONVERTERS = ("amaranth", "pyosys")
FILE = "emission.json"


def cached_emission(network: Network, folding: Folding, convert: Callable[[], Emission]) -> Emission:
    """What `convert` gives for a network at a folding; from the cache where an earlier run has kept it.

    Raises whatever `convert` raises, and OutputError when the cache cannot be written.
    """

    def build(folder: Path) -> None:
        (folder / FILE).write_text(json.dumps(asdict(convert())))

    key = content_key(network.digest, folding.to_json(), code_key())
    found = json.loads((cached_build("emissions", key, build) / FILE).read_text())
    return Emission(
        found["name"], found["text"], tuple((kind, bits) for kind, bits in found["popcounts"]), found["memories"]
    )


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
