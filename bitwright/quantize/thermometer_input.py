"""Pixels as thermometers: a first layer that turns every pixel into several bits."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bitwright.errors import InputError
from bitwright.quantize.bits import check_bits


class ThermometerInput(nn.Module):
    """Images of real pixels to `levels` times as many channels of {-1, +1}.

    Zhang, Pan, Liu, Li, Chen, Zhang: "FracBNN: Accurate and FPGA-Efficient Binary Neural Networks with Fractional
    Activations", FPGA 2021: level j of a pixel is +1 where pixel / R rounds to more than j, with R = 255 / levels, so
    brighter pixels light more levels and the first convolution is binary like all others.

    Pixels in [0, `max_value`] are rounded to `bits` bits first; `max_value=255` takes pixels as they are. Level j of
    channel c is channel `j * channels + c`. Input (batch, channels, ...), output (batch, levels * channels, ...).
    Nothing is learned and no gradient passes.
    """

    thresholds: Tensor

    def __init__(self, levels: int, bits: int = 8, max_value: float = 1.0) -> None:
        """Raises InputError for fewer levels than 1 or more than the pixels have steps, and for other `bits`."""
        super().__init__()
        check_bits("ThermometerInput", bits)
        steps = (1 << bits) - 1
        if not isinstance(levels, int) or isinstance(levels, bool) or not 1 <= levels <= steps:
            raise InputError(f"ThermometerInput takes 1 to {steps} levels of {bits}-bit pixels, not {levels!r}")
        if not 0 < float(max_value) < float("inf"):
            raise InputError(f"ThermometerInput needs a positive, finite max_value, not {max_value!r}")
        self.levels = levels
        self.bits = bits
        self.scale = float(max_value) / steps
        # pixel / (steps / levels) >= j + 0.5, in integers.
        ceilings = [-(-(2 * level + 1) * steps // (2 * levels)) for level in range(levels)]
        self.register_buffer("thresholds", torch.tensor(ceilings, dtype=torch.float32), persistent=False)

    def pixels(self, x: Tensor) -> Tensor:
        """The pixels as integers from 0 to 2^bits - 1, same shape."""
        return torch.clamp(torch.round(x / self.scale), 0, (1 << self.bits) - 1)

    def compare(self, x: Tensor) -> Tensor:
        """The bits of pixels (batch, levels * channels, ...) that are copied for each level already."""
        channels = x.shape[1] // self.levels
        thresholds = self.thresholds.repeat_interleave(channels).reshape(-1, *(1,) * (x.ndim - 2))
        return torch.where(self.pixels(x) >= thresholds, torch.ones_like(x), -torch.ones_like(x))

    def forward(self, x: Tensor) -> Tensor:
        """The bits of the pixels `x`."""
        return self.compare(x.repeat(1, self.levels, *(1,) * (x.ndim - 2)))

    def extra_repr(self) -> str:
        """The options, for print(module)."""
        return f"levels={self.levels}, bits={self.bits}"
