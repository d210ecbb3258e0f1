"""The integer network: types, operations, executor, file format, drawing."""

from __future__ import annotations

from bitwright.graph.network import Golden, Network
from bitwright.graph.operation import Operation
from bitwright.graph.ops import (
    Add,
    ArgMax,
    Concat,
    Conv,
    Duplicate,
    Flatten,
    Linear,
    MaxPool,
    Permute,
    Requant,
    Reshape,
    SlidingWindow,
    SumPool,
    Threshold,
    TopK,
    Upsample,
)
from bitwright.graph.scaling import InputQuantizer, OutputScale
from bitwright.graph.types import BIPOLAR, TERNARY, IntArray, IntType, TensorSpec

__all__ = [
    "BIPOLAR", "TERNARY", "Add", "ArgMax", "Concat", "Conv", "Duplicate", "Flatten", "Golden", "InputQuantizer",
    "IntArray", "IntType", "Linear", "MaxPool", "Network", "Operation", "OutputScale", "Permute", "Requant", "Reshape",
    "SlidingWindow", "SumPool", "TensorSpec", "Threshold", "TopK", "Upsample",
]  # fmt: skip
