"""Delay lines."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, Value


def delay(m: Module, value: Value, cycles: int, name: str = "delayed", reset: bool = False) -> Value:
    """`value` that many cycles later; cleared by reset only when asked."""
    for cycle in range(cycles):
        later = Signal(value.shape(), name=f"{name}_{cycle + 1}", reset_less=not reset)
        m.d.sync += later.eq(value)
        value = later
    return value
