"""Permute in hardware: a gather whose order is the permutation."""

from __future__ import annotations

from bitwright.graph import Permute, TensorSpec
from bitwright.hw.gather import Gather


def permute_stage(
    name: str, op: Permute, source: TensorSpec, result: TensorSpec, lanes_in: int, lanes_out: int
) -> Gather:
    """The stage of one Permute."""
    return Gather(name, source, result, op.order, lanes_in, lanes_out)
