"""What one stage does in a frame, as events a technology has a cost for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bitwright.energy.technology import Basis, Cost, Technology
from bitwright.errors import InputError
from bitwright.hw.resources import MacUse, MemoryUse, StageResources

PRODUCTS = "products"
ACCUMULATION = "accumulation"
COMPARES = "compares"
READS = "memory reads"
WRITES = "memory writes"
REGISTERS = "registers"


@dataclass(frozen=True)
class EnergyRow:
    """One kind of event of a stage: `count` a frame, `unit_pj` each, and what that figure rests on."""

    kind: str
    what: str
    count: float
    unit_pj: float
    basis: Basis

    @property
    def total_pj(self) -> float:
        """Picojoules a frame."""
        return self.count * self.unit_pj


def energy_rows(resources: StageResources, cycles_per_frame: float, technology: Technology) -> tuple[EnergyRow, ...]:
    """All events of a stage; a register bit counts in every cycle of a frame, which is an upper bound."""
    return tuple(
        EnergyRow(kind, what, count, cost.pj, cost.basis)
        for kind, what, count, cost in _events(resources, cycles_per_frame, technology)
        if count
    )


def _events(
    resources: StageResources, cycles_per_frame: float, technology: Technology
) -> Iterator[tuple[str, str, float, Cost]]:
    for use in resources.macs:
        yield PRODUCTS, _product_name(use), use.per_frame, product_cost(use, technology)
        dots = use.per_frame / use.dot_length
        additions = dots * (1 + _plane_additions(use))
        width = use.accumulator_width
        yield ACCUMULATION, f"{width}-bit add", additions, technology.int_add(width)
    if resources.compares_per_frame:
        width = resources.compare_width
        yield COMPARES, f"{width}-bit compare", resources.compares_per_frame, technology.int_add(width)
    for memory in resources.memories:
        yield from _memory_events(memory, technology)
    yield REGISTERS, "register bit in a cycle", resources.register_bits * cycles_per_frame, technology.register_bit()


def _memory_events(memory: MemoryUse, technology: Technology) -> Iterator[tuple[str, str, float, Cost]]:
    if memory.depth == 1 and not memory.writes_per_frame:
        return  # one word that never changes is wiring
    what = f"{memory.name} {memory.width} bit x {memory.depth}"
    yield READS, what, memory.reads_per_frame, technology.memory_read(memory.width, memory.depth)
    yield WRITES, what, memory.writes_per_frame, technology.memory_write(memory.width, memory.depth)


def _product_name(use: MacUse) -> str:
    return f"{use.weight_width} x {use.activation_width} bit {use.kind}"


def _plane_additions(use: MacUse) -> int:
    """Additions that join the sums of bit planes, beside the one to the accumulator."""
    return use.weight_width * use.activation_width - 1 if use.kind == "bit-plane" else 0


def product_cost(use: MacUse, technology: Technology) -> Cost:
    """One product and its share of the adder tree over the dot product.

    - xnor-popcount: an XNOR and a full adder of the population count;
    - ternary: an XNOR, an AND with the nonzero bit, a full adder;
    - bit-plane: an AND and a full adder for each pair of planes;
    - multiplier: a multiplication and an addition in the tree, as wide as the accumulator.
    """
    gate, full_adder = technology.gate(), technology.full_adder()
    if use.kind == "xnor-popcount":
        return gate + full_adder
    if use.kind == "ternary":
        return gate * 2 + full_adder
    if use.kind == "bit-plane":
        return (gate + full_adder) * (use.weight_width * use.activation_width)
    if use.kind == "multiplier":
        tree = technology.int_add(use.accumulator_width) if use.dot_length > 1 else Cost(0.0, "published")
        return technology.int_mul(use.weight_width, use.activation_width) + tree
    raise InputError(f"no energy is known for multiply-accumulates of kind '{use.kind}'")
