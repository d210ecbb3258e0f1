"""Names and ports that every fabric's popcount modules share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeGuard, get_args

Kind = Literal["plain", "xnor", "and"]
KINDS: tuple[Kind, ...] = get_args(Kind)


def is_kind(name: str) -> TypeGuard[Kind]:
    """Whether `name` is one of the kinds."""
    return name in KINDS


def module_name(kind: Kind, bits: int) -> str:
    """`popcount_N`, `xnor_popcount_N` or `and_popcount_N`."""
    return f"popcount_{bits}" if kind == "plain" else f"{kind}_popcount_{bits}"


def module_text(kind: Kind, bits: int, body: Iterable[str]) -> dict[str, str]:
    """The top module around a body, as {name: text}: in `bits` (or `x` and `w`), out `count`."""
    name = module_name(kind, bits)
    inputs = ["bits"] if kind == "plain" else ["x", "w"]
    ports = [f"  input wire [{bits - 1}:0] {port}" for port in inputs]
    ports.append(f"  output wire [{bits.bit_length() - 1}:0] count")
    head = f"module {name} (\n" + ",\n".join(ports) + "\n);\n"
    return {name: head + "".join(line + "\n" for line in body) + "endmodule\n"}
