"""Width converters: from few lanes to many and back, where neighbouring stages differ."""

from __future__ import annotations

import numpy as np
from amaranth.hdl import Cat, Module, Mux, Signal, Value

from bitwright.errors import FoldingError
from bitwright.graph import TensorSpec
from bitwright.hw.delay import delay
from bitwright.hw.leaf import Emitter
from bitwright.hw.pipeline import PipelineStage
from bitwright.hw.queue import Queue, queue_capacity
from bitwright.hw.resources import MemoryUse, StageResources
from bitwright.hw.stage import Stage, StageTiming
from bitwright.hw.timing import Actor


class Widen(PipelineStage):
    """Joins `lanes_out / lanes_in` beats into one."""

    def __init__(self, name: str, spec: TensorSpec, lanes_in: int, lanes_out: int) -> None:
        super().__init__(name, spec, lanes_in, spec, lanes_out, depth=1)

    def pipeline(self, m: Module, emitter: Emitter, fire: Value, count: Value, payload: Value) -> Value:
        """A shift register: the oldest beat ends in the low bits."""
        word = Signal(len(self.o.payload), reset_less=True)
        with m.If(fire):
            m.d.sync += word.eq(Cat(word, payload)[len(payload) :])
        return word

    def resources(self) -> StageResources:
        """The shift register and the queue."""
        return StageResources((), (self.queue_memory(),), len(self.o.payload))


class Narrow(Stage):
    """Cuts each beat into `lanes_in / lanes_out` beats; the input beat is let go with its last piece."""

    def __init__(self, name: str, spec: TensorSpec, lanes_in: int, lanes_out: int) -> None:
        super().__init__(name, spec, lanes_in, spec, lanes_out)
        self.pieces = lanes_in // lanes_out
        self.latency = 2
        self.capacity = queue_capacity(self.latency, 1)

    def elaborate(self, platform: object) -> Module:
        """Describe the converter."""
        m = Module()
        width = len(self.o.payload)
        m.submodules.queue = queue = Queue(width, self.capacity)
        piece, fire, last = Signal(range(self.pieces)), Signal(), Signal()
        m.d.comb += [
            last.eq(piece == self.pieces - 1),
            fire.eq(self.i.valid & queue.available),
            self.i.ready.eq(last & queue.available),
            queue.reserve.eq(fire),
        ]
        with m.If(fire):
            m.d.sync += piece.eq(Mux(last, 0, piece + 1))
        word = Signal(width, reset_less=True)
        m.d.sync += word.eq(self.i.payload.word_select(piece, width))
        m.d.comb += [
            queue.push.eq(delay(m, fire, 1, "done", reset=True)),
            queue.data.eq(word),
            *queue.offers(self.o),
        ]
        return m

    def timing(self) -> StageTiming:
        """One actor: each firing needs its input beat, the last of `pieces` releases it."""
        firing = np.arange(self.beats_out)
        need, release = firing // self.pieces + 1, (firing + 1) // self.pieces
        actor = Actor(self.name, self.beats_out, (need,), (release,), (np.ones(self.beats_out, dtype=np.int64),))
        return StageTiming((actor,), (), (self.name,), self.name, self.capacity, self.latency)

    def resources(self) -> StageResources:
        """The piece's register and the queue."""
        width = len(self.o.payload)
        queue = MemoryUse(f"{self.name}_queue", width, self.capacity, self.beats_out, self.beats_out)
        return StageResources((), (queue,), width)


def width_converters(name: str, spec: TensorSpec, lanes_in: int, lanes_out: int) -> list[Stage]:
    """The stages between `lanes_in` and `lanes_out` lanes: none, one, or two through their least common multiple.

    Raises FoldingError when a lane count does not divide the tensor.
    """
    for lanes in (lanes_in, lanes_out):
        if spec.size % lanes:
            raise FoldingError(f"'{name}': {lanes} lanes do not divide {spec.size} elements; choose a divisor")
    if lanes_in == lanes_out:
        return []
    common = int(np.lcm(lanes_in, lanes_out))
    stages: list[Stage] = []
    if common != lanes_in:
        stages.append(Widen(f"{name}_widen", spec, lanes_in, common))
    if common != lanes_out:
        stages.append(Narrow(f"{name}_narrow", spec, common, lanes_out))
    return stages
