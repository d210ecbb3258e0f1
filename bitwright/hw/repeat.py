"""Beats kept and given again: repetition, and with one turn a plain FIFO."""

from __future__ import annotations

import numpy as np
from amaranth.hdl import Module

from bitwright.graph import TensorSpec
from bitwright.hw.delay import delay
from bitwright.hw.queue import Queue, queue_capacity
from bitwright.hw.resources import MemoryUse, StageResources
from bitwright.hw.stage import Stage, StageTiming
from bitwright.hw.timing import Actor, Edge, pass_through
from bitwright.hw.vector_buffer import VECTORS, VectorBuffer


class RepeatStage(Stage):
    """Gives every run of `beats` beats `times` times; holds `runs` of them."""

    def __init__(
        self,
        name: str,
        source: TensorSpec,
        result: TensorSpec,
        lanes: int,
        *,
        beats: int,
        times: int,
        runs: int = VECTORS,
    ) -> None:
        super().__init__(name, source, lanes, result, lanes)
        self.beats = beats
        self.times = times
        self.runs = runs
        self.latency = 2
        self.capacity = queue_capacity(self.latency, 1)

    def elaborate(self, platform: object) -> Module:
        """Describe the stage."""
        m = Module()
        width = len(self.i.payload)
        m.submodules.queue = queue = Queue(width, self.capacity)
        m.submodules.buffer = buffer = VectorBuffer(width, self.beats, self.times, self.runs)
        m.d.comb += [
            buffer.i.valid.eq(self.i.valid),
            buffer.i.payload.eq(self.i.payload),
            self.i.ready.eq(buffer.i.ready),
            buffer.read.eq(buffer.ready & queue.available),
            queue.reserve.eq(buffer.read),
            queue.push.eq(delay(m, buffer.read, 1, "done", reset=True)),
            queue.data.eq(buffer.data),
            *queue.offers(self.o),
        ]
        return m

    def timing(self) -> StageTiming:
        """A writer and a reader, the buffer between them."""
        each = self.beats * self.times
        beat, turn = np.arange(each) % self.beats, np.arange(each) // self.beats
        need = np.where(turn == 0, beat + 1, self.beats)
        release = np.where(turn == self.times - 1, beat + 1, 0)
        count = self.beats_in // self.beats
        start = np.repeat(np.arange(count) * self.beats, each)
        reader = Actor(
            self.name,
            count * each,
            (np.tile(need, count) + start,),
            (np.tile(release, count) + start,),
            (np.ones(count * each, dtype=np.int64),),
        )
        writer = pass_through(f"{self.name}.buffer", self.beats_in)
        edge = Edge(writer.name, self.name, self.runs * self.beats, 1)
        return StageTiming((writer, reader), (edge,), (writer.name,), self.name, self.capacity, self.latency)

    def resources(self) -> StageResources:
        """The buffer and the queue."""
        width = len(self.i.payload)
        return StageResources(
            (),
            (
                MemoryUse(f"{self.name}_buffer", width, self.runs * self.beats, self.beats_out, self.beats_in),
                MemoryUse(f"{self.name}_queue", width, self.capacity, self.beats_out, self.beats_out),
            ),
        )


def fifo(name: str, spec: TensorSpec, lanes: int, depth: int) -> RepeatStage:
    """A FIFO of `depth` beats, besides the few in its output queue."""
    return RepeatStage(name, spec, spec, lanes, beats=1, times=1, runs=depth)
