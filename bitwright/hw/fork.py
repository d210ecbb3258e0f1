"""Fork: one stream to several consumers."""

from __future__ import annotations

from amaranth.hdl import Module, Signal

from bitwright.graph import TensorSpec
from bitwright.hw.queue import Queue, queue_capacity
from bitwright.hw.resources import MemoryUse, StageResources
from bitwright.hw.stage import Stage, StageTiming
from bitwright.hw.timing import pass_through


class Fork(Stage):
    """Gives every beat to each of `branches` consumers, each at its own pace.

    Every branch has an output queue; a beat is taken when all of them have a free slot. With one branch it is a short
    FIFO.
    """

    def __init__(self, name: str, spec: TensorSpec, lanes: int, branches: int) -> None:
        super().__init__(name, spec, lanes, spec, lanes, branches)
        self.latency = 1
        self.capacity = queue_capacity(self.latency, 1)

    def elaborate(self, platform: object) -> Module:
        """Describe the queues."""
        m = Module()
        fire = Signal()
        available = []
        for branch, outlet in enumerate(self.outlets()):
            queue = Queue(len(self.i.payload), self.capacity)
            m.submodules[f"queue_{branch}"] = queue
            m.d.comb += [
                queue.reserve.eq(fire),
                queue.push.eq(fire),
                queue.data.eq(self.i.payload),
                *queue.offers(outlet),
            ]
            available.append(queue.available)
        ready = available[0]
        for other in available[1:]:
            ready = ready & other
        m.d.comb += [self.i.ready.eq(ready), fire.eq(self.i.valid & ready)]
        return m

    def timing(self) -> StageTiming:
        """One actor."""
        actor = pass_through(self.name, self.beats_in, self.branches)
        return StageTiming((actor,), (), (self.name,), self.name, self.capacity, self.latency)

    def resources(self) -> StageResources:
        """The queues."""
        width = len(self.i.payload)
        queues = (
            MemoryUse(f"{self.name}_queue_{branch}", width, self.capacity, self.beats_in, self.beats_in)
            for branch in range(self.branches)
        )
        return StageResources((), tuple(queues), 0)
