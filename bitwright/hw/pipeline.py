"""A stage whose every firing takes one beat into a free-running pipeline; some firings give a beat."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from amaranth.hdl import Module, Mux, Signal, Value

from bitwright.graph import TensorSpec
from bitwright.hw.delay import delay
from bitwright.hw.leaf import Emitter
from bitwright.hw.queue import Queue, queue_capacity
from bitwright.hw.resources import MemoryUse
from bitwright.hw.stage import Stage, StageTiming
from bitwright.hw.timing import Actor, Pattern


class PipelineStage(Stage):
    """Takes a beat a firing; every `period`-th firing (the last of a group) gives one, `depth` cycles later.

    A group's last firing waits for a free slot of the output queue; nothing else ever waits.
    """

    def __init__(
        self, name: str, source: TensorSpec, lanes_in: int, result: TensorSpec, lanes_out: int, *, depth: int
    ) -> None:
        super().__init__(name, source, lanes_in, result, lanes_out)
        self.period = self.beats_in // self.beats_out
        self.depth = depth
        self.latency = depth + 1
        self.capacity = queue_capacity(self.latency, self.period)

    @abstractmethod
    def pipeline(self, m: Module, emitter: Emitter, fire: Value, count: Value, payload: Value) -> Value:
        """Describe the data's way: `payload` enters when `fire` is high, as firing number `count` of its group.

        Gives the output beat, `depth` cycles after the group's last firing.
        """

    def elaborate(self, platform: object) -> Module:
        """Describe the flow control around `pipeline`."""
        assert isinstance(platform, Emitter)
        m = Module()
        m.submodules.queue = queue = Queue(len(self.o.payload), self.capacity)
        count = Signal(range(max(2, self.period)))
        last, fire, finish = Signal(), Signal(), Signal()
        m.d.comb += [
            last.eq(count == self.period - 1),
            self.i.ready.eq(~last | queue.available),
            fire.eq(self.i.valid & self.i.ready),
            finish.eq(fire & last),
            queue.reserve.eq(finish),
        ]
        with m.If(fire):
            m.d.sync += count.eq(Mux(last, 0, count + 1))
        result = self.pipeline(m, platform, fire, count, self.i.payload)
        m.d.comb += [
            queue.push.eq(delay(m, finish, self.depth, "done", reset=True)),
            queue.data.eq(result),
            *queue.offers(self.o),
        ]
        return m

    def timing(self) -> StageTiming:
        """One actor."""
        ones: Pattern = np.ones(self.beats_in, dtype=np.int64)
        taken = np.cumsum(ones)
        produce = (taken % self.period == 0).astype(np.int64)
        actor = Actor(self.name, self.beats_in, (taken,), (taken,), (produce,))
        return StageTiming((actor,), (), (self.name,), self.name, self.capacity, self.latency)

    def queue_memory(self) -> MemoryUse:
        """The output queue's use in a frame."""
        return MemoryUse(f"{self.name}_queue", len(self.o.payload), self.capacity, self.beats_out, self.beats_out)
