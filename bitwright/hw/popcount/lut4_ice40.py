"""Popcounts for LUTs of 4 inputs whose carry adds two of them (iCE40: SB_LUT4 and SB_CARRY).

Five products become a one and two twos in six LUTs: the parity t of each of two pairs, z the fifth product, the sum
s = z ^ t1 ^ t2 in one LUT, and each pair's carry `t ? other bits : first product` in one LUT, which takes the running
parity before the first pair and after the second. Everything after that is full adders on carry chains, as long as
they get, since a chain pays one LUT to bring its last carry out.
"""

from __future__ import annotations

from functools import lru_cache

from bitwright.hw.popcount.heap import Heap
from bitwright.hw.popcount.network import Lookup, Network, Product
from bitwright.hw.popcount.ports import Kind
from bitwright.hw.popcount.writer import Texts, kept, network_texts, product

_PREFIX = "popcount_ice40"


def cost(network: Network) -> int:
    """LUTs: those of the lookups, one for each position of a chain and one for each carry that leaves a chain."""
    return sum(
        op.cost if isinstance(op, Lookup) else op.positions + (op.outputs[-1] is not None) for op in network.operations
    )


@lru_cache(maxsize=256)
def network(kind: Kind, bits: int) -> Network:
    """The compressor network."""
    heap = Heap(bits)
    products = [Product(index) for index in range(bits)]
    if kind == "plain":
        for operand in products:
            heap.add(0, operand, 0)
        return heap.reduce(quads=False, first_stage=0)
    fives = bits // 5
    for group in range(fives):
        heap.lookup("count5", tuple(products[5 * group : 5 * group + 5]), (0, 1, 1), 6)
    for operand in products[5 * fives :]:
        heap.lookup("count1", (operand,), (0,), 1)
    return heap.reduce(quads=False, first_stage=1)


def modules(kind: Kind, bits: int) -> Texts:
    """The modules of one popcount, by name."""
    return network_texts(network(kind, bits), kind, _PREFIX, _leaf)


def _leaf(block: str, kind: Kind) -> tuple[str, str]:
    """`count1`, a product; `count5`, five products as a one and two twos."""
    name = f"{_PREFIX}_{kind}_{block}"
    terms = [product(kind, f"i[{2 * k}]", f"i[{2 * k + 1}]") for k in range(int(block.removeprefix("count")))]
    if block == "count1":
        return name, kept(name, 2, 1, [f"assign o = {terms[0]};"])
    body = [
        f"wire z = {terms[0]};",
        f"wire t1 = {terms[1]} ^ {terms[2]};",
        f"wire t2 = {terms[3]} ^ {terms[4]};",
        "wire s = z ^ t1 ^ t2;",
        f"wire carry1 = t1 ? z : {terms[1]};",
        f"wire carry2 = t2 ? ~s : {terms[3]};",
        "assign o = {carry2, carry1, s};",
    ]
    return name, kept(name, 10, 3, body)
