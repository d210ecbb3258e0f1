"""Networks as SystemVerilog: wires, instances of leaf blocks, and the leaf of a carry chain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import assert_never

from bitwright.hw.popcount.network import Bit, Chain, Lookup, Network, Operand, Product, Unit
from bitwright.hw.popcount.ports import Kind, module_text

Texts = dict[str, str]
"""Modules by name."""


def wires(kind: Kind, operand: Operand) -> list[str]:
    """The nets that carry an operand: one, or the two factors of a product."""
    if isinstance(operand, Bit):
        return [f"b{operand.index}"]
    if kind == "plain":
        return [f"bits[{operand.index}]"]
    return [f"x[{operand.index}]", f"w[{operand.index}]"]


def bundle(nets: Sequence[str]) -> str:
    """A concatenation whose bit 0 is the first net."""
    return nets[0] if len(nets) == 1 else "{" + ", ".join(reversed(nets)) + "}"


def product(kind: Kind, x: str, w: str) -> str:
    """The expression of one product."""
    return f"~({x} ^ {w})" if kind == "xnor" else f"({x} & {w})"


def kept(name: str, inputs: int, outputs: int, body: Sequence[str], carry_in: bool = False) -> str:
    """A leaf that synthesis keeps as it is: ports `i` (and `c`), `o`."""
    ports = [f"input wire [{inputs - 1}:0] i"]
    if carry_in:
        ports.append("input wire c")
    ports.append(f"output wire [{outputs - 1}:0] o")
    lines = "".join(f"  {line}\n" for line in body)
    return f"(* keep_hierarchy *)\nmodule {name} ({', '.join(ports)});\n{lines}endmodule\n"


def chain_leaf(prefix: str, kind: Kind, chain: Chain) -> tuple[str, str]:
    """Name and text of a chain written as one addition, whose first operand every fabric takes to its carry."""
    outputs = sum(bit is not None for bit in chain.outputs)
    code = "".join(unit.value for unit in chain.units)
    has_products = Unit.MIXED in chain.units
    name = f"{prefix}_{kind}_chain_{code}" if has_products else f"{prefix}_chain_{code}"
    name += f"_{'c' if chain.carry_in is not None else ''}{outputs}"
    first: list[str] = []
    second: list[str] = []
    taken = 0

    def take(count: int) -> list[str]:
        nonlocal taken
        taken += count
        return [f"i[{index}]" for index in range(taken - count, taken)]

    for unit in chain.units:
        match unit:
            case Unit.HALF:
                first += take(1)
                second.append("1'b0")
            case Unit.FULL:
                a, b = take(2)
                first.append(a)
                second.append(b)
            case Unit.QUAD | Unit.MIXED:
                if unit is Unit.MIXED:
                    x0, w0, x1, w1, r = take(5)
                    p, q = product(kind, x0, w0), product(kind, x1, w1)
                else:
                    p, q, r = take(3)
                first += take(2)
                second += [f"{p} ^ {q} ^ {r}", f"({p} & {q}) | ({p} & {r}) | ({q} & {r})"]
            case _:
                assert_never(unit)
    padding = ["1'b0"] * (outputs - len(first))
    carry = f" + {outputs}'(c)" if chain.carry_in is not None else ""
    body = [
        f"wire [{outputs - 1}:0] first = {bundle(first + padding)};",
        f"wire [{outputs - 1}:0] second = {bundle(second + padding)};",
        f"assign o = first + second{carry};",
    ]
    return name, kept(name, taken, outputs, body, chain.carry_in is not None)


def network_texts(
    network: Network, kind: Kind, prefix: str, lookup_leaf: Callable[[str, Kind], tuple[str, str]]
) -> Texts:
    """The network as modules: the leaves, and the top that connects them.

    `lookup_leaf(block, kind)` gives name and text of a lookup block.
    """
    texts: Texts = {}
    body: list[str] = []
    for number, operation in enumerate(network.operations):
        if isinstance(operation, Lookup):
            name, text = lookup_leaf(operation.block, kind)
            carry = ""
        else:
            name, text = chain_leaf(prefix, kind, operation)
            carry = "" if operation.carry_in is None else f".c({wires(kind, operation.carry_in)[0]}), "
        texts[name] = text
        outputs = [f"b{bit.index}" for bit in operation.outputs if bit is not None]
        nets = [net for operand in operation.operands for net in wires(kind, operand)]
        body.append(f"  wire {', '.join(outputs)};")
        body.append(f"  {name} u{number} (.i({bundle(nets)}), {carry}.o({bundle(outputs)}));")
    return texts | module_text(kind, network.bits, [*body, count_assignment(network, kind)])


def count_assignment(network: Network, kind: Kind, inverted: frozenset[int] = frozenset()) -> str:
    """The line that drives `count`; bits whose index is in `inverted` are complemented."""
    nets = []
    for operand in network.count:
        if operand is None:
            nets.append("1'b0")
        elif isinstance(operand, Product) and kind != "plain":
            nets.append(product(kind, *wires(kind, operand)))
        else:
            flip = isinstance(operand, Bit) and operand.index in inverted
            nets.append(("~" if flip else "") + wires(kind, operand)[0])
    return f"  assign count = {bundle(nets)};"
