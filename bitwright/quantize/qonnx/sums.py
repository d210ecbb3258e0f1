"""The real meaning of integer sums."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from bitwright.graph import Conv, Linear
from bitwright.quantize.qonnx.builder import Builder
from bitwright.quantize.qonnx.model import Array
from bitwright.quantize.qonnx.value import Scaled, plain_index

MAX_BIAS = 1 << 24
"""Whole numbers beyond this are not exact in float32."""


def sums(
    builder: Builder,
    tensor: str,
    shape: tuple[int, ...],
    bounds: tuple[Array, Array],
    value: Scaled,
    slope: Array,
    offset: Array,
    fan_in: int,
    exact: bool,
) -> Scaled:
    """The value of integer sums of `value`; each of `fan_in` products, real = slope * sum + offset."""
    factor, shift = torch.from_numpy(slope), torch.from_numpy(offset)

    def real(integers: Tensor) -> Tensor:
        reals = integers * factor + shift
        return reals.float() if exact else reals

    return Scaled(
        tensor=tensor,
        shape=shape,
        dtype=builder.specs[tensor].dtype,
        lo=bounds[0],
        hi=bounds[1],
        index=plain_index(shape),
        steps=(real,),
        slope=slope,
        offset=offset,
        terms=0 if exact else fan_in + value.terms,
    )


def with_integer_bias(builder: Builder, value: Scaled, constant: Array) -> Scaled | None:
    """The value after an Add of a constant (channels,), taken in by the Linear or Conv before it.

    That is so where the sums are exact, the constant is a whole number of their steps, and no operation reads them yet;
    None otherwise.
    """
    slope, offset = value.parts() if value.affine else (None, None)
    place = len(builder.operations) - 1
    operation = builder.operations[place] if place >= 0 else None
    if slope is None or value.terms or np.any(slope == 0) or np.any(offset) or len(value.steps) != 1:
        return None
    if not isinstance(operation, Linear | Conv) or operation.output != value.tensor or operation.bias is not None:
        return None
    bias = constant.astype(np.float64) / slope
    if not np.array_equal(bias, np.rint(bias)) or np.abs(bias).max() >= MAX_BIAS:
        return None
    whole = bias.astype(np.int64)
    builder.operations[place] = replace(operation, bias=whole)
    spec = builder.operations[place].infer(*(builder.specs[source] for source in operation.inputs))
    builder.specs[value.tensor] = spec
    builder.shifted[value.tensor] = whole
    return replace(value, dtype=spec.dtype, lo=value.lo + whole, hi=value.hi + whole)


def add_bias(builder: Builder, value: Scaled, bias: Array, terms: int) -> Scaled:
    """The value after a bias (channels,) that the executor adds inside its product, perhaps before `terms` others."""
    taken_in = with_integer_bias(builder, value, bias)
    if taken_in is not None:
        builder.shifted.clear()
        return taken_in
    constant = torch.from_numpy(bias.astype(np.float32))
    exact = value.terms == 0 and np.array_equal(bias, np.rint(bias))

    def step(x: Tensor) -> Tensor:
        return x + constant if exact else x.double() + constant

    after = value.then_affine(step, 1.0, bias.astype(np.float64))
    return after if exact else replace(after, terms=max(terms, value.terms))
