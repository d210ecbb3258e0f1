"""Which memories become block RAM, LUT RAM or logic, and in how many blocks: the choices of Yosys's `memory_libmap`.

For every kind of RAM that the family has (the rules of its brams.txt and lutrams.txt) and every width a port can have,
`memory_libmap` counts the primitives that hold the memory and sums up their costs, half a point for each bit that is
multiplexed between them, and two points for each thing the RAM cannot do and circuits around it have to. The cheapest
RAM is taken if it costs less than logic: a point a bit, of a ROM a sixteenth (Xilinx 7: a sixty-fourth).

What that comes to in pyosys 0.70, for the memories of this package (one write port or none):

- Read without a clock (queues): LUT RAM on ECP5 (16 words of 4 bits in four LUTs) and Xilinx 7, registers on iCE40 and
  for the smallest.
- Read with a clock: block RAM where LUT RAM or registers cost more than about 130 points (iCE40: 64). Each further
  read port takes a copy of the blocks. Block RAMs of ECP5 and iCE40 do not say what is read from a word that is being
  written; as the description says it is the old word, circuits are built around them that hold back the write.
- ROM: block RAM where that costs less than logic, never LUT RAM.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

from bitwright.errors import InputError

Family = Literal["ecp5", "ice40", "xilinx7"]
"""The FPGA families there are estimates for."""

FAMILIES: tuple[Family, ...] = get_args(Family)

MemoryKind = Literal["block", "lutram", "logic"]

_MUX_COST = 0.5
_EMULATION_COST = 2
_HELD_WRITE = 3
"""Points of emulation for a write port that waits a cycle, and again for each read port that looks at it."""


def check_family(family: str) -> Family:
    """The family, if there are estimates for it. Raises InputError otherwise."""
    for known in FAMILIES:
        if family == known:
            return known
    raise InputError(f"unknown family '{family}'; choose one of {', '.join(FAMILIES)}")


@dataclass(frozen=True)
class Ram:
    """A primitive in one of its modes.

    A port is `widths[i]` bits wide with `2^(bits - i)` words. A write enable reaches over `byte` bits, 0 is the whole
    word. The write port cannot be wider than `most`, nor narrower than `least`; no port is wider than `unit`. There
    are `reads` read ports beside the write port. Of `cost`, the part `scaled` counts by the share of bits in use.
    `old`: gives the old word of an address that is being written. It takes `blocks` block RAMs or `luts` LUTs.
    """

    kind: MemoryKind
    bits: int
    widths: tuple[int, ...]
    cost: float
    byte: int = 0
    scaled: float = 0.0
    reads: int = 1
    least: int = 0
    most: int | None = None
    unit: int | None = None
    old: bool = True
    blocks: int = 0
    luts: int = 0
    block_bits: int = 0


_NARROW = (1, 2, 4, 9, 18)
_MIDDLE = (*_NARROW, 36)
_WIDE = (*_MIDDLE, 72)
_ICE40 = (2, 4, 8, 16)
_18K = 18 * 1024

RAMS: dict[Family, tuple[Ram, ...]] = {
    "ecp5": (
        Ram("lutram", 4, (4,), 4, luts=4),
        Ram("block", 14, _NARROW, 128, byte=9, old=False, blocks=1, block_bits=_18K),
        Ram("block", 14, _MIDDLE, 128, byte=9, least=36, old=False, blocks=1, block_bits=_18K),
    ),
    "ice40": (
        Ram("block", 11, _ICE40, 64, most=8, old=False, blocks=1, block_bits=4096),
        Ram("block", 11, _ICE40, 64, byte=1, least=16, old=False, blocks=1, block_bits=4096),
    ),
    "xilinx7": (
        Ram("lutram", 5, (4,), 8, scaled=8, luts=4),
        Ram("lutram", 6, (2,), 8, scaled=8, luts=4),
        Ram("lutram", 7, (1,), 8, scaled=8, luts=4),
        Ram("lutram", 5, (2,), 7, scaled=7, reads=3, luts=4),
        Ram("lutram", 6, (1,), 7, scaled=7, reads=3, luts=4),
        Ram("lutram", 5, (6,), 8, scaled=7, luts=4),
        Ram("lutram", 6, (3,), 8, scaled=7, luts=4),
        Ram("block", 14, _NARROW, 129, byte=9, blocks=1, block_bits=_18K),
        Ram("block", 15, _MIDDLE, 257, byte=9, blocks=2, block_bits=2 * _18K),
        Ram("block", 16, (1, 2, 4, 9), 513, byte=9, unit=1, blocks=4, block_bits=4 * _18K),
        Ram("block", 14, _MIDDLE, 129, byte=9, blocks=1, block_bits=_18K),
        Ram("block", 15, _WIDE, 257, byte=9, blocks=2, block_bits=2 * _18K),
    ),
}
"""In the order in which `memory_libmap` tries them."""

_ROM_BIT_COST: dict[Family, float] = {"ecp5": 1 / 16, "ice40": 1 / 16, "xilinx7": 1 / 64}


@dataclass(frozen=True)
class MemoryMapping:
    """What a memory becomes.

    `blocks` block RAMs of `block_bits` bits altogether, or `luts` LUTs used as RAM, or neither: "logic". `parts` is by
    how many addresses' worth of primitives the words are spread: the read data pass a multiplexer of so many inputs.
    `held`: circuits hold back the write (`memory_libmap` emulates reading the old word).
    """

    kind: MemoryKind
    blocks: int = 0
    block_bits: int = 0
    luts: int = 0
    parts: int = 1
    held: bool = False


def _in_ram(ram: Ram, width: int, depth: int, reads: int, written: bool, emulations: int) -> tuple[float, int, int]:
    """Cost, primitives and parts of a memory in a RAM at its cheapest width."""
    copies = -(-reads // ram.reads)
    byte_step = max((i for i, w in enumerate(ram.widths) if w <= ram.byte), default=0)
    if not ram.byte:
        byte_step = len(ram.widths) - 1
    best: tuple[float, int, int] | None = None
    limit = 0
    for step, port in enumerate(ram.widths):
        unit = min(port, ram.unit or port, (ram.most or port) if written else port)
        if unit != port and best is not None:
            break
        if written and port < ram.least and step < byte_step:
            continue
        byte = 1 if not written else min(ram.byte or unit, unit)
        parts = -(-depth // (1 << (ram.bits - step)))
        primitives = -(-parts * -(-width // byte) * byte // unit)
        cost = (ram.cost - ram.scaled) * primitives * copies + ram.scaled * parts * width / unit * copies
        cost += _MUX_COST * (reads * (parts - 1) * width + (parts if written and parts > 1 else 0))
        cost += _EMULATION_COST * emulations
        if best is None or cost < limit:
            best, limit = (cost, primitives * copies, parts), int(cost)
    assert best is not None
    return best


@lru_cache(maxsize=1 << 14)
def map_memory(
    family: Family, width: int, depth: int, *, reads: int = 1, written: bool = True, clocked: bool = True
) -> MemoryMapping:
    """What Yosys makes of a memory of `depth` words of `width` bits.

    `reads` read ports, with a clock or without one, and a write port unless it is a ROM. The bits of a ROM that are
    the same in all words do not count.
    """
    if width == 0:
        return MemoryMapping("logic")
    found: dict[MemoryKind, tuple[float, MemoryMapping]] = {}
    for ram in RAMS[family]:
        if (ram.kind == "lutram" and not written) or (ram.kind == "block" and not clocked):
            continue
        held = written and not ram.old
        emulations = reads + ((_HELD_WRITE * (1 + reads)) if held else 0)
        cost, primitives, parts = _in_ram(ram, width, depth, reads, written, emulations)
        if ram.kind not in found or cost < found[ram.kind][0]:
            blocks, bits, luts = (primitives * count for count in (ram.blocks, ram.block_bits, ram.luts))
            found[ram.kind] = cost, MemoryMapping(ram.kind, blocks, bits, luts, parts, held)
    best, limit = MemoryMapping("logic"), int(width * depth * (1 if written else _ROM_BIT_COST[family]))
    for cost, mapping in found.values():
        if cost < limit:
            best, limit = mapping, int(cost)
    return best
