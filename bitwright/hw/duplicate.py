"""Duplicate in hardware: a gather that reads the copied elements again after the whole vector."""

from __future__ import annotations

import numpy as np

from bitwright.graph import Duplicate, TensorSpec
from bitwright.hw.gather import Gather


def duplicate_stage(
    name: str, op: Duplicate, source: TensorSpec, result: TensorSpec, lanes_in: int, lanes_out: int
) -> Gather:
    """The stage of one Duplicate."""
    order = np.concatenate([np.arange(source.shape[-1]), op.copies])
    return Gather(name, source, result, order, lanes_in, lanes_out)
