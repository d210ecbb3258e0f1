"""The quantizer of the network's input, as numbers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from bitwright.errors import LoweringError
from bitwright.graph import BIPOLAR, InputQuantizer
from bitwright.quantize.binary_input import BinaryInput
from bitwright.quantize.plan import QuantizerReading
from bitwright.quantize.value import RealInput, Reals


def read_input_quantizer(name: str, layer: nn.Module, reading: QuantizerReading, value: RealInput) -> InputQuantizer:
    """The InputQuantizer equal to `reading` behind the arithmetic in `value`.

    Equality is tried on four points of every step of the range, ties among them. Raises LoweringError when rounding
    is of another kind than to the nearest even, or arithmetic before it falls or moves the range by part of a step.
    """
    if reading.scale.size != 1:
        raise LoweringError(name, "quantizes the input with a scale for each channel", "use one scale for the input")
    if value.slope <= 0:
        raise LoweringError(name, "quantizes an input that arithmetic has turned around", "negate behind the quantizer")
    scale = float(reading.scale)

    def integers(points: Reals) -> Reals:
        with torch.no_grad():
            return np.rint(reading.function(value.real(torch.from_numpy(points)[:, None])).numpy()[:, 0] / scale)

    if reading.dtype == BIPOLAR:
        threshold = layer.threshold if isinstance(layer, BinaryInput) else 0.0
        if value.steps:
            threshold = _first_positive(integers, (threshold - value.offset) / value.slope)
        quantizer = InputQuantizer(dtype=BIPOLAR, kind="bipolar", threshold=threshold)
        points = np.array([-1e9, -1.0, -1e-9, 0.0, 1e-9, 1.0, 1e9]) + threshold
        points = np.sort(np.append(points, [np.nextafter(threshold, -np.inf), threshold]))
    else:
        zero_point = int(np.rint(value.offset / scale))
        if zero_point * scale != value.offset:
            raise LoweringError(
                name,
                f"arithmetic before it moves the input by {value.offset:g}, no multiple of its scale {scale:g}",
                "change the data before the module, or choose another scale",
            )
        quantizer = InputQuantizer(dtype=reading.dtype, scale=scale / value.slope, zero_point=zero_point)
        quarters = np.arange(4 * (reading.dtype.lo - 2), 4 * (reading.dtype.hi + 2)) / 4.0
        points = (quarters - zero_point) * quantizer.scale
    if not np.array_equal(quantizer(points), integers(points).astype(np.int64)):
        raise LoweringError(
            name, "does not round its input to the nearest even", "use integer_input(bits), BinaryInput() or sign"
        )
    return quantizer


def _first_positive(integers: Callable[[Reals], Reals], near: float) -> float:
    """The smallest number whose sign is +1, by bisection of the numbers around `near`."""
    reach = 1.0 + abs(near)
    low, high = near - reach, near + reach
    while True:
        middle = low + (high - low) / 2
        if not low < middle < high:
            return high
        low, high = (low, middle) if integers(np.array([middle]))[0] > 0 else (middle, high)
