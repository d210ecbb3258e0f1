"""Compressor networks: bits of known weight, lookups that make the first ones, carry chains that add them up.

A network is found for a fabric (`search`) and then written as SystemVerilog by that fabric's module. Weights are
given as their base-2 logarithm, called a column: column 2 counts fours.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True)
class Bit:
    """One wire of the heap: `column` is the base-2 logarithm of its weight, `level` the stage that makes it."""

    index: int
    column: int
    level: int


@dataclass(frozen=True)
class Product:
    """Input number `index`: one bit of column 0, the product x[index] * w[index] (or the bit itself when plain)."""

    index: int


Operand = Bit | Product


@dataclass(frozen=True)
class Lookup:
    """A block of plain lookup tables: it counts the operands into output bits. `cost` in LUTs."""

    block: str
    operands: tuple[Operand, ...]
    outputs: tuple[Bit, ...]
    cost: int


class Unit(Enum):
    """What one link of a carry chain adds to the carry that comes in; `columns` is how far it climbs."""

    HALF = "h"
    """One operand of column c."""
    FULL = "f"
    """Two operands of column c."""
    QUAD = "q"
    """Four operands of column c and one of column c + 1."""
    MIXED = "m"
    """Two products and two bits of column 0, and one bit of column 1."""

    @property
    def columns(self) -> int:
        """Columns covered, which is also the number of positions on the carry chain."""
        return 2 if self in (Unit.QUAD, Unit.MIXED) else 1

    @property
    def operands(self) -> int:
        """Operands taken, without the carry."""
        return {Unit.HALF: 1, Unit.FULL: 2, Unit.QUAD: 5, Unit.MIXED: 5}[self]


@dataclass(frozen=True)
class Chain:
    """A ripple-carry chain from `column` upwards: units in order, their operands in order, an operand as carry in.

    Gives one output bit for each position and one for the carry out; outputs are None where the value is known to
    be zero.
    """

    column: int
    units: tuple[Unit, ...]
    operands: tuple[Operand, ...]
    carry_in: Operand | None
    outputs: tuple[Bit | None, ...]
    level: int

    @property
    def positions(self) -> int:
        """Places on the carry chain."""
        return sum(unit.columns for unit in self.units)


@dataclass(frozen=True)
class Network:
    """A whole popcount: operations in an order in which every operand is made before it is used."""

    bits: int
    operations: tuple[Lookup | Chain, ...]
    count: tuple[Operand | None, ...]
    """The operand that is bit i of the count; None for a constant zero."""

    @property
    def levels(self) -> int:
        """Stages from the inputs to the last count bit."""
        return max((bit.level for bit in self.count if isinstance(bit, Bit)), default=0)
