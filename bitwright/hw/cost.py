"""A quick estimate of a layer's lookup tables, to rank foldings before anything is built.

The constants are rounded from Yosys results of this package's own cores (docs/benchmarks.md); the estimate ranks
foldings and guards a device's budget, `synthesize` measures.
"""

from __future__ import annotations

from math import lcm

from bitwright.graph import ArgMax, Linear, Network, Operation, Requant, Threshold, TopK
from bitwright.hw.folding import LayerFolding
from bitwright.hw.fusion import follower
from bitwright.hw.product import Product, choose_product

LUTS_PER_PAIR = {"xnor": 1.35, "masked_xnor": 1.7, "planes": 1.35}
LUTS_PER_PRODUCT_BIT = 1.1
"""Of a multiplier built of LUTs, per pair of operand bits, adder tree included."""
BITS_PER_ROM_LUT = 24
LUTS_PER_CONVERTER_BIT = 1.5
LUTS_PER_STAGE = 60


def product_luts(product: Product, lanes: int) -> float:
    """Of `lanes` multiply-accumulates a cycle."""
    if product.kind == "multiply":
        return lanes * LUTS_PER_PRODUCT_BIT * product.weight_type.width * product.input_type.width
    pairs = 1 if product.kind == "masked_xnor" else len(product.weight_planes) * len(product.input_planes)
    return lanes * LUTS_PER_PAIR[product.kind] * pairs


def tail_luts(op: Operation | None, register_width: int, lanes: int) -> float:
    """Of thresholds, requantization or output behind `lanes` accumulators."""
    if isinstance(op, Threshold):
        steps = op.steps if op.steps <= 3 else op.steps.bit_length()
        return lanes * steps * (register_width * 0.7 + 2)
    if isinstance(op, Requant):
        return lanes * register_width * 14.0
    return lanes * register_width * 1.0


def layer_luts(network: Network, op: Operation, folding: LayerFolding) -> float:
    """Estimated lookup tables of one layer at a folding."""
    spec = network.spec(op.inputs[0])
    if isinstance(op, Linear):
        product = choose_product(op, spec.dtype)
        register = product.accumulator.register.width
        weights = op.weights.size * product.weight_bits / BITS_PER_ROM_LUT
        buffer = 2 * spec.shape[-1] * spec.dtype.width / BITS_PER_ROM_LUT + folding.simd * spec.dtype.width * 0.5
        return (
            product_luts(product, folding.pe * folding.simd)
            + folding.pe * register * 1.2
            + tail_luts(follower(network, op), register, folding.pe)
            + weights
            + buffer
            + LUTS_PER_STAGE
        )
    width = spec.dtype.width
    if isinstance(op, Threshold | Requant):
        return tail_luts(op, width, folding.pe) + LUTS_PER_STAGE
    if isinstance(op, ArgMax | TopK):
        return folding.simd * width * 2.5 + LUTS_PER_STAGE
    return spec.size * width * 1.2 + LUTS_PER_STAGE


def converter_luts(bits: int, lanes_from: int, lanes_to: int) -> float:
    """Estimated lookup tables between two lane counts of elements of `bits` bits."""
    if lanes_from == lanes_to:
        return 0.0
    return LUTS_PER_CONVERTER_BIT * bits * lcm(lanes_from, lanes_to) + 20
