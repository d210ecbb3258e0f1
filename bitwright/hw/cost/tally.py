"""Counting what a stage is built of: memories, DSP blocks, and terms that each cost some LUTs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bitwright.hw.adder_tree import LEVELS_PER_REGISTER
from bitwright.hw.cost.dsp import dsp_blocks
from bitwright.hw.cost.memory import Family, MemoryMapping, map_memory
from bitwright.hw.cost.rom import address_bits, logic_columns, lut4_rom, lut6_column, lut6_rom, varying_bits
from bitwright.hw.cost.soft_product import product_luts

NARROW_SUM: dict[Family, int] = {"ecp5": 4, "ice40": 2, "xilinx7": 2}
"""Bits up to which Yosys builds a sum of plain LUTs instead of a carry chain."""

LUT_INPUTS: dict[Family, int] = {"ecp5": 4, "ice40": 4, "xilinx7": 6}

FEW_VALUES = {1: "constant product", 2: "two-valued product", 3: "few-valued product", 4: "few-valued product"}
"""Terms of products of LUTs in which one operand takes so many values: some of its bits are alike, or never change."""

MOST_ROM_BITS = 10
"""Bits of an address from which a ROM grows in proportion to its words."""

LEAST_ROM_BITS = 4
"""Bits of an address up to which a bit of a ROM is one LUT."""

SHARED_ROWS = 3
"""Rows of partial products that go into one row of full adders."""

LEAST_SHIFT_REGISTER = 3
"""Registers in a row that become a shift register of LUTs on Xilinx 7."""

MUX_LUT4 = (0, 0, 1, 2, 3, 3, 5, 5, 6, 7.5, 8.7, 9.6, 9.7, 10.8, 11.8, 13.2, 13.8)
"""LUT4s of a multiplexer by its inputs."""

EXACT = "luts"
"""The term that is a number of LUTs already."""


@dataclass(frozen=True)
class MappedMemory:
    """One memory of a stage and what it becomes; `bits` are those it holds, once."""

    name: str
    bits: int
    mapping: MemoryMapping


Number = tuple[int, bool]
"""Bits of a number and whether it has a sign."""


class Tally:
    """What has been counted so far, for one family; without `dsp` all products are built of LUTs.

    `into_register`: what queues give goes into a register and nowhere else, which makes them memories with a clock.
    """

    def __init__(self, family: Family, dsp: bool = True, *, into_register: bool = False) -> None:
        self.family: Family = family
        self.dsp = dsp
        self.into_register = into_register
        self.terms: Counter[str] = Counter()
        self.memories: list[MappedMemory] = []
        self.dsps = 0

    def include(self, other: Tally, times: int = 1) -> None:
        """What another tally has counted, so many times."""
        for term, amount in other.terms.items():
            self.add(term, amount * times)
        self.memories += other.memories * times
        self.dsps += other.dsps * times

    def add(self, term: str, amount: float = 1) -> None:
        """So much more of a term."""
        if amount:
            self.terms[term] += amount  # type: ignore[assignment]

    def sum(self, width: int, count: float = 1) -> None:
        """`count` adders or subtracters of two operands with results of `width` bits."""
        if width <= NARROW_SUM[self.family]:
            self.add("narrow sum", count * width)
        else:
            self.add(EXACT, count * (2 * -(-width // 2) if self.family == "ecp5" else width))

    def sums(self, operands: Sequence[tuple[Number, int]], width: int, count: float = 1) -> None:
        """`count` sums of operands with shifts to the left, in one cycle, modulo 2^width.

        Yosys (`alumacc`, `maccmap`) makes three and more into two by rows of full adders, then adds those.
        """
        if len(operands) < 2:
            return
        if len(operands) == 2 and self.family == "xilinx7":
            # Where only one operand has a bit, the carry chain takes it as it is.
            ends = [width if signed else min(width, shift + bits) for (bits, signed), shift in operands]
            self.sum(max(0, min(ends) - max(shift for _, shift in operands)), count)
            return
        heights = [0] * width
        for (bits, _), shift in operands:
            for column in range(shift, min(width, shift + bits)):
                heights[column] += 1
        adders, carries, lowest = 0, 0, width
        for column, height in enumerate(heights):
            left = height + carries
            carries = max(0, (left - 1) // 2)
            adders += carries
            left -= 2 * carries
            if left > 1:
                lowest = min(lowest, column)
        self.add("full adder", count * adders)
        if lowest < width:
            self.sum(width - lowest, count)

    def compare(self, width: int, count: float = 1) -> None:
        """`count` comparisons of two numbers."""
        self.add("compare", count * width)

    def compare_constant(self, width: int, count: float = 1) -> None:
        """`count` comparisons with a constant, of which `width` bits matter."""
        self.add("constant compare", count)
        self.add("compare constant", count * max(0, width - LUT_INPUTS[self.family]))

    def tree(self, operands: Iterable[tuple[Number, int]], count: float = 1, *, absorbed: bool = False) -> Number:
        """`count` adder trees (`adder_tree`) over numbers with shifts to the left; the sum's type.

        `absorbed`: the operands come from DSP blocks that do the first level's additions.
        """
        values = list(operands)
        level = 0
        joined = [[one] for one in values]
        ages = [0 if absorbed else 1] * len(values)
        while len(values) > 1:
            level += 1
            sums, terms = [], []
            for index in range(0, len(values) - 1, 2):
                (a, shift_a), (b, shift_b) = values[index : index + 2]
                least = min(shift_a, shift_b)
                sums.append((_added((a[0] + shift_a - least, a[1]), (b[0] + shift_b - least, b[1])), least))
                terms.append([sums[-1]] if absorbed and level == 1 else joined[index] + joined[index + 1])
            if len(values) % 2:
                sums.append(values[-1])
                terms.append(joined[-1])
            else:
                # The last one may have waited for a partner.
                self.delay(values[-1][0][0], ages[-1], count)
            ages = [0] * (len(values) // 2) + ages[-1:] * (len(values) % 2)
            values, joined = sums, terms
            if level % LEVELS_PER_REGISTER == 0 or len(sums) == 1:
                for ((width, _), least), own in zip(values, joined, strict=True):
                    self.sums([(one, shift - least) for one, shift in own], width, count)
                joined = [[one] for one in values]
                ages = [age + 1 for age in ages]
        (width, signed), shift = values[0]
        return (width + shift, signed)

    def delay(self, width: int, cycles: int, count: float = 1) -> None:
        """`count` delays of numbers, without a reset: shift registers of LUTs on Xilinx 7, else flip-flops alone."""
        if self.family == "xilinx7" and cycles >= LEAST_SHIFT_REGISTER:
            self.add(EXACT, count * width)

    def product(
        self, a: Number, b: Number, count: int = 1, *, width: int | None = None, values: int = 0, sharers: int = 1
    ) -> bool:
        """`count` products, of which `width` bits are used, in DSP blocks where Yosys takes them.

        `values`: how many values one operand takes, 0 for any. A few take less of LUTs, but a whole DSP block; and
        `sharers` products have the other operand in common, and with it the parts that are the same in several. Gives
        whether each product is a DSP block that takes in an addition behind it (Xilinx 7, pass xilinx_dsp).
        """
        blocks = dsp_blocks(self.family, *a, *b, width) if self.dsp else 0
        self.dsps += blocks * count
        if not blocks:
            each = product_luts(self.family, *a, *b)
            if values in FEW_VALUES:
                # Of so many ways to add a few rows, each is built once.
                kinds = 2.0 ** (SHARED_ROWS * values)
                each *= kinds * (1 - (1 - 1 / kinds) ** sharers) / sharers
            self.add(FEW_VALUES.get(values, EXACT), count * each)
        return self.family == "xilinx7" and blocks == 1

    def index(self, rows: int, columns: int, places: int) -> None:
        """`row * columns + column`, a number below `places`; Yosys makes the product one like any other."""
        width = address_bits(places)
        if columns & (columns - 1):
            self.product((address_bits(rows), False), (columns.bit_length(), False), width=width, values=1)
        self.sum(width)

    def memory(self, name: str, width: int, depth: int, *, reached: Sequence[int] = (), clocked: bool = True) -> None:
        """A memory with a write port and a read port, or as many as `reached` says how many words each reads from."""
        reached = reached or (depth,)
        reads = len(reached)
        mapping = map_memory(self.family, width, depth, reads=reads, clocked=clocked)
        self.memories.append(MappedMemory(name, width * depth, mapping))
        self.add(EXACT, mapping.luts)
        if mapping.kind == "logic":
            self.add("register mux", width * sum(mux_luts(self.family, words) for words in reached))
            self.add("register enable", depth)
            return
        self.add("memory mux", reads * width * (mapping.parts - 1))
        if mapping.held:
            self.add("held word", reads * width)
            self.add("held address", reads * address_bits(depth))

    def rom(self, name: str, width: int, words: Sequence[int]) -> None:
        """A read-only memory. Bits that are the same in all words take nothing."""
        mapping = self._map_rom(name, varying_bits(width, words).bit_count(), len(words))
        if mapping.kind != "logic":
            return
        if self.family == "xilinx7":
            self.add(EXACT, lut6_rom(width, words))
        else:
            self._rom_of_logic(logic_columns(width, words), len(words))

    def rom_of_any(self, name: str, width: int, depth: int) -> None:
        """A read-only memory of which only the size is known; its bits are taken for drawn by chance."""
        shares = 2.0 ** min(depth - 1, 60)
        used = round(width * (1 - 1 / shares))
        mapping = self._map_rom(name, used, depth)
        if mapping.kind != "logic" or depth == 1:
            return
        # Of columns that start with 0 or are turned over, the different ones.
        kinds = shares - 1
        columns = kinds * (1 - (1 - 1 / kinds) ** used) if depth < 16 else used
        if self.family == "xilinx7":
            self.add(EXACT, columns * lut6_column(depth))
        else:
            self._rom_of_logic(columns, depth)

    def _rom_of_logic(self, columns: float, depth: int) -> None:
        if self.family == "ice40":
            self.add(EXACT, lut4_rom(columns, depth))
        elif depth > 2:
            # ABC joins LUT4s to wider ones or shares them, which differs from design to design.
            bits = min(MOST_ROM_BITS, max(LEAST_ROM_BITS, address_bits(depth)))
            self.add(f"rom {bits}", columns * max(depth / (1 << bits), 0.5))

    def _map_rom(self, name: str, width: int, depth: int) -> MemoryMapping:
        mapping = map_memory(self.family, width, depth, written=False)
        self.memories.append(MappedMemory(name, width * depth, mapping))
        if mapping.kind != "logic":
            self.add("memory mux", width * (mapping.parts - 1))
        return mapping

    def counter(self, count: int) -> None:
        """A counter that starts again after `count` steps."""
        bits = address_bits(count)
        self.add("narrow counter" if bits <= NARROW_SUM[self.family] else "counter", bits)

    def level(self, most: int) -> None:
        """A number from 0 to `most` that goes up and down, and a flag that tells whether it is above 0."""
        bits = most.bit_length()
        self.add("narrow level" if bits <= NARROW_SUM[self.family] else "level", bits)

    def queue(self, name: str, width: int, capacity: int) -> None:
        """A `Queue`."""
        self.add("queue")
        self.level(capacity)
        self.level(capacity)
        self.counter(capacity)
        self.counter(capacity)
        self.memory(name, width, capacity, clocked=self.into_register)

    def buffer(self, name: str, width: int, beats: int, passes: int, vectors: int) -> None:
        """A `VectorBuffer`."""
        capacity = vectors * beats
        self.add("buffer")
        self.level(capacity)
        self.level(capacity)
        for count in (beats, passes, capacity):
            self.counter(count)
        if beats > 1:
            self.sum(address_bits(capacity))
            self.sum(address_bits(capacity))
        else:
            self.counter(capacity)
        self.memory(name, width, capacity)


def _added(a: Number, b: Number) -> Number:
    """The type of a sum as Amaranth infers it."""
    (width_a, signed_a), (width_b, signed_b) = a, b
    if signed_a == signed_b:
        return max(width_a, width_b) + 1, signed_a
    unsigned, signed = (width_b, width_a) if signed_a else (width_a, width_b)
    return max(unsigned + 1, signed) + 1, True


def mux_luts(family: Family, inputs: int) -> float:
    """LUTs of a multiplexer of one bit: of LUT4s as single ones were mapped; a LUT6 takes four inputs."""
    if family != "xilinx7":
        return MUX_LUT4[inputs] if inputs < len(MUX_LUT4) else inputs * MUX_LUT4[-1] / (len(MUX_LUT4) - 1)
    if inputs <= 4:
        return int(inputs > 1)
    fours, left = divmod(inputs, 4)
    return fours + mux_luts(family, left) + mux_luts(family, fours + bool(left))
