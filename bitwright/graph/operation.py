"""What every operation of the integer network is: named tensors in, named tensors out, one exact definition."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from bitwright.graph.types import IntArray, TensorSpec


@dataclass(frozen=True, eq=False)
class Operation(ABC):
    """One node of a Network. Subclasses are frozen dataclasses with keyword arguments, one file each.

    `name` is unique in its network; `inputs` and `output` are tensor names. `run` is the definition of the
    operation: RTL, cycle model, energy and every fast path answer to it.
    """

    name: str
    inputs: tuple[str, ...]
    output: str

    kind: ClassVar[str]
    """The word for this operation in files and reports, e.g. "Linear"."""

    @abstractmethod
    def infer(self, *specs: TensorSpec) -> TensorSpec:
        """The output's shape and type from the inputs'. Raises InputError naming the operation when they do not fit."""

    @abstractmethod
    def run(self, *values: IntArray) -> IntArray:
        """The exact result for a batch (axis 0) of each input, in the smallest NumPy dtype of the output type."""

    @abstractmethod
    def attributes(self) -> Mapping[str, Any]:
        """What the file format keeps besides name, inputs and output: JSON values and NumPy integer arrays."""
