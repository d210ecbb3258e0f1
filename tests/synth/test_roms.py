"""Read-only memories of LUTs on Xilinx 7: what they hold, and how many LUTs they take."""

import shutil
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from bitwright.errors import SynthesisError
from bitwright.hw.cost.rom import lut6_rom
from bitwright.hw.sources import VerilogSources
from bitwright.synth.devices import find_device
from bitwright.synth.netlist import map_design
from bitwright.synth.process import Deadline
from bitwright.synth.yosys import run_yosys

SHAPES = ((5, 2), (9, 3), (12, 17), (7, 40), (98, 64), (6, 65), (5, 100), (3, 200), (2, 300), (2, 600), (1, 1000))
"""Bits and words of ROMs that are all too small for block RAM."""

EQUAL = """read_verilog -sv -defer rom.sv top.v
hierarchy -check -top top
proc
flatten
memory
rename top written
design -stash written
read_rtlil netlist.il
delete =A:blackbox =A:whitebox
read_verilog -sv +/xilinx/cells_sim.v
hierarchy -top top
proc
flatten
rename top mapped
design -copy-from written written
miter -equiv -flatten -make_assert written mapped miter
hierarchy -top miter
async2sync
chformal -lower
opt -full
sat -verify -prove-asserts -tempinduct -set-init-zero -maxsteps 2 miter
"""

Roms = list[tuple[int, list[int]]]


def random_roms() -> Roms:
    """In each the highest bit is always 1, and the one below repeats bit 0, where there are that many."""
    roms = []
    for width, depth in SHAPES:
        bits = np.random.default_rng(depth).integers(0, 2, (depth, width))
        if width > 3:
            bits[:, -1] = 1
            bits[:, -2] = bits[:, 0]
        roms.append((width, [int("".join(map(str, row[::-1])), 2) for row in bits.tolist()]))
    return roms


def filled(roms: Roms) -> Roms:
    """With words behind the last one, which are never read: those half a memory before."""
    result = []
    for width, words in roms:
        size = 1 << (len(words) - 1).bit_length()
        result.append((width, [*words, *(words[place - size // 2] for place in range(len(words), size))]))
    return result


def sources(roms: Roms) -> VerilogSources:
    """A top module with these ROMs, each with an address and an enable of its own."""
    ports, body, memories = ["input clk"], [], {}
    for index, (width, words) in enumerate(roms):
        memories[f"r{index}.mem"] = "\n".join(f"{word:x}" for word in words) + "\n"
        address = (len(words) - 1).bit_length()
        ports += [f"input e{index}", f"input [{address - 1}:0] a{index}", f"output [{width - 1}:0] q{index}"]
        body.append(
            f'bitwright_rom #(.WIDTH({width}), .DEPTH({len(words)}), .FILE("r{index}.mem")) u{index}'
            f"(.clk(clk), .enable(e{index}), .address(a{index}), .data(q{index}));"
        )
    text = f"module top({', '.join(ports)});\n" + "\n".join(body) + "\nendmodule\n"
    rom = (files("bitwright.hw") / "rom.sv").read_text(encoding="utf-8")
    return VerilogSources("top", {"rom.sv": rom, "top.v": text}, memories)


def test_they_hold_their_words_in_as_many_luts_as_estimated(tmp_path: Path) -> None:
    roms = random_roms()
    netlist = map_design(sources(roms), find_device("xc7z020"), True, Deadline(300))
    assert netlist.cells.brams == 0
    assert netlist.cells.luts == sum(lut6_rom(width, words) for width, words in roms)
    shutil.copyfile(netlist.folder / "netlist.il", tmp_path / "netlist.il")
    sources(filled(roms)).write(tmp_path)
    run_yosys(EQUAL, tmp_path, Deadline(60))
    width, words = roms[-1]
    sources(filled([*roms[:-1], (width, [*words[:-1], words[-1] ^ 1])])).write(tmp_path)
    with pytest.raises(SynthesisError, match="proof"):
        run_yosys(EQUAL, tmp_path, Deadline(60))


def test_a_word_of_many_bits_takes_a_lut6_a_bit() -> None:
    words = random_roms()[4][1]
    # Of 98 bits one never changes and one repeats another.
    assert lut6_rom(98, words) == 96
