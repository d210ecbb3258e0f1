"""What the reading of one operator is: a function from its inputs' values to its outputs'."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bitwright.quantize.qonnx.builder import Builder
from bitwright.quantize.qonnx.model import Node
from bitwright.quantize.qonnx.value import Value

Values = Sequence[Value | None]
"""The values of a node's inputs; None for an optional one that is absent."""

Handler = Callable[[Builder, Node, Values], tuple[Value, ...]]
"""Reads one node. Not called when all inputs are constants. Raises LoweringError for what has no exact form."""
