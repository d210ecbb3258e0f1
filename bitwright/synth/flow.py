"""From Verilog to resources and clock frequency on one device."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Literal, Protocol, get_args

from bitwright.cache import cached_build, content_key
from bitwright.errors import DoesNotFitError, InputError
from bitwright.hw.sources import VerilogSources
from bitwright.synth import fit
from bitwright.synth.devices import Device, find_device
from bitwright.synth.netlist import Netlist, map_design, wrap_pins
from bitwright.synth.nextpnr import (
    Placement,
    PlacementError,
    nextpnr_version,
    prepare_nextpnr,
    read_placement,
    run_nextpnr,
)
from bitwright.synth.pin_wrapper import pin_count
from bitwright.synth.process import Deadline
from bitwright.synth.report import SynthReport
from bitwright.synth.yosys import yosys_version

Pins = Literal["auto", "direct", "wrap", "out-of-context"]


class HasVerilog(Protocol):
    """What `synthesize` needs of a design: its Verilog, written for a fabric."""

    def verilog(self, fabric: str = ...) -> VerilogSources:
        """The sources for one fabric."""


def synthesize(
    accelerator: HasVerilog,
    device: str,
    *,
    seed: int = 1,
    timeout_s: float = 600,
    clock_mhz: float | None = None,
    pins: Pins = "auto",
) -> SynthReport:
    """Map a design to a device, place and route it where nextpnr can, and report resources and clock.

    `device`: a name of `DEVICES`. `seed`: of place and route; the same seed gives the same result. `timeout_s`: for
    all tools together. `clock_mhz`: what place and route aims at; the device's usual aim without it. `pins`: "direct"
    gives each port bit a pin, "wrap" puts the design into a serial shell of four pins, "out-of-context" (ECP5) places
    it without pins, "auto" takes out-of-context on ECP5, direct on iCE40 while the pins suffice and wrap otherwise.

    Raises InputError (unknown device or option), DoesNotFitError with the numbers, SynthesisError (a tool failed or
    ran out of time), ToolMissingError.
    """
    target = find_device(device)
    return synthesize_sources(
        accelerator.verilog(target.fabric), device, seed=seed, timeout_s=timeout_s, clock_mhz=clock_mhz, pins=pins
    )


def synthesize_sources(
    sources: VerilogSources,
    device: str,
    *,
    seed: int = 1,
    timeout_s: float = 600,
    clock_mhz: float | None = None,
    pins: Pins = "auto",
) -> SynthReport:
    """`synthesize` for Verilog texts of any origin; the top's clock is named aclk, clk or clock."""
    target = find_device(device)
    aim = target.target_mhz if clock_mhz is None else clock_mhz
    if not aim > 0:
        raise InputError(f"clock_mhz must be above 0, not {clock_mhz}; leave it out for the device's usual aim")
    if seed < 0:
        raise InputError(f"seed must not be negative, not {seed}; the default is 1")
    if pins not in get_args(Pins):
        raise InputError(f"unknown pins '{pins}'; choose one of {', '.join(get_args(Pins))}")
    if pins == "out-of-context" and target.family != "ecp5":
        raise InputError(f"pins='out-of-context' is not possible on {target.name}; use pins='wrap'")
    deadline = Deadline(timeout_s)
    core, notes = map_for(sources, target, deadline)
    fit.check_cells(target, core.cells)
    tools = {"yosys": yosys_version()}
    placement = None
    mode = "none"
    rows = fit.of_cells(target, core.cells)
    if target.places:
        tools["nextpnr"] = nextpnr_version(target.family)
        mode = _pins_mode(pins, core, target)
        netlist = wrap_pins(core, target, deadline) if mode == "wrap" else core
        fit.check_cells(target, netlist.cells)
        placement = _place(netlist, target, mode, seed, aim, deadline)
        rows = fit.of_sites(target, placement.sites, mode in ("direct", "wrap"))
        notes += _placement_notes(target, mode, core, netlist, placement)
    else:
        notes.append(
            "Yosys utilisation only: nextpnr does not place this family, so there is no Fmax; "
            "the LUT count is an upper bound, as a vendor tool packs two small LUTs into one site"
        )
    cells = core.cells
    return SynthReport(
        device=target.name,
        top=sources.top,
        fabric=target.fabric,
        luts=cells.luts,
        lutrams=cells.lutrams,
        carries=cells.carries,
        ffs=cells.ffs,
        brams=cells.brams,
        bram=target.bram,
        dsps=cells.dsps,
        fmax_mhz=placement.fmax_mhz if placement else None,
        clock_mhz=aim if target.places else None,
        utilisation=rows,
        critical_path=placement.critical_path if placement else None,
        pins=mode,
        seed=seed,
        tools=tools,
        notes=tuple(notes),
    )


def map_for(sources: VerilogSources, device: Device, deadline: Deadline) -> tuple[Netlist, list[str]]:
    """The mapped design; multipliers go to LUTs when the device has too few DSP blocks."""
    netlist = map_design(sources, device, device.dsps > 0, deadline)
    if netlist.cells.dsps <= device.dsps:
        return netlist, []
    wanted = netlist.cells.dsps
    netlist = map_design(sources, device, False, deadline)
    return netlist, [f"multipliers are in LUTs: they would take {wanted} DSP blocks, {device.name} has {device.dsps}"]


def _pins_mode(pins: Pins, core: Netlist, device: Device) -> Pins:
    needed = pin_count(core.ports)
    if pins == "direct" and needed > device.pins:
        raise DoesNotFitError(device.name, fit.WORDS["IO"], needed, device.pins)
    if pins != "auto":
        return pins
    if device.family == "ecp5":
        return "out-of-context"
    return "direct" if needed <= device.pins else "wrap"


def _place(netlist: Netlist, device: Device, mode: Pins, seed: int, aim: float, deadline: Deadline) -> Placement:
    options = [*device.nextpnr, "--seed", str(seed), "--freq", f"{aim:g}"]
    if mode == "out-of-context":
        options.append("--out-of-context")
    elif device.family == "ecp5":
        options.append("--lpf-allow-unconstrained")
    version = nextpnr_version(device.family)
    prepared = prepare_nextpnr(device.family, deadline)

    def build(folder: Path) -> None:
        shutil.copyfile(netlist.folder / "netlist.json", folder / "netlist.json")
        run_nextpnr(device.family, options, folder, prepared, deadline)
        (folder / "netlist.json").unlink()

    key = content_key("place", netlist.folder.name, device.family, version, *options)
    try:
        return read_placement(cached_build("placements", key, build))
    except PlacementError as error:
        fit.check(device, fit.of_sites(device, error.sites, mode in ("direct", "wrap")))
        raise


def _placement_notes(device: Device, mode: Pins, core: Netlist, netlist: Netlist, placement: Placement) -> list[str]:
    notes = []
    if mode == "out-of-context":
        notes.append("placed out of context: no pins, and paths from and to ports do not count in Fmax")
    elif mode == "direct":
        notes.append("pins were chosen by nextpnr; paths from and to pins do not count in Fmax")
    else:
        luts, ffs = netlist.cells.luts - core.cells.luts, netlist.cells.ffs - core.cells.ffs
        notes.append(
            f"placed in a serial shell of {luts} LUTs and {ffs} FFs, which the utilisation counts and the "
            "design's own figures do not"
        )
    if placement.fmax_mhz is None:
        notes.append("there is no path from register to register, so no Fmax")
    return notes
