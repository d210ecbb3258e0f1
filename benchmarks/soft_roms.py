"""LUTs of single read-only memories on iCE40, as Yosys builds them.

`python -m benchmarks.soft_roms` maps ROMs of random words of a grid of depths and widths and writes their LUTs to
`bitwright/hw/cost/roms.json`, from which estimates interpolate.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from benchmarks.soft_products import luts
from bitwright.hw import cost
from bitwright.hw.cost.rom import FILE

DEPTHS = (16, 24, 32, 48, 64, 128, 256, 512)
COLUMNS = (1, 4, 16, 64, 256, 768)
MOST_BITS = 50_000
MOST_DEEP_BITS = 2_100
DEEP = 100
"""Deeper ROMs are block RAM unless they are small."""


def rom_text(name: str, columns: int, depth: int) -> str:
    """A module with one ROM and its registers."""
    bits = np.random.default_rng(depth * 1000 + columns).integers(0, 2, (depth, columns))
    words = ["".join(map(str, row)) for row in bits.tolist()]
    address = (depth - 1).bit_length()
    body = " ".join(f"m[{place}] = {columns}'b{word};" for place, word in enumerate(words))
    return (
        f"(* keep_hierarchy *) module {name}(input c, input [{address - 1}:0] a, output reg [{columns - 1}:0] q);\n"
        f'(* rom_style = "logic" *) reg [{columns - 1}:0] m[0:{depth - 1}]; initial begin {body} end\n'
        "always @(posedge c) q <= m[a];\nendmodule\n"
    )


def roms() -> list[list[int]]:
    """LUTs by depth and number of columns, as many as were mapped."""
    sizes = [
        [columns for columns in COLUMNS if columns * depth <= (MOST_BITS if depth < DEEP else MOST_DEEP_BITS)]
        for depth in DEPTHS
    ]
    names = {(d, c): f"rom_{d}_{c}" for d, row in zip(DEPTHS, sizes, strict=True) for c in row}
    found = luts("ice40", {name: rom_text(name, columns, depth) for (depth, columns), name in names.items()})
    return [[found[names[d, c]] for c in row] for d, row in zip(DEPTHS, sizes, strict=True)]


def main() -> None:
    """Measure and write."""
    path = Path(cost.__file__).parent / FILE
    path.write_text(json.dumps({"depths": DEPTHS, "columns": COLUMNS, "luts": roms()}) + "\n")


if __name__ == "__main__":
    main()
