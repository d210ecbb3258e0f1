"""Concat in hardware: the channels of several tensors side by side, pixel by pixel."""

from __future__ import annotations

import numpy as np
from amaranth.hdl import Array, Cat, Module, Mux, Shape, Signal, Value

from bitwright.graph import IntType, TensorSpec
from bitwright.hw.add import decoded
from bitwright.hw.delay import delay
from bitwright.hw.queue import Queue, queue_capacity
from bitwright.hw.resources import MemoryUse, StageResources
from bitwright.hw.run_table import run_table
from bitwright.hw.stage import Stage, StageTiming
from bitwright.hw.timing import Actor


def recoded(m: Module, source: IntType, result: IntType, code: Value) -> Value:
    """An element's bits in a type that holds its own."""
    if source == result:
        return code
    extended = Signal(Shape(result.width, result.signed), name="extended")
    m.d.comb += extended.eq(decoded(source, code))
    return extended.as_unsigned()


class ConcatStage(Stage):
    """For every pixel first the beats of the first input, then those of the next, as wide as the result's type."""

    def __init__(self, name: str, sources: tuple[TensorSpec, ...], result: TensorSpec, lanes: int) -> None:
        joined = tuple((spec, lanes) for spec in sources[1:])
        super().__init__(name, sources[0], lanes, result, lanes, joined=joined)
        self.turns = [index for index, spec in enumerate(sources) for _ in range((spec.shape[-1]) // lanes)]
        self.latency = 2
        self.capacity = queue_capacity(self.latency, 1)

    def elaborate(self, platform: object) -> Module:
        """Describe the stage."""
        m = Module()
        m.submodules.queue = queue = Queue(len(self.o.payload), self.capacity)
        turn, fire = Signal(range(len(self.turns))), Signal()
        chosen = Signal(range(len(self.sources)))
        inlets = self.inlets()
        m.d.comb += [
            chosen.eq(run_table(turn, self.turns)),
            fire.eq(Array(inlet.valid for inlet in inlets)[chosen] & queue.available),
            queue.reserve.eq(fire),
            *(inlet.ready.eq((chosen == index) & queue.available) for index, inlet in enumerate(inlets)),
        ]
        with m.If(fire):
            m.d.sync += turn.eq(Mux(turn == len(self.turns) - 1, 0, turn + 1))
        beats = [
            Cat(
                *(
                    recoded(m, spec.dtype, self.result.dtype, inlet.payload.word_select(lane, spec.dtype.width))
                    for lane in range(self.lanes_in)
                )
            )
            for spec, inlet in zip(self.sources, inlets, strict=True)
        ]
        word = Signal(len(self.o.payload), reset_less=True)
        m.d.sync += word.eq(Array(beats)[chosen])
        m.d.comb += [
            queue.push.eq(delay(m, fire, 1, "done", reset=True)),
            queue.data.eq(word),
            *queue.offers(self.o),
        ]
        return m

    def timing(self) -> StageTiming:
        """One actor that takes from one input at a time."""
        turns = np.tile(np.array(self.turns), self.beats_out // len(self.turns))
        needs = tuple(np.cumsum(turns == index) for index in range(len(self.sources)))
        actor = Actor(self.name, len(turns), needs, needs, (np.ones(len(turns), dtype=np.int64),))
        return StageTiming((actor,), (), (self.name,) * len(self.sources), self.name, self.capacity, self.latency)

    def resources(self) -> StageResources:
        """A register and the queue."""
        width = len(self.o.payload)
        queue = MemoryUse(f"{self.name}_queue", width, self.capacity, self.beats_out, self.beats_out)
        return StageResources((), (queue,), width)
