"""Kernel, stride, padding and dilation of a PyTorch layer, one entry for each spatial axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

Pads = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Window:
    """Where the windows of a convolution or pool lie. `padding` are (before, after) of the real value `pad_value`."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: Pads
    dilation: tuple[int, ...]
    groups: int = 1
    pad_value: float = 0.0

    @property
    def span(self) -> tuple[int, ...]:
        """Elements from the first to the last of a window."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True))

    @property
    def is_padded(self) -> bool:
        """Whether there is padding on any side."""
        return any(before or after for before, after in self.padding)

    def padded(self, pads: Pads) -> Window:
        """This window with `pads` added to its padding."""
        pairs = zip(self.padding, pads, strict=True)
        return replace(self, padding=tuple((a + c, b + d) for (a, b), (c, d) in pairs))

    def rounded_up(self, size: Sequence[int]) -> Window:
        """The window whose padding makes up for `ceil_mode`: PyTorch drops a last window that starts in the padding."""
        padding = []
        for n, (before, after), step, span in zip(size, self.padding, self.stride, self.span, strict=True):
            count = -(-(n + before + after - span) // step) + 1
            if (count - 1) * step >= n + before:
                count -= 1
            padding.append((before, max(after, (count - 1) * step + span - n - before)))
        return replace(self, padding=tuple(padding))


def per_axis(value: int | Sequence[int], axes: int) -> tuple[int, ...]:
    """One number for all axes, or one for each, as PyTorch takes them."""
    if isinstance(value, int):
        return (value,) * axes
    numbers = tuple(int(one) for one in value)
    return numbers * axes if len(numbers) == 1 else numbers


def symmetric(padding: int | Sequence[int], axes: int) -> Pads:
    """The same padding on both sides."""
    return tuple((one, one) for one in per_axis(padding, axes))


def same_padding(kernel: Sequence[int], dilation: Sequence[int]) -> Pads:
    """The padding of PyTorch's `padding="same"`: the odd one out goes behind."""
    totals = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    return tuple((total // 2, total - total // 2) for total in totals)
