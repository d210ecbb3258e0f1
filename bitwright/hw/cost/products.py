"""What processing elements are built of."""

from __future__ import annotations

from functools import cache

from bitwright.graph import IntType
from bitwright.hw.cost.memory import Family
from bitwright.hw.cost.tally import EXACT, Number, Tally
from bitwright.hw.popcount import Kind, lut4_ecp5, lut4_ice40, lut6
from bitwright.hw.processing_element import centre_width, chunks
from bitwright.hw.product import Product


def number(dtype: IntType) -> Number:
    """An integer type as bits and sign."""
    return dtype.width, dtype.signed


def popcount_luts(tally: Tally, kind: Kind, bits: int) -> int:
    """LUTs of a popcount module, which synthesis keeps as it is written."""
    return int(kind != "plain") if bits == 1 else _popcount_luts(tally.family, kind, bits)


@cache
def _popcount_luts(family: Family, kind: Kind, bits: int) -> int:
    if family == "ecp5":
        return lut4_ecp5.cost(lut4_ecp5.network(bits))
    if family == "ice40":
        return lut4_ice40.cost(lut4_ice40.network(kind, bits))
    return lut6.cost(lut6.network(kind, bits))


def count_products(
    tally: Tally, product: Product, simd: int, count: int, slices: int, words: int
) -> tuple[Number, bool]:
    """`count` dot products of processing elements over `slices` operands, without the accumulator.

    `words` is how many values the weights of an element take, 0 for any. Gives the dot product's type, and whether it
    comes from a DSP block that adds it up as well.
    """
    if product.kind == "multiply":
        a, b = number(product.input_type), number(product.weight_type)
        absorbed = tally.product(a, b, simd * count, values=words, sharers=max(1, count // slices))
        dot = tally.tree([((a[0] + b[0], a[1] or b[1]), 0)] * simd, count, absorbed=absorbed)
        return dot, absorbed and simd == 1
    kinds: dict[str, Kind] = {"xnor": "xnor", "masked_xnor": "plain", "planes": "and"}
    pairs = [1] if product.kind != "planes" else [w * x for w in product.weight_planes for x in product.input_planes]
    operands: list[tuple[Number, int]] = []
    for start, end in chunks(simd):
        bits = end - start
        tally.add(EXACT, popcount_luts(tally, kinds[product.kind], bits) * len(pairs) * count)
        operands += [((bits.bit_length() + (c < 0), c < 0), abs(c).bit_length() - 1) for c in pairs]
        tally.add("negation", count * bits.bit_length() * sum(c < 0 for c in pairs))
    if product.kind == "masked_xnor":
        tally.add("masked product", simd * count)
    return tally.tree(operands, count), False


def count_input_sums(tally: Tally, product: Product, simd: int, count: int) -> None:
    """`count` sums of a beat's inputs."""
    operands: list[tuple[Number, int]] = []
    for start, end in chunks(simd):
        bits = end - start
        tally.add(EXACT, popcount_luts(tally, "plain", bits) * len(product.input_planes) * count)
        operands += [((bits.bit_length() + (c < 0), c < 0), abs(c).bit_length() - 1) for c in product.input_planes]
    tally.tree(operands, count)


def count_elements(tally: Tally, product: Product, *, simd: int, count: int, slices: int, words: int) -> None:
    """`count` processing elements, and the sums of inputs of `slices` operands where the product needs them.

    A vector of a single beat keeps its accumulators: synthesis does not see that they always start anew.
    """
    dot, absorbed = count_products(tally, product, simd, count, slices, words)
    if absorbed:
        return
    register = number(product.accumulator.register)
    operands: list[tuple[Number, int]] = [(dot, int(product.centred))]
    if product.centred:
        count_input_sums(tally, product, simd, slices)
        operands.append(((centre_width(product, simd), True), 0))
    if tally.family != "xilinx7":
        tally.add("accumulator", count * register[0])
    elif len(operands) == 1:
        # The LUT that adds a bit of the dot product also clears the sum where it starts.
        tally.sum(register[0], count)
        return
    tally.sums([*operands, (register, 0)], register[0], count)
