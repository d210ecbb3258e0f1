"""The input buffer of a layer that reads each vector several times, once for every group of outputs."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from bitwright.hw.queue import stays_above_zero

VECTORS = 2
"""Vectors the buffer holds: one is read while the next arrives."""


class VectorBuffer(wiring.Component):
    """Takes vectors of `beats` beats and lets each be read `passes` times in order.

    `ready` is high when the beat of the next read is there; `read` (only while `ready`) performs the read, and its
    `data` is there one cycle later. `first` and `last` tell whether that beat is the vector's first or last. A beat may
    be read from the cycle after it was taken, so the first pass runs while the vector is still arriving. A slot is free
    again from the cycle after the last pass has read it.
    """

    def __init__(self, width: int, beats: int, passes: int, vectors: int = VECTORS) -> None:
        self.width = width
        self.beats = beats
        self.passes = passes
        self.capacity = vectors * beats
        super().__init__(
            {
                "i": In(stream.Signature(width)),
                "ready": Out(1),
                "read": In(1),
                "first": Out(1),
                "last": Out(1),
                "data": Out(width),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Describe the buffer."""
        m = Module()
        capacity, beats, passes = self.capacity, self.beats, self.passes
        m.submodules.storage = storage = memory.Memory(shape=self.width, depth=capacity, init=[])
        write = storage.write_port()
        read = storage.read_port(domain="sync")

        free = Signal(range(capacity + 1), init=capacity)
        fresh = Signal(range(capacity + 1))
        beat = Signal(range(beats))
        base = Signal(range(capacity))
        last_beat = Signal(init=int(beats == 1))
        some_free, some_fresh = Signal(init=1), Signal()
        turn = Signal(range(passes))
        first_pass = Signal(init=1)
        last_pass = Signal(init=int(passes == 1))
        accept, release, fetch = Signal(), Signal(), Signal()

        m.d.comb += [
            self.i.ready.eq(some_free),
            accept.eq(self.i.valid & self.i.ready),
            self.ready.eq(~first_pass | some_fresh),
            release.eq(self.read & last_pass),
            fetch.eq(self.read & first_pass),
            write.en.eq(accept),
            write.data.eq(self.i.payload),
            read.en.eq(self.read),
            read.addr.eq(base + beat),
            self.data.eq(read.data),
            self.first.eq(beat == 0),
            self.last.eq(last_beat),
        ]
        m.d.sync += [
            free.eq(free - accept + release),
            fresh.eq(fresh + accept - fetch),
            some_free.eq(release | stays_above_zero(free, accept)),
            some_fresh.eq(accept | stays_above_zero(fresh, fetch)),
        ]
        with m.If(accept):
            m.d.sync += write.addr.eq(Mux(write.addr == capacity - 1, 0, write.addr + 1))
        with m.If(self.read):
            m.d.sync += beat.eq(Mux(last_beat, 0, beat + 1))
            m.d.sync += last_beat.eq(Mux(last_beat, beats == 1, beat == beats - 2))
            with m.If(last_beat):
                m.d.sync += [
                    turn.eq(Mux(last_pass, 0, turn + 1)),
                    first_pass.eq(last_pass),
                    last_pass.eq(Mux(last_pass, passes == 1, turn == passes - 2)),
                ]
                with m.If(last_pass):
                    m.d.sync += base.eq(Mux(base == capacity - beats, 0, base + beats))
        return m
