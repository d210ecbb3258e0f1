"""Requant in hardware: multiplier, adder, shift, clip, a register after each."""

from __future__ import annotations

import numpy as np
from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

from bitwright.graph import IntType, Requant, TensorSpec
from bitwright.hw.accumulator import Accumulator
from bitwright.hw.delay import delay
from bitwright.hw.leaf import Emitter, Leaf
from bitwright.hw.multiplier import pipelined_product, product_latency
from bitwright.hw.resources import MacUse, MemoryUse
from bitwright.hw.tail import Tail, channel_rom, split_word


class RequantLane(Leaf):
    """One lane, `clip((value * multiplier + offset) >> shift)`. With p the cycles of the product::

        cycle       0        p        p + 1          p + 2
        value       x
        product              x * m
        total                         (x*m + b) >> s
        result                                       clipped

    Products wider than a DSP block take more than one cycle (`multiplier.product_latency`).
    """

    def __init__(self, value: IntType, multiplier: IntType, offset: IntType, shift: int, output: IntType) -> None:
        self.value, self.multiplier, self.offset = value, multiplier, offset
        self.shift = shift
        self.output = output
        self.product_latency = product_latency(value.width, multiplier.width)
        self.latency = self.product_latency + 2
        types = (f"{one.width}{'s' if one.signed else 'u'}" for one in (value, multiplier, offset))
        fields = ("requant", *types, shift, output.lo, output.hi)
        self.name = "_".join(str(field).replace("-", "m") for field in fields)

    def ports(self) -> tuple[dict[str, int], dict[str, int]]:
        """Inputs value, multiplier, offset; output result."""
        inputs = {"value": self.value.width, "multiplier": self.multiplier.width, "offset": self.offset.width}
        return inputs, {"result": self.output.width}

    def logic(self, m: Module, inputs: dict[str, Signal], outputs: dict[str, Signal], emitter: Emitter) -> None:
        """Describe the lane."""
        types = {"value": self.value, "multiplier": self.multiplier, "offset": self.offset}
        operands = {key: signal.as_signed() if types[key].signed else signal for key, signal in inputs.items()}
        product = pipelined_product(m, operands["value"], operands["multiplier"])
        offset = delay(m, operands["offset"], self.product_latency, "offset")
        shifted = (product + offset) >> self.shift
        total = Signal(shifted.shape(), reset_less=True)
        m.d.sync += total.eq(shifted)
        low, high = self.output.lo, self.output.hi
        m.d.sync += outputs["result"].eq(Mux(total < low, low, Mux(total > high, high, total)))


class RequantTail(Tail):
    """A multiplier a lane, constants of each channel from one memory."""

    def __init__(self, name: str, op: Requant, accumulator: Accumulator, output: TensorSpec, lanes: int) -> None:
        super().__init__(name, accumulator, output, lanes)
        channels = accumulator.channels
        multiplier = np.broadcast_to(op.multiplier.astype(np.int64), (channels,))
        offset = np.broadcast_to(op.offset.astype(np.int64), (channels,)) + multiplier * accumulator.offset
        factor = multiplier * accumulator.scale
        self.factor_type = IntType(int(factor.min()), int(factor.max()))
        self.offset_type = IntType(int(offset.min()), int(offset.max()))
        self.shift = op.shift
        self.lane = RequantLane(accumulator.register, self.factor_type, self.offset_type, op.shift, op.output_type)
        self.latency = self.lane.latency
        self.rom = channel_rom(f"{name}_requant", [(factor, self.factor_type), (offset, self.offset_type)], lanes)

    def logic(self, m: Module, emitter: Emitter, group: Value, data: list[Value]) -> Value:
        """One lane block for each value."""
        word = emitter.rom(m, self.rom, group, Const(1))
        widths = [self.factor_type.width, self.offset_type.width]
        results = []
        for value, (factor, offset) in zip(data, split_word(word, widths, self.lanes), strict=True):
            lane = emitter.instance(m, self.lane, value=value.as_unsigned(), multiplier=factor, offset=offset)
            results.append(lane["result"])
        return Cat(*results)

    def memories(self, vectors: int) -> tuple[MemoryUse, ...]:
        """One word for each group of channels."""
        return (MemoryUse(self.rom.name, self.rom.width, len(self.rom.words), self.words_read(vectors), 0),)

    @property
    def product_width(self) -> int:
        """Bits of value times multiplier."""
        return self.accumulator.register.width + self.factor_type.width

    def macs(self, vectors: int) -> tuple[MacUse, ...]:
        """One multiplication and addition an element."""
        elements = self.elements(vectors)
        register = self.accumulator.register.width
        return (MacUse("multiplier", self.factor_type.width, register, self.product_width, elements),)

    def compares(self, vectors: int) -> tuple[int, int]:
        """Both ends of the clip."""
        return 2 * self.elements(vectors), max(1, self.product_width - self.shift)

    @property
    def register_bits(self) -> int:
        """Products and offset on their way, total and result of each lane."""
        held = self.lane.product_latency * (self.product_width + self.offset_type.width)
        return self.lanes * (held + self.product_width + self.output_width)
