"""The estimate of an assembled design, stage by stage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from bitwright.hw.accelerator import Accelerator
from bitwright.hw.cost.coefficients import luts
from bitwright.hw.cost.memory import Family, MemoryKind, check_family
from bitwright.hw.cost.stages import count_stage, takes_into_register
from bitwright.hw.cost.tally import Tally


@dataclass(frozen=True)
class MemoryEstimate:
    """One memory of `bits` bits and what becomes of it.

    `kind`: "block" (`brams` block RAMs that have `block_bits`), "lutram" (`luts` LUTs used as RAM) or "logic"
    (registers, or a ROM of LUTs). Copies for further read ports count in `block_bits`, not in `bits`.
    """

    name: str
    bits: int
    kind: MemoryKind
    brams: int
    block_bits: int
    luts: int

    @property
    def efficiency(self) -> float | None:
        """The part of the block RAMs' bits that is used; None where there are none."""
        return self.bits / self.block_bits if self.block_bits else None


@dataclass(frozen=True)
class StageEstimate:
    """One stage: LUTs (LUT4 on ECP5 and iCE40, LUT6 on Xilinx 7), block RAMs, DSP blocks, and its memories.

    `memory_bits` lie in block RAMs that have `block_bits`.
    """

    name: str
    luts: int
    brams: int
    dsps: int
    memory_bits: int
    block_bits: int
    memories: tuple[MemoryEstimate, ...] = ()


@dataclass(frozen=True)
class Estimate:
    """What a design is expected to take of an FPGA of `family`. Block RAMs are counted as `synth.SynthReport` does."""

    family: Family
    stages: tuple[StageEstimate, ...]

    @property
    def luts(self) -> int:
        """LUTs of all stages."""
        return sum(stage.luts for stage in self.stages)

    @property
    def brams(self) -> int:
        """Block RAMs of all stages."""
        return sum(stage.brams for stage in self.stages)

    @property
    def dsps(self) -> int:
        """DSP blocks of all stages."""
        return sum(stage.dsps for stage in self.stages)

    @property
    def memories(self) -> tuple[MemoryEstimate, ...]:
        """All memories, in the order of the stages."""
        return tuple(memory for stage in self.stages for memory in stage.memories)

    @property
    def memory_bits(self) -> int:
        """Bits that lie in block RAMs, copies for further read ports counted once."""
        return sum(stage.memory_bits for stage in self.stages)

    @property
    def block_bits(self) -> int:
        """Bits that those block RAMs have."""
        return sum(stage.block_bits for stage in self.stages)

    @property
    def efficiency(self) -> float:
        """The part of the block RAMs' bits that is used; 1 without block RAMs."""
        return self.memory_bits / self.block_bits if self.block_bits else 1.0

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON values."""
        totals = {key: getattr(self, key) for key in ("luts", "brams", "dsps", "memory_bits", "block_bits")}
        return {**asdict(self), **totals, "efficiency": self.efficiency, "stages": [asdict(s) for s in self.stages]}

    def memory_table(self) -> str:
        """A table, a memory a line: what it becomes, and how much of its block RAMs it uses."""
        width = max(len("memory"), *(len(one.name) for one in self.memories)) if self.memories else len("memory")
        lines = [f"{'memory':<{width}} {'bits':>10} {'becomes':>8} {'BRAMs':>6} {'bits used':>10}"]
        for one in self.memories:
            used = "-" if one.efficiency is None else f"{one.efficiency:.0%}"
            lines.append(f"{one.name:<{width}} {one.bits:>10,} {one.kind:>8} {one.brams:>6,} {used:>10}")
        used = f"{self.efficiency:.0%}" if self.block_bits else "-"
        lines.append(f"{'in block RAM':<{width}} {self.memory_bits:>10,} {'':>8} {self.brams:>6,} {used:>10}")
        return "\n".join(lines)

    def __str__(self) -> str:
        """A table, a stage a line."""
        width = max(len("stage"), *(len(stage.name) for stage in self.stages))
        total = StageEstimate("total", self.luts, self.brams, self.dsps, self.memory_bits, self.block_bits)
        lines = [f"{'stage':<{width}} {'LUTs':>8} {'BRAMs':>6} {'DSPs':>6} {'BRAM bits used':>15}"]
        for row in (*self.stages, total):
            used = f"{row.memory_bits / row.block_bits:.0%}" if row.block_bits else "-"
            lines.append(f"{row.name:<{width}} {row.luts:>8,} {row.brams:>6,} {row.dsps:>6,} {used:>15}")
        return "\n".join(lines)


def summed_up(name: str, tally: Tally) -> StageEstimate:
    """What has been counted, in numbers of resources."""
    blocks = [one for one in tally.memories if one.mapping.kind == "block"]
    return StageEstimate(
        name,
        round(luts(tally)),
        sum(one.mapping.blocks for one in blocks),
        tally.dsps,
        sum(one.bits for one in blocks),
        sum(one.mapping.block_bits for one in blocks),
        tuple(
            MemoryEstimate(
                one.name, one.bits, one.mapping.kind, one.mapping.blocks, one.mapping.block_bits, one.mapping.luts
            )
            for one in tally.memories
            if one.bits
        ),
    )


def tallies(accelerator: Accelerator, family: Family, dsp: bool) -> Iterator[tuple[str, Tally]]:
    """What each stage is built of, by the stage's name, and the ports."""
    registered = {link.source for link in accelerator.links if link.target and takes_into_register(link.target)}
    for placed in accelerator.placed:
        tally = Tally(family, dsp, into_register=placed.component in registered)
        count_stage(placed.component, tally)
        yield placed.component.name, tally
    ports = Tally(family, dsp)
    ports.add("ports")
    for output in accelerator.outputs:
        ports.counter(output.beats)
    yield "ports", ports


def estimate(accelerator: Accelerator, family: str, *, dsp: bool = True) -> Estimate:
    """LUTs, block RAMs and DSP blocks that Yosys is expected to report for a design on a family's devices.

    `dsp`: whether products go to DSP blocks, as on devices that have enough of them. Raises InputError for a family
    that is not known.
    """
    known = check_family(family)
    return Estimate(known, tuple(summed_up(name, tally) for name, tally in tallies(accelerator, known, dsp)))
