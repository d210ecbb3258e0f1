"""A quick estimate of a layer's lookup tables, to rank foldings before anything is built.

The constants are rounded from Yosys results of this package's own cores (docs/benchmarks.md); the estimate ranks
foldings and guards a device's budget, `synthesize` measures.
"""

from __future__ import annotations

from math import lcm, prod
from weakref import WeakKeyDictionary

from bitwright.graph import (
    Add,
    ArgMax,
    Concat,
    Conv,
    Linear,
    MaxPool,
    Network,
    Operation,
    Requant,
    SumPool,
    TensorSpec,
    Threshold,
    TopK,
    Upsample,
)
from bitwright.graph.types import IntType
from bitwright.hw.conv import is_pointwise, matrix, on_image, window_schedule
from bitwright.hw.folding import LayerFolding
from bitwright.hw.fusion import follower
from bitwright.hw.product import Product, choose_product
from bitwright.hw.window_schedule import WindowSchedule

LUTS_PER_PAIR = {"xnor": 1.35, "masked_xnor": 1.7, "planes": 1.35}
LUTS_PER_PRODUCT_BIT = 1.1
"""Of a multiplier built of LUTs, per pair of operand bits, adder tree included."""
BITS_PER_ROM_LUT = 24
LUTS_PER_CONVERTER_BIT = 1.5
LUTS_PER_STAGE = 60

_PRODUCTS: WeakKeyDictionary[Operation, dict[IntType, Product]] = WeakKeyDictionary()


def product_of(layer: Linear | Conv, input_type: IntType) -> Product:
    """How a layer multiplies inputs of a type, found once for each layer."""
    known = _PRODUCTS.setdefault(layer, {})
    if input_type not in known:
        known[input_type] = choose_product(layer if isinstance(layer, Linear) else matrix(layer), input_type)
    return known[input_type]


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


def window_luts(schedule: WindowSchedule, word_bits: int) -> float:
    """Of a sliding-window unit: line buffer, one address for each read port, counters."""
    ports = schedule.pixels * schedule.taps
    address = max(1, (schedule.depth - 1).bit_length())
    return ports * (address * 6.0 + word_bits * (1.0 + schedule.depth / BITS_PER_ROM_LUT)) + 2 * LUTS_PER_STAGE


def matrix_luts(network: Network, op: Linear | Conv, folding: LayerFolding, source: TensorSpec) -> float:
    """Of a matrix-vector unit."""
    product = product_of(op, source.dtype)
    register = product.accumulator.register.width
    outputs = op.weights.shape[0]
    vector = op.weights.size // outputs
    lanes = folding.pe * folding.pixels
    buffer = 0.0
    groups = op.groups if isinstance(op, Conv) else 1
    if folding.pe < outputs // groups:
        buffer = 2 * vector * source.dtype.width / BITS_PER_ROM_LUT
    return (
        product_luts(product, lanes * folding.simd)
        + lanes * register * 1.2
        + folding.pixels * tail_luts(follower(network, op), register, folding.pe)
        + op.weights.size * product.weight_bits / BITS_PER_ROM_LUT
        + buffer
        + folding.simd * folding.pixels * source.dtype.width * 0.5
        + LUTS_PER_STAGE
    )


def layer_luts(network: Network, op: Operation, folding: LayerFolding) -> float:
    """Estimated lookup tables of one layer at a folding."""
    source, result = network.spec(op.inputs[0]), network.spec(op.output)
    width = source.dtype.width
    if isinstance(op, Linear):
        return matrix_luts(network, op, folding, source)
    if isinstance(op, Conv):
        cost = matrix_luts(network, op, folding, source)
        if is_pointwise(on_image(op.window(source))) and folding.pixels == 1:
            return cost
        schedule, word = window_schedule(op, source, folding)
        taken = folding.simd * max(1, folding.pe * op.groups // len(op.weights)) * folding.pixels
        given = word * schedule.pixels * schedule.taps
        return cost + window_luts(schedule, word * width) + converter_luts(width, given, taken)
    if isinstance(op, MaxPool | SumPool):
        window = op.window(source)
        each = folding.simd * result.dtype.width
        if window.kernel == window.stride and not window.padded and set(window.dilation) == {1}:
            rows = result.size // result.shape[0] if len(result.shape) == 3 else result.shape[-1]
            return each * 4.0 + rows * result.dtype.width / BITS_PER_ROM_LUT + 2 * LUTS_PER_STAGE
        words = source.shape[-1] // folding.simd
        schedule = WindowSchedule(on_image(window), words, words, 1, 1)
        return window_luts(schedule, folding.simd * width) + each * 3.0 + LUTS_PER_STAGE
    if isinstance(op, Threshold | Requant):
        return tail_luts(op, width, folding.pe) + LUTS_PER_STAGE
    if isinstance(op, Add):
        bits = sum(network.spec(tensor).dtype.width * abs(int(m)).bit_length() for tensor, m in zip(
            op.inputs, op.multipliers, strict=True
        ))  # fmt: skip
        return folding.simd * (bits + len(op.inputs) * result.dtype.width) + LUTS_PER_STAGE
    if isinstance(op, Concat):
        return folding.simd * result.dtype.width * len(op.inputs) + LUTS_PER_STAGE
    if isinstance(op, Upsample):
        row = source.size // source.shape[0] * width if len(op.factors) == 2 else source.shape[-1] * width
        return 2 * row / BITS_PER_ROM_LUT + folding.simd * width * prod(f > 1 for f in op.factors) + 2 * LUTS_PER_STAGE
    if isinstance(op, ArgMax | TopK):
        return folding.simd * width * 2.5 + LUTS_PER_STAGE
    return source.size * width * 1.2 + LUTS_PER_STAGE


def converter_luts(bits: int, lanes_from: int, lanes_to: int) -> float:
    """Estimated lookup tables between two lane counts of elements of `bits` bits."""
    if lanes_from == lanes_to:
        return 0.0
    return LUTS_PER_CONVERTER_BIT * bits * lcm(lanes_from, lanes_to) + 20
