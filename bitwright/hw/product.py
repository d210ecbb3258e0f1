"""The ways to build a dot product of narrow integers, and what each keeps in memory and in its accumulator.

Bits are cheaper than multipliers: an operand is split into bit planes with integer coefficients, and the sum over two
planes is a population count of ANDs (BISMO, Umuroglu et al. 2018; Umuroglu and Jahre 2017). Where the planes
of both operands are many, a product is a multiplier, which FPGAs have as DSP blocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bitwright.graph import BIPOLAR, TERNARY, IntType, Linear
from bitwright.hw.accumulator import Accumulator

ProductKind = Literal["xnor", "masked_xnor", "planes", "multiply"]

MAX_PLANE_PAIRS = 6
"""Pairs of bit planes up to which popcounts take fewer LUTs than multipliers built of LUTs."""


@dataclass(frozen=True, eq=False)
class Product:
    """How one layer multiplies.

    `weight_planes` and `input_planes` are the coefficients of the bit planes as stored; for kind "multiply" each is
    one plane-less operand and the coefficients are empty. `centred` says that bipolar weights meet a multi-bit input:
    the register then needs twice the planes' sum less the sum of the inputs.
    """

    kind: ProductKind
    weight_type: IntType
    input_type: IntType
    weight_planes: tuple[int, ...]
    input_planes: tuple[int, ...]
    centred: bool
    accumulator: Accumulator

    @property
    def weight_bits(self) -> int:
        """Bits kept for one weight."""
        return len(self.weight_planes) if self.weight_planes else self.weight_type.width

    def weight_codes(self, weights: NDArray[Any]) -> NDArray[np.uint8]:
        """Weights (..., n) as planes of bits (..., weight_bits, n)."""
        planes: list[NDArray[Any]]
        if self.weight_type == BIPOLAR:
            planes = [weights > 0]
        elif self.kind == "masked_xnor":
            planes = [weights != 0, weights > 0]
        elif self.weight_type == TERNARY:
            planes = [weights > 0, weights < 0]
        else:
            codes = self.weight_type.encode(weights)
            planes = [(codes >> np.uint64(bit)) & np.uint64(1) for bit in range(self.weight_type.width)]
        return np.stack([np.asarray(plane, dtype=np.uint8) for plane in planes], axis=-2)


def binary_planes(dtype: IntType) -> tuple[int, ...]:
    """Coefficients of the bits of an integer type: powers of two, the last negative in two's complement."""
    coefficients = [1 << bit for bit in range(dtype.width)]
    if dtype.signed:
        coefficients[-1] = -coefficients[-1]
    return tuple(coefficients)


def choose_product(layer: Linear, input_type: IntType) -> Product:
    """The cheapest exact way to multiply this layer's weights with inputs of this type."""
    weights = layer.weights.astype(np.int64)
    outputs, inputs = weights.shape
    bias = np.zeros(outputs, dtype=np.int64) if layer.bias is None else layer.bias.astype(np.int64)
    weight_type = layer.weight_type
    bipolar_weights, bipolar_input = weight_type == BIPOLAR, input_type == BIPOLAR

    def product(
        kind: ProductKind,
        weight_planes: tuple[int, ...],
        input_planes: tuple[int, ...],
        register: IntType,
        scale: int,
        offset: NDArray[np.int64],
        centred: bool = False,
    ) -> Product:
        accumulator = Accumulator(register, scale, offset + bias)
        return Product(kind, weight_type, input_type, weight_planes, input_planes, centred, accumulator)

    if bipolar_input and bipolar_weights:
        return product("xnor", (1,), (1,), IntType(0, inputs), 2, np.full(outputs, -inputs, dtype=np.int64))
    if bipolar_input and weight_type == TERNARY:
        nonzero = np.count_nonzero(weights, axis=1).astype(np.int64)
        return product("masked_xnor", (1, 1), (1,), IntType(0, max(1, int(nonzero.max()))), 2, -nonzero)
    if bipolar_input:
        register = partial_sums(weights, IntType(0, 1))
        return product("planes", binary_planes(weight_type), (1,), register, 2, -weights.sum(axis=1))
    if bipolar_weights:
        register = partial_sums(weights, input_type)
        zero = np.zeros(outputs, dtype=np.int64)
        return product("planes", (1,), binary_planes(input_type), register, 1, zero, centred=True)
    register = partial_sums(weights, input_type)
    zero = np.zeros(outputs, dtype=np.int64)
    weight_planes = (1, -1) if weight_type == TERNARY else binary_planes(weight_type)
    pairs = len(weight_planes) * input_type.width
    if weight_type == TERNARY or min(weight_type.width, input_type.width) == 1 or pairs <= MAX_PLANE_PAIRS:
        return product("planes", weight_planes, binary_planes(input_type), register, 1, zero)
    return product("multiply", (), (), register, 1, zero)


def partial_sums(weights: NDArray[np.int64], input_type: IntType) -> IntType:
    """An interval that holds every partial sum of every channel, whatever the order of its terms."""
    products = np.stack([weights * input_type.lo, weights * input_type.hi])
    highest = np.maximum(products.max(axis=0), 0).sum(axis=1).max()
    lowest = np.minimum(products.min(axis=0), 0).sum(axis=1).min()
    return IntType(int(lowest), max(1, int(highest)))
