"""Upsample in hardware: every row, and every pixel of it, several times."""

from __future__ import annotations

from bitwright.graph import TensorSpec, Upsample
from bitwright.hw.repeat import RepeatStage
from bitwright.hw.stage import Stage


def upsample_stages(name: str, op: Upsample, source: TensorSpec, result: TensorSpec, lanes: int) -> list[Stage]:
    """Rows first, where the buffered row is still short, then pixels; a factor of 1 needs no stage."""
    *rows, columns = op.factors
    words = source.shape[-1] // lanes
    stages: list[Stage] = []
    between = source
    if rows and rows[0] > 1:
        height, width, channels = source.shape
        between = TensorSpec((height * rows[0], width, channels), source.dtype)
        stages.append(RepeatStage(f"{name}_rows", source, between, lanes, beats=width * words, times=rows[0]))
    if columns > 1 or not stages:
        stages.append(RepeatStage(name, between, result, lanes, beats=words, times=columns))
    return stages
