"""Where the windows of convolutions and pools lie on an image."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bitwright.errors import InputError

Pads = tuple[tuple[int, int], ...]
"""Elements added before and after, for each spatial axis."""


@dataclass(frozen=True)
class SlidingWindow:
    """Windows of `kernel` elements, `dilation` apart, every `stride` elements over `size` padded by `padding`.

    All have one entry for each spatial axis. An axis has `(size + pads - dilation * (kernel - 1) - 1) // stride + 1`
    windows; what lies behind the last one is not read. Raises InputError when an entry makes no sense or no window fits.
    """

    size: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: Pads
    dilation: tuple[int, ...]

    def __post_init__(self) -> None:
        axes = len(self.size)
        for word in ("kernel", "stride", "dilation"):
            values = getattr(self, word)
            if len(values) != axes or any(isinstance(v, bool) or not isinstance(v, int) or v < 1 for v in values):
                raise InputError(f"{word} must be {axes} integers of at least 1, not {values}")
        pairs = [pair for pair in self.padding if len(pair) == 2]
        if len(pairs) != axes or any(isinstance(v, bool) or not isinstance(v, int) or v < 0 for p in pairs for v in p):
            raise InputError(f"padding must be {axes} pairs (before, after) of integers from 0 on, not {self.padding}")
        if any(count < 1 for count in self.out):
            raise InputError(f"a kernel of {self.kernel} does not fit into {self.size} padded by {self.padding}")

    @property
    def span(self) -> tuple[int, ...]:
        """Elements from the first to the last of a window, on each axis."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True))

    @property
    def out(self) -> tuple[int, ...]:
        """Windows on each axis."""
        return tuple(
            (n + before + after - span) // step + 1
            for n, (before, after), span, step in zip(self.size, self.padding, self.span, self.stride, strict=True)
        )

    @cached_property
    def taps(self) -> tuple[NDArray[np.int64], ...]:
        """For each axis (windows, kernel): the coordinate of each element; outside [0, size) it is padding."""
        return tuple(
            np.arange(count)[:, None] * step - before + np.arange(k)[None, :] * d
            for count, step, (before, _), k, d in zip(
                self.out, self.stride, self.padding, self.kernel, self.dilation, strict=True
            )
        )

    @property
    def padded(self) -> bool:
        """Whether some window reaches into the padding."""
        return any(bool(((t < 0) | (t >= n)).any()) for t, n in zip(self.taps, self.size, strict=True))
