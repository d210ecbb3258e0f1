"""Whether a design fits its device, told before place and route by its cells and after by nextpnr's own count."""

from __future__ import annotations

from collections.abc import Mapping

from bitwright.errors import DoesNotFitError
from bitwright.synth.cells import CellSummary
from bitwright.synth.devices import Device
from bitwright.synth.report import Utilisation

_SITES = {
    "ecp5": {"LUT": "TRELLIS_COMB", "FF": "TRELLIS_FF", "BRAM": "DP16KD", "DSP": "MULT18X18D", "IO": "TRELLIS_IO"},
    "ice40": {"LC": "ICESTORM_LC", "BRAM": "ICESTORM_RAM", "DSP": "ICESTORM_DSP", "IO": "SB_IO"},
}

WORDS = {
    "LUT": "LUTs",
    "LC": "logic cells",
    "FF": "flip-flops",
    "BRAM": "block RAMs",
    "DSP": "DSP blocks",
    "IO": "pins",
}
"""Resource names as a message says them."""


def of_cells(device: Device, cells: CellSummary) -> dict[str, Utilisation]:
    """What a mapped netlist takes at least of each resource of the device."""
    memories = {
        "BRAM": Utilisation(cells.brams, device.brams),
        "DSP": Utilisation(cells.dsps, device.dsps),
    }
    if device.family == "ice40":
        return {"LC": Utilisation(max(cells.least_luts, cells.ffs), device.luts), **memories}
    luts = cells.least_luts if device.family == "ecp5" else cells.luts
    return {"LUT": Utilisation(luts, device.luts), "FF": Utilisation(cells.ffs, device.ffs), **memories}


def of_sites(device: Device, sites: Mapping[str, tuple[int, int]], with_pins: bool) -> dict[str, Utilisation]:
    """nextpnr's counts under this package's names; pins only where they were placed."""
    names = _SITES[device.family]
    return {
        name: Utilisation(*sites[site]) for name, site in names.items() if site in sites and (with_pins or name != "IO")
    }


def check_cells(device: Device, cells: CellSummary) -> None:
    """Raise DoesNotFitError, naming the first resource of which even the least count exceeds the device."""
    rows = of_cells(device, cells)
    if device.family == "xilinx7":
        rows["LUT"] = Utilisation(cells.least_luts, device.luts)
    check(device, rows)


def check(device: Device, rows: Mapping[str, Utilisation]) -> None:
    """Raise DoesNotFitError for the first resource that is over."""
    for name, row in rows.items():
        if row.used > row.available:
            raise DoesNotFitError(device.name, WORDS[name], row.used, row.available)
