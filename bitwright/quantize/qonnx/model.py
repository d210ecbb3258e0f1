"""An ONNX graph as plain Python: nodes in topological order, constants as arrays, one input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from bitwright.errors import LoweringError

Array = NDArray[Any]

QONNX = "qonnx"
"""The domain of quantizers and thresholds, whatever name the exporting tool gave it."""

CHANNELS_LAST = "channels_last"
"""The domain of qonnx's Conv, MaxPool and BatchNormalization on (batch, height, width, channels)."""


MICROSOFT = "com.microsoft"
"""The domain of onnxruntime's own operators on integers."""


def one_line(text: str) -> str:
    """Words of a file as part of a message: no line breaks, nothing unprintable."""
    return "".join(letter if letter.isprintable() else "?" for letter in " ".join(text.split()))


@dataclass(frozen=True)
class Node:
    """One operator. `domain` is "" for standard ONNX, QONNX, CHANNELS_LAST, or another as it came.

    `version` is that of its operator set, `proto` the node as it came. Absent optional inputs are "".
    """

    name: str
    kind: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    version: int
    proto: NodeProto

    def error(self, reason: str, fix: str) -> LoweringError:
        """A LoweringError that names the node and its operator."""
        return LoweringError(one_line(self.name)[:200], one_line(f"{self.kind} {reason}")[:460], fix)

    def attribute(self, name: str, kind: type, default: Any) -> Any:
        """An attribute's value, of type int, float, str or list (of integers); `default` when it is absent."""
        if name not in self.attributes:
            return default
        value = self.attributes[name]
        if kind is float and isinstance(value, int | float):
            return float(value)
        if not isinstance(value, kind):
            raise self.error(f"has an attribute {name} of type {type(value).__name__}", f"give it as {kind.__name__}")
        return value

    def integer(self, name: str, default: int) -> int:
        """An integer attribute."""
        value: int = self.attribute(name, int, default)
        return value

    def real(self, name: str, default: float) -> float:
        """A float attribute."""
        value: float = self.attribute(name, float, default)
        return value

    def text(self, name: str, default: str) -> str:
        """A string attribute."""
        value: str = self.attribute(name, str, default)
        return value

    def integers(self, name: str, default: list[int] | None) -> list[int] | None:
        """A list of integers."""
        value: list[int] | None = self.attribute(name, list, default)
        return value


@dataclass(frozen=True)
class InputTensor:
    """The graph's input: its shape with the batch first (None where dynamic), NumPy dtype, and annotated type."""

    name: str
    shape: tuple[int | None, ...]
    dtype: np.dtype[Any]
    annotation: str


@dataclass(frozen=True)
class Model:
    """A checked ONNX graph. `annotations` are the FINN data types of tensors, such as "BIPOLAR" or "INT4"."""

    name: str
    input: InputTensor
    nodes: tuple[Node, ...]
    constants: Mapping[str, Array]
    outputs: tuple[str, ...]
    annotations: Mapping[str, str]
