"""TopK in hardware: a sorted list that takes one element a cycle."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value

from bitwright.graph import TensorSpec
from bitwright.hw.accumulator import element_accumulator
from bitwright.hw.delay import delay
from bitwright.hw.leaf import Emitter
from bitwright.hw.pipeline import PipelineStage
from bitwright.hw.resources import StageResources


class TopKStage(PipelineStage):
    """Indices of the k largest elements, the largest first, the lower index first on ties; one beat of k indices.

    Each place of the list compares itself with the newcomer in the same cycle: a place that is better stays, the
    first that is not takes the newcomer, the others move down.
    """

    def __init__(self, name: str, source: TensorSpec, result: TensorSpec) -> None:
        super().__init__(name, source, 1, result, result.size, depth=2)

    def pipeline(self, m: Module, emitter: Emitter, fire: Value, count: Value, payload: Value) -> Value:
        """The element's register, then the list."""
        register = element_accumulator(self.source).register
        width = self.result.dtype.width
        newcomer = Signal(register.width, reset_less=True)
        m.d.sync += newcomer.eq(payload)
        value = newcomer.as_signed() if register.signed else newcomer
        index, valid = delay(m, count, 1, "index"), delay(m, fire, 1, "valid", reset=True)
        first = Signal(reset_less=True)
        m.d.sync += first.eq(count == 0)
        places = self.lanes_out
        held = [Signal(value.shape(), name=f"value_{place}", reset_less=True) for place in range(places)]
        held_index = [Signal(width, name=f"index_{place}", reset_less=True) for place in range(places)]
        filled = [Signal(name=f"filled_{place}", reset_less=True) for place in range(places)]
        stays = [Signal(name=f"stays_{place}") for place in range(places)]
        for place in range(places):
            m.d.comb += stays[place].eq(~first & filled[place] & (held[place] >= value))
            above_stays = stays[place - 1] if place else None
            with m.If(valid & ~stays[place]):
                if above_stays is None:
                    m.d.sync += [held[0].eq(value), held_index[0].eq(index), filled[0].eq(1)]
                else:
                    m.d.sync += [
                        held[place].eq(Mux(above_stays, value, held[place - 1])),
                        held_index[place].eq(Mux(above_stays, index, held_index[place - 1])),
                        filled[place].eq(Mux(above_stays, 1, filled[place - 1] & ~first)),
                    ]
        return Cat(*held_index)

    def resources(self) -> StageResources:
        """The list and its comparators."""
        element = self.source.dtype.width
        registers = element + self.lanes_out * (element + self.result.dtype.width + 1)
        compares = self.source.size * self.lanes_out
        return StageResources((), (self.queue_memory(),), registers, compares, element)
