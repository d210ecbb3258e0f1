"""What the cells of a mapped netlist amount to: LUTs, flip-flops, block RAMs and DSPs of each family."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from bitwright.synth.devices import Family


@dataclass(frozen=True)
class CellSummary:
    """Counts of one mapped netlist.

    `luts` holds every LUT site: logic, those inside carry cells where these take LUTs (ECP5), and `lutrams`, the sites
    used as memory or shift register. `carries` are carry cells. `least_luts` is the number below which no placer can
    go (on Xilinx 7 two small LUTs may share a site).
    """

    luts: int
    lutrams: int
    carries: int
    ffs: int
    brams: int
    dsps: int
    least_luts: int


def _total(cells: Mapping[str, int], pattern: str) -> int:
    return sum(count for kind, count in cells.items() if re.fullmatch(pattern, kind))


def summarise(family: Family, cells: Mapping[str, int]) -> CellSummary:
    """Sum up cells by type, as Yosys names them for the family."""
    if family == "ecp5":
        lutrams = 4 * _total(cells, "TRELLIS_DPR16X4")
        carries = _total(cells, "CCU2C")
        luts = _total(cells, "LUT4") + 2 * carries + lutrams
        return CellSummary(
            luts=luts,
            lutrams=lutrams,
            carries=carries,
            ffs=_total(cells, "TRELLIS_FF"),
            brams=_total(cells, "DP16KD|PDPW16KD"),
            dsps=_total(cells, "MULT18X18D"),
            least_luts=luts,
        )
    if family == "ice40":
        luts = _total(cells, "SB_LUT4")
        return CellSummary(
            luts=luts,
            lutrams=0,
            carries=_total(cells, "SB_CARRY"),
            ffs=_total(cells, "SB_DFF.*"),
            brams=_total(cells, "SB_RAM40_4K.*"),
            dsps=_total(cells, "SB_MAC16"),
            least_luts=luts,
        )
    lutrams = _total(cells, "SRL.*|RAM32X1S|RAM64X1S") + 2 * _total(cells, "RAM32X1D|RAM64X1D|RAM128X1S")
    lutrams += 4 * _total(cells, "RAM32M|RAM64M|RAM128X1D|RAM256X1S")
    small = _total(cells, "LUT[1-5]")
    large = _total(cells, "LUT6") + lutrams
    return CellSummary(
        luts=small + large,
        lutrams=lutrams,
        carries=_total(cells, "CARRY4"),
        ffs=_total(cells, "FD[CPRS]E.*"),
        brams=_total(cells, "RAMB18E1") + 2 * _total(cells, "RAMB36E1"),
        dsps=_total(cells, "DSP48E1"),
        least_luts=large + -(-small // 2),
    )
