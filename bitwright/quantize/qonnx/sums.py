"""The real meaning of integer sums."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from bitwright.quantize.qonnx.builder import Builder
from bitwright.quantize.qonnx.model import Array
from bitwright.quantize.qonnx.value import Scaled, plain_index


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


def add_bias(value: Scaled, bias: Array, terms: int) -> Scaled:
    """The value after a bias (channels,) that the executor adds inside its product, perhaps before `terms` others."""
    constant = torch.from_numpy(bias.astype(np.float32))
    exact = value.terms == 0 and np.array_equal(bias, np.rint(bias))

    def step(x: Tensor) -> Tensor:
        return x + constant if exact else x.double() + constant

    after = value.then_affine(step, 1.0, bias.astype(np.float64))
    return after if exact else replace(after, terms=max(terms, value.terms))
