"""The quantizer of the network's input, as numbers."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from bitwright.errors import LoweringError
from bitwright.graph import BIPOLAR, InputQuantizer
from bitwright.quantize.binary_input import BinaryInput
from bitwright.quantize.plan import QuantizerReading


def read_input_quantizer(name: str, layer: nn.Module, reading: QuantizerReading) -> InputQuantizer:
    """The InputQuantizer equal to `reading`.

    Equality is tried on four points of every step of the range, ties among them. Raises LoweringError when rounding
    is of another kind than to the nearest even.
    """
    if reading.scale.size != 1:
        raise LoweringError(name, "quantizes the input with a scale for each channel", "use one scale for the input")
    scale = float(reading.scale)
    if reading.dtype == BIPOLAR:
        threshold = layer.threshold if isinstance(layer, BinaryInput) else 0.0
        quantizer = InputQuantizer(dtype=BIPOLAR, kind="bipolar", threshold=threshold)
        points = np.array([-1e9, -1.0, -1e-9, 0.0, 1e-9, 1.0, 1e9]) + threshold
        points = np.sort(np.append(points, [np.nextafter(threshold, -np.inf), threshold]))
    else:
        quantizer = InputQuantizer(dtype=reading.dtype, scale=scale)
        points = np.arange(4 * (reading.dtype.lo - 2), 4 * (reading.dtype.hi + 2)) / 4.0 * scale
    with torch.no_grad():
        expected = np.rint(reading.function(torch.from_numpy(points)[:, None]).numpy()[:, 0] / scale)
    if not np.array_equal(quantizer(points), expected.astype(np.int64)):
        raise LoweringError(
            name, "does not round its input to the nearest even", "use integer_input(bits), BinaryInput() or sign"
        )
    return quantizer
