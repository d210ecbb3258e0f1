"""The operations of the integer network, one a file."""

from __future__ import annotations

from bitwright.graph.operation import Operation
from bitwright.graph.ops.argmax import ArgMax
from bitwright.graph.ops.duplicate import Duplicate
from bitwright.graph.ops.flatten import Flatten
from bitwright.graph.ops.linear import Linear
from bitwright.graph.ops.permute import Permute
from bitwright.graph.ops.requant import Requant
from bitwright.graph.ops.threshold import Threshold
from bitwright.graph.ops.topk import TopK

OPERATIONS: dict[str, type[Operation]] = {
    operation.kind: operation for operation in (Linear, Threshold, Requant, Flatten, ArgMax, TopK, Permute, Duplicate)
}
"""Every kind of operation by its word in files."""

__all__ = [
    "OPERATIONS", "ArgMax", "Duplicate", "Flatten", "Linear", "Permute", "Requant", "Threshold", "TopK",
]  # fmt: skip
