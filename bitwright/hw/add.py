"""Add in hardware: the join of branches."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal, Value

from bitwright.graph import BIPOLAR, Add, IntType, TensorSpec
from bitwright.hw.adder_tree import adder_tree, adder_tree_latency
from bitwright.hw.delay import delay
from bitwright.hw.queue import Queue, queue_capacity
from bitwright.hw.resources import MacUse, MemoryUse, StageResources
from bitwright.hw.stage import Stage, StageTiming
from bitwright.hw.timing import Actor, pass_through


def decoded(dtype: IntType, code: Value) -> Value:
    """An element as a number, from its bits in a stream."""
    if dtype == BIPOLAR:
        return ((code << 1) - 1).as_signed()
    return code.as_signed() if dtype.signed else code


class AddStage(Stage):
    """Takes a beat of every input at once; multiplies, adds, and offers the sums.

    cycle 0: firing; cycle 1: the products are registered; the adder tree's cycles follow.
    """

    def __init__(self, name: str, op: Add, sources: tuple[TensorSpec, ...], result: TensorSpec, lanes: int) -> None:
        joined = tuple((spec, lanes) for spec in sources[1:])
        super().__init__(name, sources[0], lanes, result, lanes, joined=joined)
        self.multipliers = [int(value) for value in op.multipliers]
        self.depth = 1 + adder_tree_latency(len(sources))
        self.latency = self.depth + 1
        self.capacity = queue_capacity(self.latency, 1)

    def elaborate(self, platform: object) -> Module:
        """Describe the stage."""
        m = Module()
        m.submodules.queue = queue = Queue(len(self.o.payload), self.capacity)
        inlets = self.inlets()
        fire = Signal()
        valid: Value = inlets[0].valid
        for inlet in inlets[1:]:
            valid = valid & inlet.valid
        m.d.comb += [fire.eq(valid & queue.available), queue.reserve.eq(fire), *(i.ready.eq(fire) for i in inlets)]
        sums = []
        for lane in range(self.lanes_in):
            products: list[Value] = []
            for multiplier, spec, inlet in zip(self.multipliers, self.sources, inlets, strict=True):
                value = decoded(spec.dtype, inlet.payload.word_select(lane, spec.dtype.width)) * multiplier
                held = Signal(value.shape(), name="product", reset_less=True)
                m.d.sync += held.eq(value)
                products.append(held)
            sums.append(adder_tree(m, products)[: self.result.dtype.width])
        m.d.comb += [
            queue.push.eq(delay(m, fire, self.depth, "done", reset=True)),
            queue.data.eq(Cat(*sums)),
            *queue.offers(self.o),
        ]
        return m

    def timing(self) -> StageTiming:
        """One actor that needs a beat of every input."""
        one = pass_through(self.name, self.beats_in)
        joined = len(self.sources)
        actor = Actor(one.name, one.firings, one.need * joined, one.release * joined, one.produce)
        return StageTiming((actor,), (), (self.name,) * joined, self.name, self.capacity, self.latency)

    def resources(self) -> StageResources:
        """Products and adders as multiply-accumulates, registers, queue."""
        widths = [spec.dtype.width for spec in self.sources]
        macs = tuple(
            MacUse("multiplier", max(1, abs(m).bit_length()), width, self.result.dtype.width, self.source.size)
            for m, width in zip(self.multipliers, widths, strict=True)
        )
        width = len(self.o.payload)
        queue = MemoryUse(f"{self.name}_queue", width, self.capacity, self.beats_out, self.beats_out)
        registers = self.lanes_in * (sum(widths) + self.result.dtype.width * self.depth)
        return StageResources(macs, (queue,), registers)
