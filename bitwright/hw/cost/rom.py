"""Read-only memories of LUTs: how many different columns their words have, and how many LUT6s these take."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from math import log2
from typing import Any

FILE = "roms.json"

LUT6 = 6
WIDEST_LUT6 = 8
"""Inputs of the widest function that LUT6s and the multiplexers beside them make."""


def address_bits(depth: int) -> int:
    """Bits of the address of so many words."""
    return (depth - 1).bit_length()


def varying_bits(width: int, words: Sequence[int]) -> int:
    """The bits that are not the same in all words, as a mask."""
    ones, zeros = 0, 0
    mask = (1 << width) - 1
    for word in words:
        ones |= word
        zeros |= ~word & mask
    return ones & zeros


def _columns(width: int, words: Sequence[int]) -> set[int]:
    """The different columns that vary, each as an integer with a word's bit a binary digit."""
    used = varying_bits(width, words)
    texts = [f"{word & used:0{used.bit_length()}b}" for word in reversed(words)]
    places = f"{used:b}"
    return {
        int("".join(column), 2) for column, place in zip(zip(*texts, strict=True), places, strict=True) if place == "1"
    }


def logic_columns(width: int, words: Sequence[int]) -> int:
    """Columns of a ROM of logic: those that are equal, or each other's opposite, are one."""
    whole = (1 << len(words)) - 1
    return len({min(column, whole - column) for column in _columns(width, words)})


@lru_cache(maxsize=1)
def _table() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((files("bitwright.hw.cost") / FILE).read_text(encoding="utf-8"))
    return found


def lut4_rom(columns: float, depth: int) -> float:
    """LUT4s of a ROM with so many different columns on iCE40, interpolated between single ones that Yosys mapped.

    The more columns there are the more parts they share, so that the LUTs a column fall with their logarithm.
    """
    depths: Sequence[int] = _table()["depths"]
    if depth <= depths[0]:
        return columns if depth > 2 else 0.0
    if depth >= depths[-1]:
        return _of_depth(len(depths) - 1, columns) * depth / depths[-1]
    low = bisect_right(depths, depth) - 1
    share = (depth - depths[low]) / (depths[low + 1] - depths[low])
    return (1 - share) * _of_depth(low, columns) + share * _of_depth(low + 1, columns)


def _of_depth(place: int, columns: float) -> float:
    row: Sequence[int] = _table()["luts"][place]
    counts: Sequence[int] = _table()["columns"][: len(row)]
    each = [luts / count for luts, count in zip(row, counts, strict=True)]
    if columns <= counts[0] or columns >= counts[-1]:
        return columns * each[0 if columns <= counts[0] else -1]
    low = bisect_right(counts, columns) - 1
    share = log2(columns / counts[low]) / log2(counts[low + 1] / counts[low])
    return columns * ((1 - share) * each[low] + share * each[low + 1])


def lut6_rom(width: int, words: Sequence[int]) -> int:
    """LUT6s of a ROM as `synth/rom_of_luts.v` builds it: equal columns are one, and so are equal parts of columns."""
    bits, muxes = address_bits(len(words)), 0
    size, known = 1 << bits, (1 << len(words)) - 1
    parts: set[tuple[int, int]] = set()
    for column in _columns(width, words):
        # Words behind the last one repeat those half a memory before.
        repeated = (column << size // 2) & ((1 << size) - 1) & ~known
        muxes += _collect(column | repeated, bits, parts)
    return muxes + sum(1 << max(0, one - LUT6) for _, one in parts)


def _collect(words: int, bits: int, parts: set[tuple[int, int]]) -> int:
    """Adds the parts of a column of 2^bits words that fit one function, by words and bits; the LUTs that join them."""
    while bits:
        half = 1 << (bits - 1)
        ones = (1 << half) - 1
        low, high = words & ones, words >> half
        if (low, high) in ((0, ones), (ones, 0)):
            return 0
        if low != high:
            break
        words, bits = low, bits - 1
    if not bits:
        return 0
    if bits <= WIDEST_LUT6:
        parts.add((words, bits))
        return 0
    if (bits - WIDEST_LUT6) % 2:
        return 1 + sum(_collect(one, bits - 1, parts) for one in (low, high))
    # A LUT6 chooses between four.
    quarter = half // 2
    ones = (1 << quarter) - 1
    return 1 + sum(_collect(words >> turn * quarter & ones, bits - 2, parts) for turn in range(4))


def lut6_column(depth: int) -> int:
    """LUT6s of one bit of so many words of any content."""
    whole = 1 << WIDEST_LUT6
    if depth <= whole:
        return 1 << max(0, address_bits(depth) - LUT6) if depth > 2 else 0
    parts = -(-depth // whole)
    return parts * lut6_column(whole) + -(-(parts - 1) // 3)
