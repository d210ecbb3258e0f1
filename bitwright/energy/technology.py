"""A technology: what one event costs, as published figures with their sources and rules for what lies between them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from bitwright.errors import InputError

Basis = Literal["published", "interpolated", "extrapolated", "assumed"]

_ORDER: tuple[Basis, ...] = ("published", "interpolated", "extrapolated", "assumed")


def weakest(*bases: Basis) -> Basis:
    """The basis of a figure made of several: that of its weakest part."""
    return max(bases, key=_ORDER.index)


@dataclass(frozen=True)
class Cost:
    """Energy of one event in picojoules, and what the figure rests on."""

    pj: float
    basis: Basis

    def __mul__(self, factor: float) -> Cost:
        """So many events of this cost."""
        return Cost(self.pj * factor, self.basis)

    def __add__(self, other: Cost) -> Cost:
        """Both events."""
        return Cost(self.pj + other.pj, weakest(self.basis, other.basis))


@dataclass(frozen=True)
class Point:
    """One figure of a table: `pj` at `size` (bits, product of bits, or bytes), and where it comes from."""

    size: float
    pj: float
    source: str
    basis: Basis = "published"


@dataclass(frozen=True)
class Technology:
    """Energy of each kind of event in one process. All figures in picojoules; none includes leakage.

    `adds`: integer addition by operand bits. `multiplies`: integer multiplication by the product of the operands'
    bits. `memory_reads`: reading a word of 64 bits by memory size in bytes. `register_bit`: one flip-flop in one
    cycle. `notes` say what is borrowed or assumed.
    """

    name: str
    node_nm: int
    voltage: float
    source: str
    adds: tuple[Point, ...]
    multiplies: tuple[Point, ...]
    memory_reads: tuple[Point, ...]
    register_bit_point: Point
    notes: tuple[str, ...]

    def int_add(self, bits: int) -> Cost:
        """Addition of two integers: a straight line between published widths, through 0 at width 0."""
        _check("bits", bits)
        return _line(self.adds, bits)

    def int_mul(self, bits_a: int, bits_b: int) -> Cost:
        """Multiplication: a power law in bits_a * bits_b through the published points, proportional with only one."""
        _check("bits", min(bits_a, bits_b))
        return _power(self.multiplies, bits_a * bits_b)

    def gate(self) -> Cost:
        """A two-input gate (AND, XNOR): a fifth of an adder's bit, as a full adder is five such gates."""
        narrowest = self.adds[0]
        return Cost(narrowest.pj / narrowest.size / 5, "assumed")

    def full_adder(self) -> Cost:
        """One full adder, as in a population count: one bit of the narrowest published adder."""
        narrowest = self.adds[0]
        return Cost(narrowest.pj / narrowest.size, "assumed")

    def memory_read(self, width: int, depth: int) -> Cost:
        """One word of `width` bits from a memory of `depth` words.

        The memory is taken as slices of 64 bits side by side, each with a power law in its bytes between and beyond
        the published sizes; the last slice counts by its width.
        """
        _check("width", width)
        _check("depth", depth)
        slice_cost = _power(self.memory_reads, 8 * depth)
        basis: Basis = slice_cost.basis if width == 64 else weakest(slice_cost.basis, "interpolated")
        return Cost(slice_cost.pj * width / 64, basis)

    def memory_write(self, width: int, depth: int) -> Cost:
        """One word written: taken to cost what reading it does."""
        return Cost(self.memory_read(width, depth).pj, "assumed")

    def register_bit(self) -> Cost:
        """One flip-flop in one cycle, clocked and toggling."""
        return Cost(self.register_bit_point.pj, self.register_bit_point.basis)


def _check(what: str, value: int) -> None:
    if value < 1:
        raise InputError(f"an energy figure needs {what} of at least 1, not {value}")


def _line(points: tuple[Point, ...], size: float) -> Cost:
    for point in points:
        if point.size == size:
            return Cost(point.pj, point.basis)
    knots = [(0.0, 0.0), *((point.size, point.pj) for point in points)]
    index = next((i for i, (x, _) in enumerate(knots) if x > size), len(knots) - 1)
    (x0, y0), (x1, y1) = knots[index - 1], knots[index]
    basis: Basis = "interpolated" if points[0].size < size < points[-1].size else "extrapolated"
    return Cost(y0 + (y1 - y0) * (size - x0) / (x1 - x0), basis)


def _power(points: tuple[Point, ...], size: float) -> Cost:
    for point in points:
        if point.size == size:
            return Cost(point.pj, point.basis)
    if len(points) == 1:
        return Cost(points[0].pj * size / points[0].size, "extrapolated")
    index = next((i for i, point in enumerate(points) if point.size > size), len(points) - 1)
    high = max(index, 1)
    a, b = points[high - 1], points[high]
    exponent = math.log(b.pj / a.pj) / math.log(b.size / a.size)
    basis: Basis = "interpolated" if points[0].size < size < points[-1].size else "extrapolated"
    return Cost(float(a.pj * (size / a.size) ** exponent), basis)
