"""Conv, and Conv with its bipolar Threshold, on packed images; pools and reshapes of packed images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitwright.graph import packed
from bitwright.graph.ops import Conv, MaxPool, SlidingWindow, Threshold
from bitwright.graph.packed import PackedWeights, Words, pack, pointer_to, unpack
from bitwright.graph.types import TensorSpec

LARGEST_BASE = 1 << 30
"""Sums up to this go through the kernel's 32 bits."""


def is_packable(operation: Conv, spec: TensorSpec) -> bool:
    """Whether a Conv can run on packed bits: a bipolar image against weights of -1, 0, +1 in one group."""
    if spec.dtype.kind != "bipolar" or operation.weight_type.kind == "integer" or operation.groups != 1:
        return False
    sums = operation.accumulator_type(spec)
    reach = max(sums.hi, -sums.lo)
    return bool(reach + 2 * operation.weights[0].size < LARGEST_BASE)


@dataclass(frozen=True, eq=False)
class PackedConv:
    """A Conv on packed images (frames, *size, words).

    The bits of padding are 0, those of -1. With m products that are -1 when padding is taken for -1, a sum is
    `base - 2 m`, where base (kinds, outputs) sets right what padding really is; `kinds` (positions,) tells each
    position's row of it, by which elements of the kernel lie on padding (None when all are alike).
    """

    channels: int
    window: SlidingWindow
    geometry: NDArray[np.int64]
    weights: PackedWeights
    base: NDArray[np.int32]
    kinds: NDArray[np.int32] | None

    @staticmethod
    def of(operation: Conv, spec: TensorSpec) -> PackedConv:
        """For the operation on an input for which `is_packable` holds."""
        window = operation.window(spec)
        wide = operation.weights.astype(np.int64)
        outputs = len(wide)
        totals, inside = [], []
        for sign in (1, -1):
            part = (wide == sign).sum(axis=-1)
            totals.append(part.reshape(outputs, -1).sum(axis=1)[:, None])
            inside.append(window.sums(part))
        plus, minus = (total - part for total, part in zip(totals, inside, strict=True))
        base = inside[0] + inside[1] + 2 * plus + operation.pad_value * (plus - minus)
        if operation.bias is not None:
            base = base + operation.bias[:, None]
        kinds = window.kinds.reshape(-1).astype(np.int32)
        return PackedConv(
            channels=spec.shape[-1],
            window=window,
            geometry=geometry(window, spec.shape[-1]),
            weights=PackedWeights.of(operation.weights.reshape(outputs, -1)),
            base=np.ascontiguousarray(base.T, dtype=np.int32),
            kinds=kinds if base.shape[1] > 1 else None,
        )

    def __call__(self, images: Words) -> NDArray[np.int32]:
        """Sums (frames, *positions, outputs)."""
        library = packed.kernel()
        outputs, words = self.weights.signs.shape
        if library is None:
            return self._rows(self.base) - 2 * self.weights.mismatches(self.rows(images))
        sums = np.empty((len(images), *self.window.out, outputs), dtype=np.int32)
        held = np.ascontiguousarray(images)
        library.bitwright_conv_accumulate(
            held.ctypes.data, self.geometry.ctypes.data, self.weights.signs.ctypes.data, pointer_to(self.weights.mask),
            self.base.ctypes.data, pointer_to(self.kinds), len(images), outputs, words, self._threads(images),
            sums.ctypes.data,
        )  # fmt: skip
        return sums

    def threshold(self, images: Words, limits: NDArray[np.int32], flips: Words) -> Words:
        """Packed bits of (frames, *positions, outputs): `m <= limits` (kinds, outputs), inverted where flips are 1."""
        library = packed.kernel()
        outputs, words = self.weights.signs.shape
        if library is None:
            reached = self.weights.mismatches(self.rows(images)) <= self._rows(limits)
            return pack(reached.astype(np.int8)) ^ flips
        bits: Words = np.empty((len(images), *self.window.out, -(-outputs // 64)), dtype=np.uint64)
        held = np.ascontiguousarray(images)
        library.bitwright_conv_threshold(
            held.ctypes.data, self.geometry.ctypes.data, self.weights.signs.ctypes.data, pointer_to(self.weights.mask),
            limits.ctypes.data, pointer_to(self.kinds), flips.ctypes.data, len(images), outputs, words,
            self._threads(images), bits.ctypes.data,
        )  # fmt: skip
        return bits

    def rows(self, images: Words) -> Words:
        """What the kernel sees at each position, packed, in NumPy: (frames, *positions, words)."""
        padded = self.window.pad(unpack(images, self.channels), -1)
        views = [seen for _, seen in self.window.views(padded)]
        return pack(np.concatenate(views, axis=-1))

    def _rows(self, table: NDArray[np.int32]) -> NDArray[np.int32]:
        """The row of a table (kinds, outputs) for each position, (*positions, outputs) or (outputs,)."""
        return table[0] if self.kinds is None else table[self.kinds].reshape(*self.window.out, -1)

    def _threads(self, images: Words) -> int:
        return self.weights.threads(len(images) * int(np.prod(self.window.out)))


@dataclass(frozen=True, eq=False)
class PackedConvThreshold:
    """A Conv and the bipolar Threshold behind it: packed images in, packed images out.

    The sum `base - 2 m` reaches t just when `m <= floor((base - t) / 2)`.
    """

    conv: PackedConv
    limits: NDArray[np.int32]
    flips: Words

    @staticmethod
    def of(conv: PackedConv, threshold: Threshold) -> PackedConvThreshold:
        """For a packed Conv and the Threshold that alone reads it."""
        outputs = conv.base.shape[1]
        rows = np.clip(np.broadcast_to(threshold.thresholds[:, 0], (outputs,)), -(1 << 40), 1 << 40)
        # Beyond [-1, all] a limit says nothing more: never, or always.
        most = 64 * conv.weights.signs.shape[1]
        limits = np.clip((conv.base.astype(np.int64) - rows) // 2, -1, most)
        descending = np.broadcast_to(~threshold.ascending, (outputs,))
        return PackedConvThreshold(conv, limits.astype(np.int32), pack(descending.astype(np.int8)))

    def __call__(self, images: Words) -> Words:
        """(frames, *size, words) to (frames, *positions, words)."""
        return self.conv.threshold(images, self.limits, self.flips)


def geometry(window: SlidingWindow, channels: int) -> NDArray[np.int64]:
    """The window for the kernels: channels, then height and width of everything; a signal has height 1."""
    before = tuple(pair[0] for pair in window.padding)
    fields = (window.size, window.out, window.kernel, window.stride, before, window.dilation)
    usual = (1, 1, 1, 1, 0, 1)
    pairs = [(one, *field) if len(field) == 1 else field for one, field in zip(usual, fields, strict=True)]
    return np.array([channels, *(value for pair in pairs for value in pair)], dtype=np.int64)


def packed_maxpool(operation: MaxPool, spec: TensorSpec, images: Words) -> Words:
    """A MaxPool of packed images: the OR of bits, since padding is 0 as -1 is (frames, *positions, words)."""
    window = operation.window(spec)
    result: Words = np.zeros((len(images), *window.out, images.shape[-1]), dtype=np.uint64)
    for _, seen in window.views(window.pad(images, 0)):
        np.bitwise_or(result, seen, out=result)
    return result


def packed_flatten(spec: TensorSpec, images: Words) -> Words:
    """A Flatten of packed tensors (frames, ..., words) to packed vectors (frames, words)."""
    channels = spec.shape[-1]
    if channels % 64 == 0:
        return images.reshape(len(images), spec.size // 64)
    library = packed.kernel()
    if library is None:
        return pack(unpack(images, channels).reshape(len(images), spec.size))
    pixels = spec.size // channels
    whole = SlidingWindow((pixels,), (pixels,), (1,), ((0, 0),), (1,))
    words: Words = np.empty((len(images), -(-spec.size // 64)), dtype=np.uint64)
    held = np.ascontiguousarray(images)
    fields = geometry(whole, channels)
    library.bitwright_windows(held.ctypes.data, fields.ctypes.data, len(images), words.shape[1], words.ctypes.data)
    return words
