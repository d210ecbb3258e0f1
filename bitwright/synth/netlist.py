"""Mapping a design to the cells of one FPGA family, and joining it with the serial shell."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from bitwright.cache import cached_build, content_key
from bitwright.hw.sources import VerilogSources
from bitwright.synth.cells import CellSummary, summarise
from bitwright.synth.devices import Device
from bitwright.synth.pin_wrapper import SHELL, Port, parse_ports, shell_text
from bitwright.synth.process import Deadline
from bitwright.synth.yosys import cell_counts, read_command, run_yosys, yosys_version


@dataclass(frozen=True)
class Netlist:
    """A flat mapped netlist: `folder` holds netlist.json (for nextpnr) and netlist.il; `module` is its top."""

    folder: Path
    module: str
    cells: CellSummary
    ports: tuple[Port, ...]


# What `synth_ice40 -dsp` does for multipliers, but for its pass ice40_dsp: that one drops logic when a register takes
# the products of several blocks. The registers stay outside the blocks.
_ICE40_DSP = (
    "proc",
    "flatten",
    "opt_expr",
    "opt_clean",
    "opt -nodffe -nosdff",
    "wreduce",
    "peepopt",
    "opt_clean",
    "techmap -map +/mul2dsp.v -map +/ice40/dsp_map.v -D DSP_A_MAXWIDTH=16 -D DSP_B_MAXWIDTH=16 "
    "-D DSP_A_MINWIDTH=2 -D DSP_B_MINWIDTH=2 -D DSP_Y_MINWIDTH=11 -D DSP_NAME=$__MUL16X16",
    "chtype -set $mul t:$__soft_mul",
)

ROM_MAP = "rom_of_luts.v"
"""The file of rules by which ROMs become LUTs; the commands for Xilinx 7 read it from the folder they run in."""

# Between memory_libmap, which takes the ROMs that deserve block RAM, and memory_map, which would give the others to ABC
# as logic. The same bit of a ROM twice, or of two ROMs, is one $lut after opt_merge.
_LUT6_ROMS = (
    f"techmap -map {ROM_MAP} -D WIDEST=8",
    "opt_merge",
    "opt_clean",
    "techmap -map +/xilinx/lut_map.v -D LUT_WIDTH=6 a:bitwright_rom",
)


def rom_map() -> str:
    """The text of `ROM_MAP`."""
    return (files("bitwright.synth") / ROM_MAP).read_text(encoding="utf-8")


def write_maps(folder: Path) -> None:
    """Write the files that the commands of `map_commands` read."""
    (folder / ROM_MAP).write_text(rom_map(), encoding="utf-8")


def map_commands(device: Device, top: str, dsp: bool) -> tuple[str, ...]:
    """The Yosys commands that map module `top` to the cells of the device's family, with or without DSP blocks."""
    if device.family == "ecp5":
        return (f"synth_ecp5 -top {top}" + ("" if dsp else " -nodsp"),)
    if device.family == "ice40":
        speed = "u" if device.name == "ice40-up5k" else "hx"
        before = (f"hierarchy -check -top {top}", *_ICE40_DSP) if dsp else ()
        return (*before, f"synth_ice40 -top {top} -device {speed}")
    xilinx = f"synth_xilinx -family xc7 -flatten -noiopad -top {top}" + ("" if dsp else " -nodsp")
    return (f"{xilinx} -run begin:map_ffram", *_LUT6_ROMS, f"{xilinx} -run map_ffram:")


def map_design(sources: VerilogSources, device: Device, dsp: bool, deadline: Deadline) -> Netlist:
    """Synthesize `sources` for the device's family, once. Raises SynthesisError, ToolMissingError.

    Modules marked keep_hierarchy are mapped apart and joined afterwards, so that their structure stays as written.
    """
    script = "\n".join(
        [
            read_command(sources),
            *map_commands(device, sources.top, dsp),
            "setattr -mod -unset keep_hierarchy *",
            "flatten",
            "opt_clean -purge",
            f"tee -q -o ports.txt dump {sources.top}/x:*",
            "tee -q -o stat.json stat -json",
            "write_rtlil netlist.il",
            "write_json netlist.json",
            "",
        ]
    )

    rules = (rom_map(),) if ROM_MAP in script else ()

    def build(folder: Path) -> None:
        sources.write(folder)
        write_maps(folder)
        run_yosys(script, folder, deadline)

    folder = cached_build("netlists", content_key("design", yosys_version(), script, sources.key(), *rules), build)
    cells = summarise(device.family, cell_counts(folder / "stat.json"))
    return Netlist(folder, sources.top, cells, parse_ports((folder / "ports.txt").read_text()))


def wrap_pins(core: Netlist, device: Device, deadline: Deadline) -> Netlist:
    """The netlist `core` inside the serial shell of `pin_wrapper`."""
    shell = shell_text(core.module, core.ports)
    script = "\n".join(
        [
            "read_verilog -sv shell.v",
            *map_commands(device, SHELL, False),
            "read_rtlil -overwrite core.il",
            f"hierarchy -check -top {SHELL}",
            "flatten",
            "opt_clean",
            f"tee -q -o ports.txt dump {SHELL}/x:*",
            "tee -q -o stat.json stat -json",
            "write_json netlist.json",
            "",
        ]
    )

    def build(folder: Path) -> None:
        (folder / "shell.v").write_text(shell, encoding="utf-8")
        (folder / "core.il").symlink_to(core.folder / "netlist.il")
        run_yosys(script, folder, deadline)

    folder = cached_build("netlists", content_key("shell", yosys_version(), script, shell, core.folder.name), build)
    cells = summarise(device.family, cell_counts(folder / "stat.json"))
    return Netlist(folder, SHELL, cells, parse_ports((folder / "ports.txt").read_text()))
