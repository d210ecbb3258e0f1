"""What follows an accumulator in the same pipeline: thresholds, requantization, or the plain output."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from amaranth.hdl import Cat, Const, Module, Signal, Value
from numpy.typing import NDArray

from bitwright.graph import IntType, TensorSpec
from bitwright.hw.accumulator import Accumulator
from bitwright.hw.leaf import Emitter, RomUse
from bitwright.hw.resources import MacUse, MemoryUse


class Tail(ABC):
    """A free-running pipeline over `lanes` registers, with constants of each channel from read-only memories.

    Channel c is lane c % lanes of group c // lanes; groups come in order. The group number is given one cycle ahead
    of the data, so that a memory's word meets its data.
    """

    latency: int
    """Cycles from data to result."""

    classes: int = 1
    """Classes of positions with constants of their own: the accumulator's channels count once for each."""

    def __init__(self, name: str, accumulator: Accumulator, output: TensorSpec, lanes: int) -> None:
        self.name = name
        self.accumulator = accumulator
        self.output = output
        self.lanes = lanes
        self.groups = accumulator.channels // lanes

    def words_read(self, vectors: int) -> int:
        """Words that so many vectors read from a memory with one word for each group."""
        return vectors * self.groups // self.classes

    def elements(self, vectors: int) -> int:
        """Elements of so many vectors."""
        return vectors * self.accumulator.channels // self.classes

    @property
    def output_width(self) -> int:
        """Bits of one result."""
        return self.output.dtype.width

    @abstractmethod
    def logic(self, m: Module, emitter: Emitter, group: Value, data: list[Value]) -> Value:
        """Describe the pipeline; gives the results side by side, `latency` cycles after `data`."""

    @abstractmethod
    def memories(self, vectors: int) -> tuple[MemoryUse, ...]:
        """Its memories' use in a frame of that many vectors."""

    @property
    @abstractmethod
    def register_bits(self) -> int:
        """Flip-flops outside memories."""

    def macs(self, vectors: int) -> tuple[MacUse, ...]:
        """Its multiplications in a frame of that many vectors; most tails have none."""
        return ()

    def compares(self, vectors: int) -> tuple[int, int]:
        """Comparisons in a frame of that many vectors, and their width in bits."""
        return 0, 0

    def lane_values(self, data: Value) -> list[Value]:
        """The lanes of `data` with the sign of the accumulator's register."""
        width = self.accumulator.register.width
        words = [data[lane * width : (lane + 1) * width] for lane in range(self.lanes)]
        return [word.as_signed() for word in words] if self.accumulator.register.signed else words


def channel_rom(name: str, fields: list[tuple[NDArray[Any], IntType]], lanes: int) -> RomUse:
    """A memory with one word for each group of channels: lane by lane, each lane's fields from the low bits up.

    Each field is integers (channels,) or (channels, n) with their type. When all groups' words are equal the memory
    has one word.
    """
    codes: list[tuple[NDArray[np.uint64], int]] = []
    for values, dtype in fields:
        for column in np.atleast_2d(values.T):
            codes.append((dtype.encode(column), dtype.width))
    width = sum(w for _, w in codes)
    words = []
    for group in range(len(codes[0][0]) // lanes):
        word, position = 0, 0
        for lane in range(lanes):
            for column, column_width in codes:
                word |= int(column[group * lanes + lane]) << position
                position += column_width
        words.append(word)
    if len(set(words)) == 1:
        words = words[:1]
    return RomUse(name, width * lanes, words)


def split_word(word: Value, widths: list[int], lanes: int) -> list[list[Value]]:
    """A word of `channel_rom` as its fields, lane by lane."""
    position, result = 0, []
    for _ in range(lanes):
        fields = []
        for width in widths:
            fields.append(word[position : position + width])
            position += width
        result.append(fields)
    return result


class OutputTail(Tail):
    """The accumulator's value itself: scale * register + offset."""

    latency = 1

    def __init__(self, name: str, accumulator: Accumulator, output: TensorSpec, lanes: int) -> None:
        super().__init__(name, accumulator, output, lanes)
        offset = accumulator.offset
        self.uniform = bool(np.all(offset == offset[0]))
        self.offset_type = IntType(int(offset.min()), int(offset.max()))
        self.rom = channel_rom(f"{name}_offsets", [(offset, self.offset_type)], lanes)

    def logic(self, m: Module, emitter: Emitter, group: Value, data: list[Value]) -> Value:
        """One adder a lane."""
        offsets: list[Value]
        if self.uniform:
            offsets = [Const(int(self.accumulator.offset[0]))] * self.lanes
        else:
            word = emitter.rom(m, self.rom, group, Const(1))
            fields = split_word(word, [self.offset_type.width], self.lanes)
            offsets = [field.as_signed() if self.offset_type.signed else field for (field,) in fields]
        results = []
        for value, offset in zip(data, offsets, strict=True):
            result = Signal(self.output_width, name="result", reset_less=True)
            m.d.sync += result.eq((value << (self.accumulator.scale - 1)) + offset)
            results.append(result)
        return Cat(*results)

    def memories(self, vectors: int) -> tuple[MemoryUse, ...]:
        """One word for each group, unless all channels have the same offset."""
        if self.uniform:
            return ()
        return (MemoryUse(self.rom.name, self.rom.width, len(self.rom.words), self.words_read(vectors), 0),)

    @property
    def register_bits(self) -> int:
        """The results."""
        return self.lanes * self.output_width
