"""Sums of many operands, with a register after every few levels of adders."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Module, Signal, Value

LEVELS_PER_REGISTER = 2


def adder_tree_latency(operands: int) -> int:
    """Cycles of `adder_tree` over that many operands: none for one operand."""
    levels = max(0, (operands - 1).bit_length())
    return -(-levels // LEVELS_PER_REGISTER)


def adder_tree(m: Module, operands: Sequence[Value | tuple[Value, int]]) -> Value:
    """The exact sum of the operands, `adder_tree_latency(len(operands))` cycles later.

    An operand may come with a shift to the left; bits that are 0 for sure are neither added nor kept.
    """
    values = [one if isinstance(one, tuple) else (one, 0) for one in operands]
    level = 0
    while len(values) > 1:
        level += 1
        sums: list[tuple[Value, int]] = []
        for (a, shift_a), (b, shift_b) in zip(values[::2], values[1::2], strict=False):
            least = min(shift_a, shift_b)
            sums.append(((a << (shift_a - least)) + (b << (shift_b - least)), least))
        if len(values) % 2:
            sums.append(values[-1])
        registered = level % LEVELS_PER_REGISTER == 0 or len(sums) == 1
        held: list[tuple[Value, int]] = []
        for index, (value, shift) in enumerate(sums):
            signal = Signal(value.shape(), name=f"sum_{level}_{index}", reset_less=True)
            (m.d.sync if registered else m.d.comb).__iadd__(signal.eq(value))
            held.append((signal, shift))
        values = held
    (total, shift) = values[0]
    return total << shift if shift else total
