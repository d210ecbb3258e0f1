"""Which multiplications become DSP blocks, and how many: what Yosys's `mul2dsp.v` does with a product.

A product becomes a block when both operands have at least two bits and it has at least `least_product` bits; operands
wider than the block are cut into pieces, each piece with its own block under the same conditions. An unsigned operand
beside a signed one has a bit more (its sign). In pyosys 0.70 every product on ECP5 is at least two by two bits, so even
2 x 2 becomes a block of 18 x 18; Xilinx 7 asks for products of nine bits, iCE40 UltraPlus for eleven.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from bitwright.hw.cost.memory import Family

LEAST_OPERAND = 2


@dataclass(frozen=True)
class Multiplier:
    """A DSP block: bits of its operands, the wider one first; `piece` is the first one's when several make a product.

    `signed_only`: it multiplies signed numbers, so that the pieces of an operand have a bit less.
    """

    widths: tuple[int, int]
    piece: int
    least_product: int = 0
    signed_only: bool = False


MULTIPLIERS: dict[Family, Multiplier] = {
    "ecp5": Multiplier((18, 18), 18),
    "ice40": Multiplier((16, 16), 16, least_product=11),
    "xilinx7": Multiplier((25, 18), 18, least_product=9, signed_only=True),
}


def dsp_blocks(
    family: Family, a_width: int, a_signed: bool, b_width: int, b_signed: bool, width: int | None = None
) -> int:
    """DSP blocks of one product as the cores write it; 0 where it is built of LUTs. `width` bits of it are used."""
    block = MULTIPLIERS[family]
    a, b = a_width + (b_signed and not a_signed), b_width + (a_signed and not b_signed)
    product = min(a_width + b_width, width or a_width + b_width)
    if block.signed_only and not (a_signed or b_signed):
        return _blocks(family, a + 1, b + 1, product) if _large(block, a, b, product) else 0
    return _blocks(family, a, b, product)


def _large(block: Multiplier, a: int, b: int, product: int) -> bool:
    return min(a, b) >= LEAST_OPERAND and product >= block.least_product


@lru_cache(maxsize=1 << 12)
def _blocks(family: Family, a: int, b: int, product: int, top: bool = True) -> int:
    """Of a product with operands of these widths; only the whole product has its wider operand first."""
    block = MULTIPLIERS[family]
    if top and a < b:
        a, b = b, a
    if not _large(block, a, b, product):
        return 0
    head = int(block.signed_only)
    if a > block.widths[0]:
        step = block.piece - head
        count = (a - block.widths[0] + step - 1) // step
        last = a - count * step
        piece = min(product, b + block.piece)
        return count * _blocks(family, block.piece, b, piece, False) + _blocks(family, last, b, b + last, False)
    if b > block.widths[1]:
        step = block.widths[1] - head
        count = (b - block.widths[1] + step - 1) // step
        last = b - count * step
        piece = min(product, a + block.widths[1])
        return count * _blocks(family, a, block.widths[1], piece, False) + _blocks(family, a, last, a + last, False)
    return 1
