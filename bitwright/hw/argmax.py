"""ArgMax in hardware: a pipelined tournament over the lanes, then the best beat of the frame."""

from __future__ import annotations

from amaranth.hdl import Const, Module, Mux, Signal, Value

from bitwright.graph import TensorSpec
from bitwright.hw.accumulator import Accumulator, element_accumulator
from bitwright.hw.delay import delay
from bitwright.hw.leaf import Emitter
from bitwright.hw.pipeline import PipelineStage
from bitwright.hw.resources import StageResources


class ArgMaxStage(PipelineStage):
    """Index of the largest element, the lowest on ties.

    A beat's lanes meet in pairs, one round a cycle, the left one winning ties; the winner of the beat then meets the
    best of the frame's earlier beats, which wins ties. With one lane there are no rounds.
    """

    def __init__(self, name: str, source: TensorSpec, result: TensorSpec, lanes: int) -> None:
        self.rounds = (lanes - 1).bit_length()
        super().__init__(name, source, lanes, result, 1, depth=2 + self.rounds)

    @property
    def elements(self) -> Accumulator:
        """The sign and width of the elements as they travel."""
        return element_accumulator(self.source)

    def pipeline(self, m: Module, emitter: Emitter, fire: Value, count: Value, payload: Value) -> Value:
        """Register, rounds, best of the frame."""
        width, register = self.source.dtype.width, self.elements.register
        entrants: list[tuple[Value, Value]] = []
        for lane in range(self.lanes_in):
            value = Signal(register.width, name=f"value_{lane}", reset_less=True)
            m.d.sync += value.eq(payload[lane * width : (lane + 1) * width])
            entrants.append((value.as_signed() if register.signed else value, Const(lane, max(1, self.rounds))))
        for turn in range(self.rounds):
            entrants = [self._meet(m, turn, pair, entrants) for pair in range((len(entrants) + 1) // 2)]
        value, lane = entrants[0]
        age = 1 + self.rounds
        index = Signal(self.result.dtype.width)
        m.d.comb += index.eq(delay(m, count, age, "beat") * self.lanes_in + lane if self.period > 1 else lane)
        first = delay(m, count == 0, age, "first")
        best = Signal(value.shape(), reset_less=True)
        best_index = Signal(self.result.dtype.width, reset_less=True)
        with m.If(delay(m, fire, age, "valid", reset=True) & (first | (value > best))):
            m.d.sync += [best.eq(value), best_index.eq(index)]
        return best_index

    def _meet(self, m: Module, turn: int, pair: int, entrants: list[tuple[Value, Value]]) -> tuple[Value, Value]:
        left_value, left_lane = entrants[2 * pair]
        value = Signal(left_value.shape(), name=f"value_{turn}_{pair}", reset_less=True)
        lane = Signal(len(left_lane), name=f"lane_{turn}_{pair}", reset_less=True)
        if 2 * pair + 1 == len(entrants):
            m.d.sync += [value.eq(left_value), lane.eq(left_lane)]
        else:
            right_value, right_lane = entrants[2 * pair + 1]
            right_wins = right_value > left_value
            m.d.sync += [
                value.eq(Mux(right_wins, right_value, left_value)),
                lane.eq(Mux(right_wins, right_lane, left_lane)),
            ]
        return value, lane

    def resources(self) -> StageResources:
        """Comparators and the registers of the rounds."""
        element = self.source.dtype.width + self.rounds
        registers = 2 * self.lanes_in * element
        return StageResources(
            (), (self.queue_memory(),), registers, compares_per_frame=self.source.size, compare_width=element
        )
