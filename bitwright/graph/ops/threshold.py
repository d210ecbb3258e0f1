"""Threshold: any monotone step function of an integer, which is what batch norm and activation become."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bitwright.graph.operation import Operation
from bitwright.graph.types import IntArray, IntType, TensorSpec


@dataclass(frozen=True, eq=False, kw_only=True)
class Threshold(Operation):
    """Count the thresholds that are reached, per channel of the last axis (FINN's multi-threshold, Umuroglu 2017).

    With `n = count(x >= t)` over the row of `thresholds` (channels, steps), int64, the output is `lo + n` where
    `ascending` (channels,) is true, else `hi - n`. Rows are sorted; `steps = hi - lo` of `output_type`. A BIPOLAR
    output has one step: n = 0, 1 gives -1, +1 (mirrored when descending). With channels = 1 the row serves all
    channels.
    """

    thresholds: IntArray
    ascending: IntArray
    output_type: IntType

    kind: ClassVar[str] = "Threshold"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.output_type, IntType):
            raise self.error(f"output_type must be an IntType, not {type(self.output_type).__name__}")
        rows = self.constant("thresholds", "int64", 2)
        ascending = self.constant("ascending", "bool", 1)
        if ascending.shape != rows.shape[:1]:
            raise self.error(f"ascending has {ascending.size} values; expected one for each of {len(rows)} channels")
        if rows.shape[1] != self.steps:
            raise self.error(f"an output of type {self.output_type} needs {self.steps} thresholds, not {rows.shape[1]}")
        if np.any(rows[:, 1:] < rows[:, :-1]):
            channel = int(np.argwhere(np.any(rows[:, 1:] < rows[:, :-1], axis=1))[0, 0])
            raise self.error(f"the thresholds of channel {channel} are not sorted; sort each row in ascending order")

    @property
    def steps(self) -> int:
        """Thresholds of a channel: one fewer than the values of the output type."""
        return 1 if self.output_type.kind == "bipolar" else self.output_type.hi - self.output_type.lo

    def infer(self, *specs: TensorSpec) -> TensorSpec:
        """The same shape in the output type."""
        (spec,) = specs
        channels = self.channels(spec)
        if len(self.thresholds) not in (1, channels):
            raise self.error(
                f"has thresholds for {len(self.thresholds)} channels, but tensor '{self.inputs[0]}' is {spec}"
            )
        return TensorSpec(spec.shape, self.output_type)

    def run(self, *values: IntArray) -> IntArray:
        """The definition, one step after the other so that no array of batch x channels x steps is made."""
        (x,) = values
        wide = x.astype(np.int64)
        count = np.zeros(x.shape, dtype=np.int64)
        for step in range(self.thresholds.shape[1]):
            count += wide >= self.thresholds[:, step]
        unit = 2 if self.output_type.kind == "bipolar" else 1
        result = np.where(self.ascending, self.output_type.lo + unit * count, self.output_type.hi - unit * count)
        return result.astype(self.output_type.numpy)
