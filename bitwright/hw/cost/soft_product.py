"""LUTs of a product that is not in DSP blocks, interpolated between single ones that Yosys mapped."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any

from bitwright.hw.cost.memory import Family

FILE = "products.json"
SIGNS = ("uu", "us", "ss")
"""Which of the operands are signed."""


@lru_cache(maxsize=1)
def _table() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((files("bitwright.hw.cost") / FILE).read_text(encoding="utf-8"))
    return found


@lru_cache(maxsize=1 << 12)
def product_luts(family: Family, a_width: int, a_signed: bool, b_width: int, b_signed: bool) -> float:
    """LUTs of one product of operands of these widths.

    Between the widths that were measured the LUTs a pair of bits are interpolated, beyond them they stay the same.
    """
    if a_signed and not b_signed:
        a_width, a_signed, b_width, b_signed = b_width, b_signed, a_width, a_signed
    if min(a_width, b_width) < 2:
        return float(max(a_width, b_width))
    signs = ("s" if a_signed else "u") + ("s" if b_signed else "u")
    widths: Sequence[int] = _table()["widths"]
    luts: Sequence[Sequence[int]] = _table()["luts"][family][signs]
    (a_low, a_share), (b_low, b_share) = _place(widths, a_width), _place(widths, b_width)
    density = 0.0
    for a, a_part in ((a_low, 1 - a_share), (a_low + 1, a_share)):
        for b, b_part in ((b_low, 1 - b_share), (b_low + 1, b_share)):
            if a_part * b_part:
                density += a_part * b_part * luts[a][b] / (widths[a] * widths[b])
    return density * a_width * b_width


def _place(widths: Sequence[int], width: int) -> tuple[int, float]:
    """Where a width lies: the number of the next lower one of the table, and the way to the one above it."""
    if width >= widths[-1]:
        return len(widths) - 1, 0.0
    low = bisect_right(widths, width) - 1
    return low, (width - widths[low]) / (widths[low + 1] - widths[low])
