"""LUTs of an XNOR-popcount of N bits after Yosys, beside the plain adder tree, on three fabrics.

What is counted: the combinational module `xnor_popcount_N` alone (x, w in, binary count out). LUTs are LUT1 to LUT6
cells on Xilinx 7, LUT4 and two for each CCU2C on ECP5, SB_LUT4 on iCE40; the carry cells, and the multiplexers between
LUTs that the plain form needs, stand beside. The plain form is `$countones(~(x ^ w))`, mapped by the same command.
Placement adds what Yosys does not count: a route-through LUT for a lone operand on a Xilinx carry chain (4 % at 64
bits), a logic cell for each carry that enters an iCE40 chain (2.33 cells a bit at 64), a CCU2C at the start of each
ECP5 carry run.
"""

from __future__ import annotations

import json
from typing import Any

from bitwright.hw.popcount import Kind, dot_module, module_name
from bitwright.hw.sources import VerilogSources
from bitwright.synth.devices import find_device
from bitwright.synth.netlist import map_design
from bitwright.synth.process import Deadline
from bitwright.synth.yosys import cell_counts

SIZES = (64, 128, 256, 512, 1024)
DEVICES = {"lut6": "xc7a100t", "lut4_ecp5": "ecp5-25k", "lut4_ice40": "ice40-hx8k"}
MULTIPLEXERS = ("PFUMX", "L6MUX21", "MUXF7", "MUXF8")
LIMIT_S = 900


def synthesized(kind: Kind, bits: int, fabric: str, text_fabric: str | None = None) -> dict[str, float]:
    """LUTs, carry cells and LUT multiplexers of one popcount on `fabric`; the text may be another fabric's."""
    device = find_device(DEVICES[fabric])
    text = dot_module(kind, bits, text_fabric or fabric)
    sources = VerilogSources(module_name(kind, bits), {"popcount.sv": text})
    netlist = map_design(sources, device, False, Deadline(LIMIT_S))
    cells = cell_counts(netlist.folder / "stat.json")
    return {
        "luts": netlist.cells.luts,
        "luts_per_bit": round(netlist.cells.luts / bits, 3),
        "carry_cells": netlist.cells.carries,
        "lut_multiplexers": sum(cells.get(name, 0) for name in MULTIPLEXERS),
    }


def run() -> dict[str, Any]:
    """{fabric: {bits: {"ours": {...}, "plain": {...}, "plain_vs_ours": LUT ratio}}}."""
    result: dict[str, Any] = {}
    for fabric in DEVICES:
        result[fabric] = {}
        for bits in SIZES:
            ours = synthesized("xnor", bits, fabric)
            plain = synthesized("xnor", bits, fabric, text_fabric="generic")
            ratio = round(plain["luts"] / ours["luts"], 3)
            result[fabric][str(bits)] = {"ours": ours, "plain": plain, "plain_vs_ours": ratio}
    return result


def main() -> None:
    """Print the figures as JSON."""
    print(json.dumps(run(), indent=2))


if __name__ == "__main__":
    main()
