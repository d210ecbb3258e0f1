"""The operations of the integer network, one a file."""

from __future__ import annotations

from bitwright.graph.operation import Operation
from bitwright.graph.ops.add import Add
from bitwright.graph.ops.argmax import ArgMax
from bitwright.graph.ops.concat import Concat
from bitwright.graph.ops.conv import Conv
from bitwright.graph.ops.duplicate import Duplicate
from bitwright.graph.ops.flatten import Flatten
from bitwright.graph.ops.linear import Linear
from bitwright.graph.ops.maxpool import MaxPool
from bitwright.graph.ops.permute import Permute
from bitwright.graph.ops.requant import Requant
from bitwright.graph.ops.reshape import Reshape
from bitwright.graph.ops.sliding import SlidingWindow
from bitwright.graph.ops.sumpool import SumPool
from bitwright.graph.ops.threshold import Threshold
from bitwright.graph.ops.topk import TopK
from bitwright.graph.ops.upsample import Upsample

OPERATIONS: dict[str, type[Operation]] = {
    operation.kind: operation
    for operation in (
        Linear, Threshold, Requant, Flatten, ArgMax, TopK, Permute, Duplicate,
        Conv, MaxPool, SumPool, Add, Concat, Upsample, Reshape,
    )
}  # fmt: skip
"""Every kind of operation by its word in files."""

__all__ = [
    "OPERATIONS", "Add", "ArgMax", "Concat", "Conv", "Duplicate", "Flatten", "Linear", "MaxPool", "Permute", "Requant",
    "Reshape", "SlidingWindow", "SumPool", "Threshold", "TopK", "Upsample",
]  # fmt: skip
