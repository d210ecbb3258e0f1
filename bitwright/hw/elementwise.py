"""Threshold and Requant on their own, where no matrix-vector unit precedes them."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value

from bitwright.graph import TensorSpec
from bitwright.hw.leaf import Emitter
from bitwright.hw.pipeline import PipelineStage
from bitwright.hw.resources import StageResources
from bitwright.hw.tail import Tail


class ElementwiseStage(PipelineStage):
    """Passes every element through a tail, `tail.lanes` elements a cycle.

    cycle 0: firing; cycle 1: the beat is registered while the constants' address is given; cycle 2: beat and
    constants meet; the tail's cycles follow.
    """

    def __init__(self, name: str, source: TensorSpec, tail: Tail) -> None:
        super().__init__(name, source, tail.lanes, tail.output, tail.lanes, depth=2 + tail.latency)
        self.tail = tail

    def pipeline(self, m: Module, emitter: Emitter, fire: Value, count: Value, payload: Value) -> Value:
        """Two registers, then the tail."""
        fired = Signal()
        first, second = Signal(len(payload), reset_less=True), Signal(len(payload), reset_less=True)
        group = Signal(range(max(2, self.tail.groups)))
        m.d.sync += [fired.eq(fire), first.eq(payload), second.eq(first)]
        with m.If(fired):
            m.d.sync += group.eq(Mux(group == self.tail.groups - 1, 0, group + 1))
        return self.tail.logic(m, emitter, group, self.tail.lane_values(second))

    def resources(self) -> StageResources:
        """The tail's."""
        vectors = self.source.size // self.tail.accumulator.channels
        registers = 2 * len(self.i.payload) + self.tail.register_bits
        memories = (*self.tail.memories(vectors), self.queue_memory())
        return StageResources(self.tail.macs(vectors), memories, registers, *self.tail.compares(vectors))
