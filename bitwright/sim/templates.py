"""Texts with @name@ places, for the C++ and Verilog that simulators are built from."""

from __future__ import annotations


def fill(template: str, **values: object) -> str:
    """`template` with every @name@ replaced."""
    for name, value in values.items():
        template = template.replace(f"@{name}@", str(value))
    return template
