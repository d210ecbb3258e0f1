"""Delay lines."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal, Value


def delay(m: Module, value: Value, cycles: int, name: str = "delayed", reset: bool = False) -> Value:
    """`value` that many cycles later; cleared by reset only when asked.

    A bit goes through one shift register, which a simulator moves on at once.
    """
    if cycles and len(value) == 1:
        line = Signal(cycles, name=f"{name}_line", reset_less=not reset)
        m.d.sync += line.eq(Cat(value, line[: cycles - 1]))
        return line[cycles - 1]
    for cycle in range(cycles):
        later = Signal(value.shape(), name=f"{name}_{cycle + 1}", reset_less=not reset)
        m.d.sync += later.eq(value)
        value = later
    return value
