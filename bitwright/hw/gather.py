"""Gather: a whole vector is collected and read out in another order, elements repeated where asked."""

from __future__ import annotations

import numpy as np
from amaranth.hdl import Cat, Module, Mux, Signal
from numpy.typing import NDArray

from bitwright.graph import TensorSpec
from bitwright.hw.delay import delay
from bitwright.hw.queue import Queue, queue_capacity
from bitwright.hw.resources import MemoryUse, StageResources
from bitwright.hw.stage import Stage, StageTiming
from bitwright.hw.timing import Actor, Edge, pass_through

BANKS = 2
"""Vectors held: one is read while the next arrives."""


class Gather(Stage):
    """Output element e of each vector is its input element `order[e]`.

    The vectors lie in registers, so any element reaches any lane. A vector's read-out starts in the cycle after its
    last beat arrived and lets its bank go with the last output beat.
    """

    def __init__(
        self, name: str, source: TensorSpec, result: TensorSpec, order: NDArray[np.int64], lanes_in: int, lanes_out: int
    ) -> None:
        super().__init__(name, source, lanes_in, result, lanes_out)
        self.order = order
        self.vector = source.shape[-1]
        self.vectors = source.size // self.vector
        self.writes = self.vector // lanes_in
        self.reads = len(order) // lanes_out
        self.latency = 2
        self.capacity = queue_capacity(self.latency, 1)

    def elaborate(self, platform: object) -> Module:
        """Describe the banks and the read-out."""
        m = Module()
        width, bits_in = self.source.dtype.width, len(self.i.payload)
        m.submodules.queue = queue = Queue(len(self.o.payload), self.capacity)
        banks = [
            [Signal(bits_in, name=f"bank_{bank}_{beat}", reset_less=True) for beat in range(self.writes)]
            for bank in range(BANKS)
        ]
        free, full = Signal(range(BANKS * self.writes + 1), init=BANKS * self.writes), Signal(range(BANKS + 1))
        write, read = Signal(range(self.writes)), Signal(range(self.reads))
        write_bank, read_bank = Signal(), Signal()
        accept, fire, filled, emptied = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            self.i.ready.eq(free != 0),
            accept.eq(self.i.valid & self.i.ready),
            filled.eq(accept & (write == self.writes - 1)),
            fire.eq((full != 0) & queue.available),
            emptied.eq(fire & (read == self.reads - 1)),
            queue.reserve.eq(fire),
        ]
        m.d.sync += [
            free.eq(free - accept + Mux(emptied, self.writes, 0)),
            full.eq(full + filled - emptied),
            write_bank.eq(write_bank ^ filled),
            read_bank.eq(read_bank ^ emptied),
        ]
        with m.If(accept):
            m.d.sync += write.eq(Mux(filled, 0, write + 1))
            for bank, words in enumerate(banks):
                with m.If(write_bank == bank), m.Switch(write):
                    for beat, word in enumerate(words):
                        with m.Case(beat):
                            m.d.sync += word.eq(self.i.payload)
        with m.If(fire):
            m.d.sync += read.eq(Mux(emptied, 0, read + 1))

        vector = Signal(bits_in * self.writes)
        m.d.comb += vector.eq(Mux(read_bank == 0, Cat(*banks[0]), Cat(*banks[1])))
        result = Signal(len(self.o.payload), reset_less=True)
        with m.Switch(read):
            for beat in range(self.reads):
                picked = self.order[beat * self.lanes_out : (beat + 1) * self.lanes_out].tolist()
                with m.Case(beat):
                    m.d.sync += result.eq(Cat(*(vector[e * width : (e + 1) * width] for e in picked)))
        m.d.comb += [
            queue.push.eq(delay(m, fire, 1, "done", reset=True)),
            queue.data.eq(result),
            *queue.offers(self.o),
        ]
        return m

    def timing(self) -> StageTiming:
        """Two actors: the writer, and the reader that needs whole vectors."""
        firing = np.arange(self.reads * self.vectors)
        need = (firing // self.reads + 1) * self.writes
        release = (firing + 1) // self.reads * self.writes
        reader = Actor(self.name, len(firing), (need,), (release,), (np.ones(len(firing), dtype=np.int64),))
        writer = pass_through(f"{self.name}.buffer", self.beats_in)
        edge = Edge(writer.name, self.name, BANKS * self.writes, 1)
        return StageTiming((writer, reader), (edge,), (writer.name,), self.name, self.capacity, self.latency)

    def resources(self) -> StageResources:
        """Banks, result register, queue."""
        width = len(self.o.payload)
        queue = MemoryUse(f"{self.name}_queue", width, self.capacity, self.beats_out, self.beats_out)
        return StageResources((), (queue,), BANKS * self.vector * self.source.dtype.width + width)
