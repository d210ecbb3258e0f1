"""What a stage is made of and does in a frame: the counts that energy and area estimates start from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MacKind = Literal["xnor-popcount", "ternary", "bit-plane", "multiplier"]


@dataclass(frozen=True)
class MacUse:
    """Multiply-accumulates of one type: operand widths in bits, how they are built, how many a frame.

    `dot_length` products are summed before one addition to an accumulator of `accumulator_width` bits (SIMD).
    """

    kind: MacKind
    weight_width: int
    activation_width: int
    accumulator_width: int
    per_frame: int
    dot_length: int = 1


@dataclass(frozen=True)
class MemoryUse:
    """One memory: words of `width` bits, `depth` of them, with the words read and written in one frame."""

    name: str
    width: int
    depth: int
    reads_per_frame: int
    writes_per_frame: int


@dataclass(frozen=True)
class StageResources:
    """Counts of one stage. `register_bits` are flip-flops outside memories; `compares_per_frame` comparator uses."""

    macs: tuple[MacUse, ...] = ()
    memories: tuple[MemoryUse, ...] = ()
    register_bits: int = 0
    compares_per_frame: int = 0
    compare_width: int = 0
