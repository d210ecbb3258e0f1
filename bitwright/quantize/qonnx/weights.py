"""The integers behind the real weights of a node."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bitwright.graph import IntArray
from bitwright.quantize.qonnx.model import Array, Node
from bitwright.quantize.qonnx.value import Constant
from bitwright.quantize.value import Reals

MAX_WEIGHT_STEPS = 1 << 15
"""Integers beyond this count as no quantization."""

GRID_TOLERANCE = 2.0**-18
"""How far, in steps, a float32 weight may be from its integer (2^15 steps times half a unit of the last place)."""


@dataclass(frozen=True)
class Weights:
    """Weights (out, ...) are `integers * scales` with `scales` (out,)."""

    integers: IntArray
    scales: Reals


def read_weights(node: Node, constant: Constant) -> Weights:
    """Integers and one scale for each row of axis 0.

    From the quantizer behind the weights where it is known; else from the values themselves: integers, or multiples
    of the smallest step in a row. Raises LoweringError for real weights.
    """
    values = constant.values
    if values.dtype.kind not in "fiu" or values.size == 0 or not np.all(np.isfinite(values)):
        raise node.error("has weights that are no finite numbers", "train again or repair them")
    rows = values.reshape(len(values), -1)
    if constant.integers is not None and constant.scales is not None:
        scales = constant.scales.reshape(len(values), -1).astype(np.float64)
        if np.any(scales != scales[:, :1]):
            raise node.error(
                "has weight scales that differ inside an output channel", "use one for the layer or one for each output"
            )
        return Weights(constant.integers.astype(np.int64), scales[:, 0])
    found = [_row(row) for row in rows.astype(np.float64)] if values.dtype.kind == "f" else [1.0] * len(rows)
    if np.array_equal(rows, np.rint(rows)) and np.abs(rows).max() <= MAX_WEIGHT_STEPS:
        found = [1.0] * len(rows)
    if any(step is None for step in found):
        raise node.error(
            "has weights that are real numbers, not quantized",
            "quantize them: in Brevitas QuantLinear or QuantConv2d and export_qonnx, for a float model "
            "bitwright.quantize.post_training_quantize() and lower()",
        )
    scales = np.array(found, dtype=np.float64)
    return Weights(_divided(rows, scales).reshape(values.shape), scales)


def _divided(rows: Array, scales: Reals) -> IntArray:
    return np.rint(rows.astype(np.float64) / scales[:, None]).astype(np.int64)


def _row(row: Reals) -> float | None:
    """The step of which all values are multiples; 1 for zeros; None when there is none."""
    sizes = np.unique(np.abs(row[row != 0]))
    if sizes.size == 0:
        return 1.0
    steps = np.append(sizes, np.diff(sizes))
    smallest = float(steps[steps > sizes[-1] * 2.0**-17].min())
    for part in (1, 2, 3):
        step = smallest / part
        quotient = sizes / step
        if quotient[-1] <= MAX_WEIGHT_STEPS and np.all(
            np.abs(quotient - np.rint(quotient)) <= GRID_TOLERANCE * quotient[-1]
        ):
            # The mean over all values is nearer to the true step than any one of them.
            return float(sizes.sum() / np.rint(quotient).sum()) if part == 1 and sizes.size > 1 else step
    return None
