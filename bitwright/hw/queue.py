"""The output queue of a stage: storage for finished beats, and the credit that lets a firing start."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out


def stays_above_zero(count: Signal, down: Value) -> Value:
    """Whether `count` will not be 0 after it has gone down by one if `down`.

    Kept in a flag beside the count, it spares the comparison in the cycle in which a firing is decided.
    """
    return (count > 1) | ((count == 1) & ~down)


class Queue(wiring.Component):
    """Holds up to `capacity` beats of `width` bits, beats still in the stage's pipeline counted in.

    `reserve` takes a slot when a firing starts (allowed while `available`), `push` with `data` fills it when the
    pipeline delivers, any number of cycles later. A pushed beat is offered from the next cycle on, and a taken beat's
    slot is available again from the cycle after. Nothing here depends combinationally on `o.ready` but the next state.

    capacity 2, pipeline of 2 cycles::

        cycle      0    1    2    3    4    5
        reserve    a    b                   c      (no slot in 2..4)
        push                 a    b
        o.payload                 a    a    b      (a waits for ready)
        o.ready                   0    1    1
    """

    def __init__(self, width: int, capacity: int) -> None:
        self.width = width
        self.capacity = capacity
        super().__init__(
            {
                "reserve": In(1),
                "available": Out(1),
                "push": In(1),
                "data": In(width),
                "o": Out(stream.Signature(width)),
            }
        )

    def offers(self, outlet: Any) -> list[Any]:
        """Statements that make the queue's stream the stream `outlet` of its stage."""
        return [
            outlet.valid.eq(self.o.valid),
            outlet.payload.eq(self.o.payload),
            self.o.ready.eq(outlet.ready),
        ]

    def elaborate(self, platform: object) -> Module:
        """Describe the queue."""
        m = Module()
        taken = Signal()
        m.d.comb += taken.eq(self.o.valid & self.o.ready)
        credits = Signal(range(self.capacity + 1), init=self.capacity)
        level = Signal(range(self.capacity + 1))
        some_credit, some_level = Signal(init=1), Signal()
        m.d.sync += [
            credits.eq(credits - self.reserve + taken),
            level.eq(level + self.push - taken),
            some_credit.eq(taken | stays_above_zero(credits, self.reserve)),
            some_level.eq(self.push | stays_above_zero(level, taken)),
        ]
        m.d.comb += [self.available.eq(some_credit), self.o.valid.eq(some_level)]
        if self.capacity == 1:
            word = Signal(self.width, reset_less=True)
            with m.If(self.push):
                m.d.sync += word.eq(self.data)
            m.d.comb += self.o.payload.eq(word)
            return m
        m.submodules.storage = storage = memory.Memory(shape=self.width, depth=self.capacity, init=[])
        write = storage.write_port()
        read = storage.read_port(domain="comb")
        m.d.comb += [write.en.eq(self.push), write.data.eq(self.data), self.o.payload.eq(read.data)]
        last = self.capacity - 1
        with m.If(self.push):
            m.d.sync += write.addr.eq(Mux(write.addr == last, 0, write.addr + 1))
        with m.If(taken):
            m.d.sync += read.addr.eq(Mux(read.addr == last, 0, read.addr + 1))
        return m


def queue_capacity(latency: int, firings_per_beat: int) -> int:
    """The slots that keep a stage busy: those in flight over `latency` cycles, and one that waits for its consumer."""
    return max(2, -(-(latency + 1) // firings_per_beat) + 1)
