"""The portable popcount: `$countones`, the fastest form in simulators and the plain adder tree in synthesis."""

from __future__ import annotations

from bitwright.hw.popcount.ports import Kind, module_text

_TERMS: dict[Kind, str] = {"plain": "bits", "xnor": "~(x ^ w)", "and": "x & w"}


def modules(kind: Kind, bits: int) -> dict[str, str]:
    """The module as {name: text}."""
    width = bits.bit_length()
    body = [
        f"  wire [{bits - 1}:0] products = {_TERMS[kind]};",
        f"  assign count = {width}'($countones(products));",
    ]
    return module_text(kind, bits, body)
