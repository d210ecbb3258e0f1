"""Popcounts for LUTs of 6 inputs before a carry chain (Xilinx 7-series: LUT6 and CARRY4).

Three products make a 2-bit count in two LUTs. Some products skip that step: a carry chain of two positions adds two
products, three of the resulting ones (one as carry in) and a two, with both LUTs full (`Unit.MIXED`). The rest is
`Unit.QUAD` chains, which take six bits to three in two LUTs. No block uses the second output of a LUT, so cells after
synthesis are LUTs on the device.
"""

from __future__ import annotations

from functools import lru_cache

from bitwright.hw.popcount.heap import Heap
from bitwright.hw.popcount.network import Lookup, Network, Product, Unit
from bitwright.hw.popcount.ports import Kind
from bitwright.hw.popcount.writer import Texts, kept, network_texts, product

_PREFIX = "popcount_lut6"
_CANDIDATES = 24


def cost(network: Network) -> int:
    """LUTs: one for each position of a chain, and those of the lookups."""
    return sum(op.cost if isinstance(op, Lookup) else op.positions for op in network.operations)


@lru_cache(maxsize=256)
def network(kind: Kind, bits: int) -> Network:
    """The cheapest network found, the shallower one of equals."""
    most = bits // 6 if kind == "plain" else bits // 4
    step = -(-most // _CANDIDATES) or 1
    build = _plain if kind == "plain" else _products
    found = [build(bits, choice) for choice in range(0, most + 1, step)]
    return min((net for net in found if net is not None), key=lambda net: (cost(net), net.levels))


def modules(kind: Kind, bits: int) -> Texts:
    """The modules of one popcount, by name."""
    return network_texts(network(kind, bits), kind, _PREFIX, _leaf)


def _plain(bits: int, sixes: int) -> Network:
    """`sixes` groups of six bits are counted by three LUTs each, the rest enters the chains as it is."""
    heap = Heap(bits)
    for group in range(sixes):
        heap.lookup("count6", tuple(Product(6 * group + k) for k in range(6)), (0, 1, 2), 3)
    for index in range(6 * sixes, bits):
        heap.add(0, Product(index), 0)
    return heap.reduce(quads=True, first_stage=0)


def _products(bits: int, mixed: int) -> Network | None:
    """`mixed` chains take two products each, the other products are counted by threes; None if that is impossible."""
    heap = Heap(bits)
    held = [Product(index) for index in range(2 * mixed)]
    for start in range(2 * mixed, bits, 3):
        group = tuple(Product(index) for index in range(start, min(start + 3, bits)))
        columns = (0, 1) if len(group) > 1 else (0,)
        heap.lookup(f"count{len(group)}", group, columns, len(columns))
    stage = 1
    while held:
        ready = heap.take_ready(stage)
        stuck = not heap.pending
        while held and len(ready) > 1 and len(ready[0]) >= 3 and ready[1]:
            operands = [held.pop(0), held.pop(0), ready[0].pop(0), ready[0].pop(0), ready[1].pop(0)]
            heap.chain(0, [Unit.MIXED], operands, ready[0].pop(0), stage)
            stuck = False
        for column, left in enumerate(ready):
            for operand in left:
                heap.add(column, operand, stage)
        if stuck:
            return None
        stage += 1
    return heap.reduce(quads=True, first_stage=1)


def _leaf(block: str, kind: Kind) -> tuple[str, str]:
    """Counters of products (1 to 3) or of six plain bits."""
    size = int(block.removeprefix("count"))
    name = f"{_PREFIX}_{kind}_{block}"
    if kind == "plain":
        terms, inputs = [f"i[{k}]" for k in range(size)], size
    else:
        terms, inputs = [product(kind, f"i[{2 * k}]", f"i[{2 * k + 1}]") for k in range(size)], 2 * size
    outputs = size.bit_length()
    wires = [f"wire p{k} = {term};" for k, term in enumerate(terms)]
    total = " + ".join(f"{outputs}'(p{k})" for k in range(size))
    table = [f"assign o = {total};"] if size < 4 else _table6()
    return name, kept(name, inputs, outputs, [*wires, *table])


def _table6() -> list[str]:
    """The count of p0 to p5 as truth tables: written with adders, synthesis would build adders."""
    lines = []
    for bit in range(3):
        table = sum(((index.bit_count() >> bit) & 1) << index for index in range(64))
        lines.append(f"wire [63:0] t{bit} = 64'h{table:016x};")
        lines.append(f"assign o[{bit}] = t{bit}[{{p5, p4, p3, p2, p1, p0}}];")
    return lines
