"""The bit heap and its reduction by carry chains to one bit a column.

The reduction goes in stages: a chain of one stage takes only bits that earlier stages made, so its delay is one LUT
and a carry ripple, and no carry run can feed itself. Greedy: chains that remove three bits with two positions first
(`QUAD`, Preusser, FPL 2017, in the form that needs no second LUT output), then chains of full adders that climb as
far as there are two bits a column, at last one adder with half adders.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bitwright.hw.popcount.network import Bit, Chain, Lookup, Network, Operand, Unit

Column = list[Operand]


class _Start:
    """Whether a chain may start in a column: enough operands for a carry in and a first unit."""

    def __init__(self, here: int, above: int) -> None:
        self.here = here
        self.above = above

    def __call__(self, ready: list[Column], column: int) -> bool:
        above = len(ready[column + 1]) if column + 1 < len(ready) else 0
        return len(ready[column]) >= self.here and above >= self.above


_fits_quad = _Start(5, 1)
_fits_full = _Start(3, 0)
_fits_half = _Start(2, 0)


@dataclass
class Heap:
    """A popcount under construction: operands not yet added, by column, each with the stage that can use it."""

    bits: int
    waiting: list[list[tuple[int, Operand]]] = field(init=False)
    operations: list[Lookup | Chain] = field(default_factory=list)
    made: int = 0

    def __post_init__(self) -> None:
        """Start empty, with a column for each bit of the count."""
        self.waiting = [[] for _ in range(self.bits.bit_length())]

    def add(self, column: int, operand: Operand, stage: int) -> None:
        """Put an operand into a column, usable from `stage` on."""
        self.waiting[column].append((stage, operand))

    def output(self, column: int, stage: int) -> Bit | None:
        """A new bit in the heap; None beyond the top column, where the count can have no one."""
        if column >= len(self.waiting):
            return None
        bit = Bit(self.made, column, stage)
        self.made += 1
        self.add(column, bit, stage)
        return bit

    def lookup(self, block: str, operands: tuple[Operand, ...], columns: tuple[int, ...], cost: int) -> None:
        """Place a block of LUTs at stage 0 that turns operands into one bit for each of `columns`."""
        outputs = tuple(bit for column in columns if (bit := self.output(column, 1)) is not None)
        self.operations.append(Lookup(block, operands, outputs, cost))

    def chain(
        self, column: int, units: list[Unit], operands: list[Operand], carry_in: Operand | None, stage: int
    ) -> None:
        """Place a carry chain whose outputs are usable at the next stage."""
        positions = sum(unit.columns for unit in units)
        outputs = tuple(self.output(column + place, stage + 1) for place in range(positions + 1))
        self.operations.append(Chain(column, tuple(units), tuple(operands), carry_in, outputs, stage))

    def take_ready(self, stage: int) -> list[Column]:
        """Remove and give what is usable at `stage`, by column, oldest first."""
        ready: list[Column] = []
        for column, waiting in enumerate(self.waiting):
            waiting.sort(key=lambda entry: entry[0])
            ready.append([operand for since, operand in waiting if since <= stage])
            self.waiting[column] = [entry for entry in waiting if entry[0] > stage]
        return ready

    @property
    def pending(self) -> bool:
        """Whether operands wait for a later stage."""
        return any(self.waiting)

    def reduce(self, quads: bool, first_stage: int) -> Network:
        """Add everything up; `quads` where the fabric has LUTs of 6 inputs before its carry."""
        stage = first_stage
        while True:
            ready = self.take_ready(stage)
            if not self.pending and all(len(column) <= 1 for column in ready):
                count = tuple(column[0] if column else None for column in ready)
                return Network(self.bits, tuple(self.operations), count)
            busy = self.pending
            placed = 0
            while quads and self._place(ready, _fits_quad, stage):
                placed += 1
            if not (quads and (busy or placed)):
                while self._place(ready, _fits_full, stage):
                    placed += 1
                if not placed and not busy:
                    self._place(ready, _fits_half, stage)
            for column, left in enumerate(ready):
                for operand in left:
                    self.add(column, operand, stage)
            stage += 1

    def _place(self, ready: list[Column], fits: _Start, stage: int) -> bool:
        """Build the longest chain from the lowest column where `fits` allows one."""
        for column in range(len(ready)):
            if fits(ready, column):
                carry_in = ready[column].pop(0) if len(ready[column]) > 2 else None
                units: list[Unit] = []
                operands: list[Operand] = []
                place = column
                while place < len(ready):
                    unit = _next_unit(ready, place, quads=fits is _fits_quad, last=fits is _fits_half)
                    if unit is None:
                        break
                    units.append(unit)
                    operands += _take(ready, place, unit)
                    place += unit.columns
                self.chain(column, units, operands, carry_in, stage)
                return True
        return False


def _next_unit(ready: list[Column], column: int, quads: bool, last: bool) -> Unit | None:
    here = len(ready[column])
    above = len(ready[column + 1]) if column + 1 < len(ready) else 0
    if quads and here >= 4 and above >= 1:
        return Unit.QUAD
    if here >= 2:
        return Unit.FULL
    return Unit.HALF if last and here == 1 else None


def _take(ready: list[Column], column: int, unit: Unit) -> list[Operand]:
    """Remove the operands of a unit: those of its own column, then the one above."""
    own = 4 if unit is Unit.QUAD else unit.operands
    taken = [ready[column].pop(0) for _ in range(own)]
    if unit is Unit.QUAD:
        taken.append(ready[column + 1].pop(0))
    return taken
