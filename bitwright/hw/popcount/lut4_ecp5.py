"""Popcounts for LUTs of 4 inputs in front of a carry (ECP5: LUT4 and CCU2C).

A tree: groups of three products become 2-bit numbers, and every level adds pairs of numbers and one more product as
carry in, so that 7, 15, 31 and 63 products fill 3, 4, 5 and 6 bits. All of that is carry chains (`ccu2c`). Where the
number of products lies a little above such a size, groups of four counted by LUTs save the level that would be added.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from bitwright.hw.popcount.ccu2c import run_length, run_lines, runs
from bitwright.hw.popcount.network import Bit, Chain, Lookup, Network, Operand, Product, Unit
from bitwright.hw.popcount.ports import Kind, module_text
from bitwright.hw.popcount.writer import Texts, bundle, count_assignment, kept, product, wires

_PREFIX = "popcount_ecp5"
_GROUP = 4
"""Most products in a group at the foot of the tree."""
Number = tuple[Operand, ...]
"""Operands of columns 0, 1, 2, ..."""


def cost(network: Network) -> int:
    """LUTs: those of the lookups and two for each CCU2C."""
    lookups = sum(op.cost for op in network.operations if isinstance(op, Lookup))
    return lookups + sum(2 * -(-run_length(run) // 2) for run in runs(network))


@lru_cache(maxsize=256)
def network(bits: int) -> Network:
    """The tree over `bits` products, with as few levels as possible."""
    levels = 0
    while bits > _capacity(levels):
        levels += 1
    return _Tree(bits, levels).network


def modules(kind: Kind, bits: int) -> Texts:
    """The modules of one popcount, by name."""
    net = network(bits)
    texts: Texts = {}
    body: list[str] = []
    for number, operation in enumerate(op for op in net.operations if isinstance(op, Lookup)):
        name, text = _leaf(operation.block, kind)
        texts[name] = text
        nets = [net for operand in operation.operands for net in wires(kind, operand)]
        outputs = [f"b{bit.index}" for bit in operation.outputs]
        body.append(f"  wire {', '.join(outputs)};")
        body.append(f"  {name} l{number} (.i({bundle(nets)}), .o({bundle(outputs)}));")
    cells, lines, inverted = run_lines(net, kind)
    return texts | cells | module_text(kind, bits, [*body, *lines, count_assignment(net, kind, inverted)])


def _capacity(levels: int) -> int:
    """The products that a tree of so many levels of adders can count."""
    return ((_GROUP + 1) << levels) - 1


class _Tree:
    """Builds the operations; level 0 counts the groups."""

    def __init__(self, bits: int, levels: int) -> None:
        self.made = 0
        self.lookups: list[Lookup] = []
        self.chains: list[Chain] = []
        count = self._number(iter(range(bits)), bits, levels)
        self.chains.sort(key=lambda chain: chain.level)
        padded = (*count, *[None] * (bits.bit_length() - len(count)))
        self.network = Network(bits, (*self.lookups, *self.chains), padded)

    def _bit(self, column: int, level: int) -> Bit:
        self.made += 1
        return Bit(self.made - 1, column, level)

    def _lookup(self, block: str, operands: Number, columns: int, level: int) -> Number:
        outputs = tuple(self._bit(column, level) for column in range(columns))
        self.lookups.append(Lookup(block, operands, outputs, columns))
        return outputs

    def _chain(self, units: list[Unit], operands: list[Operand], carry: Operand, width: int, level: int) -> Number:
        outputs = tuple(self._bit(column, level + 1) for column in range(width))
        spare = (None,) * (len(units) + 1 - width)
        self.chains.append(Chain(0, tuple(units), tuple(operands), carry, (*outputs, *spare), level))
        return outputs

    def _number(self, products: Iterator[int], size: int, level: int) -> Number:
        """The count of the next `size` products."""
        if level == 0 or size <= 2:
            return self._group([Product(next(products)) for _ in range(size)])
        carry = Product(next(products))
        first = self._number(products, size // 2, level - 1)
        second = self._number(products, (size - 1) // 2, level - 1)
        units, operands = [], []
        for column, operand in enumerate(first):
            pair = [operand, *second[column : column + 1]]
            units.append(Unit.FULL if len(pair) == 2 else Unit.HALF)
            operands += pair
        return self._chain(units, operands, carry, size.bit_length(), level)

    def _group(self, products: list[Product]) -> Number:
        if len(products) < 2:
            return tuple(products)
        if len(products) == 3:
            return self._chain([Unit.FULL], list(products[1:]), products[0], 2, 0)
        pairs = [self._lookup("pair", tuple(products[k : k + 2]), 2, 1) for k in range(0, len(products), 2)]
        return pairs[0] if len(pairs) == 1 else self._lookup("merge", (*pairs[0], *pairs[1]), 3, 1)


def _leaf(block: str, kind: Kind) -> tuple[str, str]:
    """`pair`: two products as a 2-bit number; `merge`: the sum of two such numbers, each at most 2. A LUT a bit."""
    name = f"{_PREFIX}_{block}"
    if block == "merge":
        body = [
            "wire carry = i[0] & i[2];",
            "assign o = {i[1] & i[3], i[1] ^ i[3] ^ carry, i[0] ^ i[2]};",
        ]
        return name, kept(name, 4, 3, body)
    name = f"{_PREFIX}_{kind}_{block}"
    p, q = ("i[0]", "i[1]") if kind == "plain" else (product(kind, "i[0]", "i[1]"), product(kind, "i[2]", "i[3]"))
    return name, kept(name, 2 if kind == "plain" else 4, 2, [f"assign o = {{{p} & {q}, {p} ^ {q}}};"])
