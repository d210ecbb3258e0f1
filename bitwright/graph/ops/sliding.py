"""Where the windows of convolutions and pools lie on an image."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bitwright.errors import InputError
from bitwright.graph.types import IntArray

Pads = tuple[tuple[int, int], ...]
"""Elements added before and after, for each spatial axis."""

LONGEST = 1 << 20
"""No size, kernel, stride, dilation or padding may exceed this."""


@dataclass(frozen=True)
class SlidingWindow:
    """Windows of `kernel` elements, `dilation` apart, every `stride` elements over `size` padded by `padding`.

    All have one entry for each spatial axis. An axis has `(size + pads - dilation * (kernel - 1) - 1) // stride + 1`
    windows; what lies behind the last one is not read. Raises InputError when an entry makes no sense or none fits.
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
        longest = max((*self.size, *self.kernel, *self.stride, *self.dilation, *itertools.chain(*self.padding)))
        if longest > LONGEST:
            raise InputError(f"no size, kernel, stride, dilation or padding may exceed {LONGEST:,}, not {longest:,}")
        if any(count < 1 for count in self.out):
            raise InputError(f"a kernel of {self.kernel} does not fit into {self.size} padded by {self.padding}")

    @cached_property
    def span(self) -> tuple[int, ...]:
        """Elements from the first to the last of a window, on each axis."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True))

    @cached_property
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
    def ranges(self) -> tuple[NDArray[np.int64], ...]:
        """For each axis (patterns, 2): the distinct [first, last) of a window's elements that are no padding.

        A window of padding alone counts as [0, 0). One of each axis together are a pattern of padding.
        """
        return tuple(pairs for pairs, _ in self._padding_patterns)

    @property
    def kinds(self) -> NDArray[np.int64]:
        """For each window (*out) the number of its pattern among all combinations of `ranges`, in C order."""
        kinds = np.zeros((), dtype=np.int64)
        for pairs, places in self._padding_patterns:
            kinds = kinds[..., None] * len(pairs) + places
        return kinds

    @cached_property
    def _padding_patterns(self) -> tuple[tuple[NDArray[np.int64], NDArray[np.int64]], ...]:
        """For each axis `ranges`, and for each window the row of it."""
        found = []
        for n, count, step, (before, _), k, d in zip(
            self.size, self.out, self.stride, self.padding, self.kernel, self.dilation, strict=True
        ):
            start = np.arange(count) * step - before
            first = np.maximum(0, -(start // d))
            last = np.minimum(k, (n - 1 - start) // d + 1)
            real = first < last
            pairs = np.stack((first * real, last * real), axis=1)
            distinct, places = np.unique(pairs, axis=0, return_inverse=True)
            found.append((distinct, places.reshape(-1)))
        return tuple(found)

    def sums(self, values: NDArray[np.int64]) -> NDArray[np.int64]:
        """(n, *kernel) to (n, patterns): sums over the elements that are no padding, for each pattern of padding."""
        result = values
        for axis, ranges in enumerate(self.ranges, start=1):
            shape = list(result.shape)
            shape[axis] = 1
            sums = np.concatenate((np.zeros(shape, dtype=np.int64), np.cumsum(result, axis=axis)), axis=axis)
            result = np.take(sums, ranges[:, 1], axis=axis) - np.take(sums, ranges[:, 0], axis=axis)
        return result.reshape(len(values), -1)

    @property
    def padded(self) -> bool:
        """Whether some window reaches into the padding."""
        return any(
            bool(((pairs[:, 0] > 0) | (pairs[:, 1] < k)).any())
            for pairs, k in zip(self.ranges, self.kernel, strict=True)
        )

    def pad(self, x: IntArray, value: int) -> IntArray:
        """Images (batch, *size, channels) with `value` in the padding."""
        return np.pad(x, ((0, 0), *self.padding, (0, 0)), constant_values=value)

    def views(self, padded: IntArray) -> Iterator[tuple[tuple[int, ...], IntArray]]:
        """For each element of the kernel its index, and what it sees of padded images: (batch, *out, channels)."""
        for tap in itertools.product(*(range(k) for k in self.kernel)):
            starts = [index * d for index, d in zip(tap, self.dilation, strict=True)]
            slices = (
                slice(start, start + (count - 1) * step + 1, step)
                for start, count, step in zip(starts, self.out, self.stride, strict=True)
            )
            yield tap, padded[(slice(None), *slices)]
