"""What the terms of a tally cost in LUTs, read from coefficients.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any

from bitwright.hw.cost.memory import Family
from bitwright.hw.cost.tally import EXACT, Tally

FILE = "coefficients.json"


@lru_cache(maxsize=1)
def fitted() -> Mapping[str, Any]:
    """The whole file: the versions of the tools, and for each family the LUTs of each term."""
    found: dict[str, Any] = json.loads((files("bitwright.hw.cost") / FILE).read_text(encoding="utf-8"))
    return found


@lru_cache(maxsize=8)
def coefficients(family: Family) -> Mapping[str, float]:
    """LUTs of one of each term; a term that is not there costs nothing."""
    return {EXACT: 1.0, **fitted()["luts"][family]}


def luts(tally: Tally) -> float:
    """The LUTs of everything counted."""
    table = coefficients(tally.family)
    return sum(table.get(term, 0.0) * amount for term, amount in tally.terms.items())
