"""The devices that `synthesize` knows, with what each has to offer and where that is written."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from bitwright.errors import InputError

Family = Literal["ecp5", "ice40", "xilinx7"]


@dataclass(frozen=True)
class Device:
    """One FPGA.

    `luts`: LUT4 of ECP5 and iCE40, LUT6 of Xilinx 7. `brams`: blocks of the kind `bram` names. `pins`: user pins of
    `package`. `nextpnr`: the options that choose it, empty where nextpnr has no database of it. `target_mhz`: the
    clock that place and route aims at when the user names none. `source`: where the resources are written.
    """

    name: str
    family: Family
    fabric: str
    luts: int
    ffs: int
    brams: int
    bram: str
    dsps: int
    dsp: str
    package: str
    pins: int
    nextpnr: tuple[str, ...]
    target_mhz: float
    source: str

    @property
    def places(self) -> bool:
        """Whether place and route is possible, and so a clock frequency."""
        return bool(self.nextpnr)


def _ecp5(size: int, luts: int, brams: int, dsps: int, pins: int) -> Device:
    return Device(
        name=f"ecp5-{size}k",
        family="ecp5",
        fabric="lut4_ecp5",
        luts=luts,
        ffs=luts,
        brams=brams,
        bram="DP16KD (18 Kbit)",
        dsps=dsps,
        dsp="MULT18X18D",
        package="CABGA381",
        pins=pins,
        nextpnr=(f"--{size}k", "--package", "CABGA381", "--speed", "6"),
        target_mhz=125.0,
        source="Lattice FPGA-DS-02012 (ECP5 family data sheet), as the Project Trellis database counts it",
    )


def _ice40(name: str, cells: int, brams: int, dsps: int, package: str, pins: int, mhz: float, source: str) -> Device:
    return Device(
        name=f"ice40-{name}",
        family="ice40",
        fabric="lut4_ice40",
        luts=cells,
        ffs=cells,
        brams=brams,
        bram="SB_RAM40_4K (4 Kbit)",
        dsps=dsps,
        dsp="SB_MAC16",
        package=package,
        pins=pins,
        nextpnr=(f"--{name}", "--package", package),
        target_mhz=mhz,
        source=source,
    )


def _xilinx7(name: str, luts: int, brams36: int, dsps: int, package: str, pins: int, source: str) -> Device:
    return Device(
        name=name,
        family="xilinx7",
        fabric="lut6",
        luts=luts,
        ffs=2 * luts,
        brams=2 * brams36,
        bram="RAMB18E1 (18 Kbit; a RAMB36E1 is two)",
        dsps=dsps,
        dsp="DSP48E1",
        package=package,
        pins=pins,
        nextpnr=(),
        target_mhz=200.0,
        source=source,
    )


_SERIES7 = "AMD DS180 (7 series overview)"
_ZYNQ = "AMD DS190 (Zynq-7000 overview)"

DEVICES: Mapping[str, Device] = MappingProxyType(
    {
        device.name: device
        for device in (
            _ecp5(25, 24288, 56, 28, 197),
            _ecp5(45, 43848, 108, 72, 203),
            _ecp5(85, 83640, 208, 156, 205),
            _ice40("up5k", 5280, 30, 8, "sg48", 39, 40.0, "Lattice FPGA-DS-02008 (iCE40 UltraPlus data sheet)"),
            _ice40("hx8k", 7680, 32, 0, "ct256", 206, 125.0, "Lattice FPGA-DS-02029 (iCE40 LP/HX data sheet)"),
            _xilinx7("xc7z010", 17600, 60, 80, "clg400", 100, _ZYNQ),
            _xilinx7("xc7z020", 53200, 140, 220, "clg484", 200, _ZYNQ),
            _xilinx7("xc7z045", 218600, 545, 900, "ffg900", 362, _ZYNQ),
            _xilinx7("xc7a35t", 20800, 50, 90, "cpg236", 106, _SERIES7),
            _xilinx7("xc7a100t", 63400, 135, 240, "csg324", 210, _SERIES7),
            _xilinx7("xc7k325t", 203800, 445, 840, "ffg900", 500, _SERIES7),
        )
    }
)
"""Every device by name."""

ALIASES: Mapping[str, str] = MappingProxyType({"xilinx-7": "xc7z020"})
"""Family names that stand for one member."""


def find_device(name: str) -> Device:
    """The device called `name` (case does not matter). Raises InputError that lists the known ones."""
    key = ALIASES.get(name.lower(), name.lower())
    if key not in DEVICES:
        close = difflib.get_close_matches(key, [*DEVICES, *ALIASES], n=1)
        hint = f"did you mean '{close[0]}'? " if close else ""
        raise InputError(f"unknown device '{name}'; {hint}known: {', '.join([*DEVICES, *ALIASES])}")
    return DEVICES[key]
