"""Wide products as sums of the products that one DSP block makes in a cycle."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, Value

from bitwright.hw.adder_tree import adder_tree, adder_tree_latency

DSP_BITS = 17
"""Bits of an unsigned operand of an 18 x 18 signed multiplier, what ECP5 has; Xilinx and iCE40 have about the same."""


def _pieces(width: int) -> list[tuple[int, int]]:
    return [(start, min(width, start + DSP_BITS)) for start in range(0, width, DSP_BITS)]


def product_latency(a_width: int, b_width: int) -> int:
    """Cycles of `pipelined_product` for operands of these widths."""
    return 1 + adder_tree_latency(len(_pieces(a_width)) * len(_pieces(b_width)))


def pipelined_product(m: Module, a: Value, b: Value) -> Value:
    """The exact product, `product_latency(len(a), len(b))` cycles later.

    Operands are cut into pieces of `DSP_BITS`; the highest piece carries the sign. Every product of two pieces is
    registered, then they are added.
    """
    terms: list[Value] = []
    for a_start, a_end in _pieces(len(a)):
        for b_start, b_end in _pieces(len(b)):
            product = _piece(a, a_start, a_end) * _piece(b, b_start, b_end)
            held = Signal(product.shape(), name=f"product_{a_start}_{b_start}", reset_less=True)
            m.d.sync += held.eq(product)
            terms.append(held << (a_start + b_start))
    return adder_tree(m, terms)


def _piece(value: Value, start: int, end: int) -> Value:
    piece = value[start:end]
    return piece.as_signed() if value.shape().signed and end == len(value) else piece
