"""Threshold in hardware: comparators in parallel for few steps, a pipelined binary search for many."""

from __future__ import annotations

import numpy as np
from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

from bitwright.graph import BIPOLAR, IntType, TensorSpec, Threshold
from bitwright.hw.accumulator import Accumulator
from bitwright.hw.delay import delay
from bitwright.hw.leaf import Emitter, RomUse
from bitwright.hw.resources import MemoryUse
from bitwright.hw.tail import Tail, channel_rom, split_word

MAX_PARALLEL_STEPS = 3
"""Steps up to which every threshold has its own comparator."""


def threshold_tail(name: str, op: Threshold, accumulator: Accumulator, output: TensorSpec, lanes: int) -> Tail:
    """The cheaper of the two forms for this operation."""
    steps = op.steps
    return (ParallelThreshold if steps <= MAX_PARALLEL_STEPS else SearchThreshold)(name, op, accumulator, output, lanes)


class _ThresholdTail(Tail):
    def __init__(self, name: str, op: Threshold, accumulator: Accumulator, output: TensorSpec, lanes: int) -> None:
        super().__init__(name, accumulator, output, lanes)
        channels, register = accumulator.channels, accumulator.register
        values = np.broadcast_to(op.thresholds.astype(np.int64), (channels, op.thresholds.shape[1]))
        self.thresholds = accumulator.threshold(values)
        self.threshold_type = IntType(register.lo, register.hi + 1)
        self.ascending = np.broadcast_to(op.ascending, (channels,)).astype(np.int64)
        self.mixed = not bool(self.ascending.all())

    def field(self, bits: Value) -> Value:
        """A threshold with its sign."""
        return bits.as_signed() if self.threshold_type.signed else bits

    def comparisons(self, vectors: int, each: int) -> tuple[int, int]:
        """`each` comparisons of every element, as wide as the thresholds."""
        return self.elements(vectors) * each, self.threshold_type.width

    def encoded(self, count: Value, ascending: Value | None, steps: int) -> Value:
        """The output's code from the number of thresholds reached."""
        if ascending is not None:
            count = Mux(ascending, count, steps - count)
        return count if self.output.dtype == BIPOLAR else count + self.output.dtype.lo


class ParallelThreshold(_ThresholdTail):
    """All comparisons in one cycle, from one memory word for each group of channels."""

    latency = 1

    def __init__(self, name: str, op: Threshold, accumulator: Accumulator, output: TensorSpec, lanes: int) -> None:
        super().__init__(name, op, accumulator, output, lanes)
        fields = [(self.thresholds, self.threshold_type)]
        if self.mixed:
            fields.append((self.ascending, IntType(0, 1)))
        self.rom = channel_rom(f"{name}_thresholds", fields, lanes)

    def logic(self, m: Module, emitter: Emitter, group: Value, data: list[Value]) -> Value:
        """Comparators, a count of their results, a register."""
        steps = self.thresholds.shape[1]
        word = emitter.rom(m, self.rom, group, Const(1))
        widths = [self.threshold_type.width] * steps + [1] * self.mixed
        results = []
        for value, fields in zip(data, split_word(word, widths, self.lanes), strict=True):
            reached = [value >= self.field(threshold) for threshold in fields[:steps]]
            result = Signal(self.output_width, name="result", reset_less=True)
            m.d.sync += result.eq(self.encoded(sum(reached[1:], reached[0]), fields[-1] if self.mixed else None, steps))
            results.append(result)
        return Cat(*results)

    def memories(self, vectors: int) -> tuple[MemoryUse, ...]:
        """One word for each group of channels."""
        return (MemoryUse(self.rom.name, self.rom.width, len(self.rom.words), self.words_read(vectors), 0),)

    def compares(self, vectors: int) -> tuple[int, int]:
        """All thresholds of every element."""
        return self.comparisons(vectors, self.thresholds.shape[1])

    @property
    def register_bits(self) -> int:
        """The results."""
        return self.lanes * self.output_width


class SearchThreshold(_ThresholdTail):
    """Binary search: level l picks one of 2^l thresholds by the bits found so far, two cycles a level.

    Rows are filled up to 2^levels - 1 steps with a threshold that is never reached.
    """

    def __init__(self, name: str, op: Threshold, accumulator: Accumulator, output: TensorSpec, lanes: int) -> None:
        super().__init__(name, op, accumulator, output, lanes)
        channels, steps = self.thresholds.shape
        self.levels = int(steps).bit_length()
        self.latency = 2 * self.levels
        rows = np.full((channels, (1 << self.levels) - 1), self.threshold_type.hi, dtype=np.int64)
        rows[:, :steps] = self.thresholds
        self.rows = rows

    def level_rom(self, level: int, lane: int) -> RomUse:
        """The thresholds of one level and lane, by (group, bits found so far)."""
        half = 1 << (self.levels - level - 1)
        middles = [(prefix * 2 + 1) * half - 1 for prefix in range(1 << level)]
        words = []
        for group in range(self.groups):
            channel = group * self.lanes + lane
            codes = self.threshold_type.encode(self.rows[channel, middles])
            top = int(self.ascending[channel]) << self.threshold_type.width if self.mixed and level == 0 else 0
            words += [int(code) | top for code in codes]
        width = self.threshold_type.width + (self.mixed and level == 0)
        return RomUse(f"{self.name}_thresholds_{level}_{lane}", width, words)

    def logic(self, m: Module, emitter: Emitter, group: Value, data: list[Value]) -> Value:
        """Memory read and comparison in turn, level by level."""
        groups: list[Value] = [group]
        for _ in range(self.levels - 1):
            groups.append(delay(m, groups[-1], 2, "group"))
        return Cat(*(self._lane(m, emitter, groups, lane, value) for lane, value in enumerate(data)))

    def _lane(self, m: Module, emitter: Emitter, groups: list[Value], lane: int, value: Value) -> Value:
        width = self.threshold_type.width
        found: Value = Const(0, 0)
        ascending: Value | None = None
        for level in range(self.levels):
            if level:
                value = delay(m, value, 2, "value")
            rom = self.level_rom(level, lane)
            address = Cat(found, groups[level]) if self.groups > 1 else found
            word = emitter.rom(m, rom, address, Const(1))
            if self.mixed and level == 0:
                ascending = delay(m, word[width], 2 * self.levels - 1, "ascending")
            bit = Signal(name=f"bit_{level}", reset_less=True)
            m.d.sync += bit.eq(value >= self.field(word[:width]))
            found = Cat(bit, delay(m, found, 2, "found")) if level else bit
        result = Signal(self.output_width, name="result", reset_less=True)
        m.d.sync += result.eq(self.encoded(found, ascending, self.thresholds.shape[1]))
        return result

    def memories(self, vectors: int) -> tuple[MemoryUse, ...]:
        """One word a level and lane for each group of channels."""
        roms = [self.level_rom(level, lane) for level in range(self.levels) for lane in range(self.lanes)]
        reads = self.words_read(vectors)
        return tuple(MemoryUse(rom.name, rom.width, len(rom.words), reads, 0) for rom in roms)

    def compares(self, vectors: int) -> tuple[int, int]:
        """One threshold a level of every element."""
        return self.comparisons(vectors, self.levels)

    @property
    def register_bits(self) -> int:
        """Delayed values, the bits found, the results."""
        values = 2 * (self.levels - 1) * self.accumulator.register.width
        found = sum(1 + 2 * level for level in range(self.levels))
        ascending = (2 * self.levels - 1) if self.mixed else 0
        return self.lanes * (values + found + ascending + self.output_width)
