"""The integer network: types, operations, executor, file format, drawing."""

from __future__ import annotations

from bitwright.graph.network import Golden, Network
from bitwright.graph.operation import Operation
from bitwright.graph.ops import ArgMax, Duplicate, Flatten, Linear, Permute, Requant, Threshold, TopK
from bitwright.graph.scaling import InputQuantizer, OutputScale
from bitwright.graph.types import BIPOLAR, TERNARY, IntArray, IntType, TensorSpec

__all__ = [
    "BIPOLAR", "TERNARY", "ArgMax", "Duplicate", "Flatten", "Golden", "InputQuantizer", "IntArray", "IntType",
    "Linear", "Network", "Operation", "OutputScale", "Permute", "Requant", "TensorSpec", "Threshold", "TopK",
]  # fmt: skip
