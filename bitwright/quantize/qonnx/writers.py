"""The writer of each kind of operation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bitwright.quantize.qonnx.write_moves import (
    write_arg_max,
    write_concat,
    write_duplicate,
    write_flatten,
    write_permute,
    write_reshape,
    write_top_k,
)
from bitwright.quantize.qonnx.write_steps import write_requant, write_threshold
from bitwright.quantize.qonnx.write_sums import write_add, write_conv, write_linear
from bitwright.quantize.qonnx.write_windows import write_max_pool, write_sum_pool, write_upsample
from bitwright.quantize.qonnx.writer import Writer

WRITERS: dict[str, Callable[[Writer, Any], None]] = {
    "Linear": write_linear,
    "Conv": write_conv,
    "Threshold": write_threshold,
    "Requant": write_requant,
    "Flatten": write_flatten,
    "Reshape": write_reshape,
    "Permute": write_permute,
    "Duplicate": write_duplicate,
    "ArgMax": write_arg_max,
    "TopK": write_top_k,
    "MaxPool": write_max_pool,
    "SumPool": write_sum_pool,
    "Add": write_add,
    "Concat": write_concat,
    "Upsample": write_upsample,
}
"""The form of each kind of operation."""
