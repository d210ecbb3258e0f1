"""Conversions kept in the build cache: a design that was converted once is not elaborated again.

The key covers all that a conversion depends on: the network, its folding, the source files of `graph` and `hw` (cost
estimates, a folder of their own, take no part), the versions of Amaranth and Yosys.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from bitwright.cache import cached_build, content_key
from bitwright.graph import Network
from bitwright.hw.code_key import code_key
from bitwright.hw.emit import Emission
from bitwright.hw.folding import Folding

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
