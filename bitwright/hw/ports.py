"""The AXI4-Stream ports of a design, and what their beats are: NumPy frames, or the weights of a layer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright.graph import TensorSpec


@dataclass(frozen=True)
class PortSpec:
    """The tensor `spec` as a stream of beats of `lanes` elements.

    `name` is the prefix of the port's signals, e.g. "s_axis". Element e of a beat sits at bits
    [e*width, (e+1)*width) of tdata; tdata is padded with zeros to whole bytes.
    """

    name: str
    spec: TensorSpec
    lanes: int

    @property
    def beats(self) -> int:
        """Beats of one frame."""
        return self.spec.size // self.lanes

    @property
    def payload_width(self) -> int:
        """Bits of tdata in use."""
        return self.lanes * self.spec.dtype.width

    @property
    def data_width(self) -> int:
        """Bits of tdata, a multiple of 8."""
        return -(-self.payload_width // 8) * 8

    def pack(self, frames: NDArray[Any]) -> NDArray[np.uint8]:
        """Frames (count, *shape) as beats: uint8 of shape (count * beats, data_width / 8), little end first.

        Raises InputError when the frames are not of this tensor's shape and type.
        """
        self.spec.check(frames)
        width = self.spec.dtype.width
        codes = self.spec.dtype.encode(frames.reshape(len(frames) * self.beats, self.lanes))
        if width == 1:
            bits = codes.astype(np.uint8)
        elif width == 8:
            return codes.astype(np.uint8)
        else:
            size = (width + 7) // 8
            octets = codes.astype("<u8").view(np.uint8).reshape(*codes.shape, 8)[:, :, :size]
            bits = np.unpackbits(octets, axis=2, count=width, bitorder="little").reshape(len(codes), self.payload_width)
        return np.packbits(bits, axis=1, bitorder="little")

    def unpack(self, beats: NDArray[np.uint8], frames: int) -> NDArray[Any]:
        """Beats as `pack` makes them, back to `frames` frames of the tensor's NumPy dtype."""
        dtype = self.spec.dtype
        bits = np.unpackbits(beats, axis=1, bitorder="little", count=self.payload_width)
        bits = bits.reshape(len(beats) * self.lanes, dtype.width)
        codes = np.zeros(len(bits), dtype=np.uint64)
        for position in range(dtype.width):
            codes |= bits[:, position].astype(np.uint64) << np.uint64(position)
        return dtype.decode(codes).astype(dtype.numpy).reshape(frames, *self.spec.shape)


@dataclass(frozen=True)
class WeightStream:
    """An input stream that carries the weights of the operation `layer`, in the order in which they are used.

    `words` are the beats, `repetitions` times in every frame and again in the next; a reset starts with the first word.
    A word has `port.lanes` bits.
    """

    port: PortSpec
    layer: str
    words: tuple[int, ...]

    @property
    def repetitions(self) -> int:
        """How often the words come in one frame."""
        return self.port.beats // len(self.words)

    @property
    def file(self) -> str:
        """Name of the file that lists the words for a host, one a line, as `$readmemh` reads them."""
        return f"{self.port.name}.mem"

    @cached_property
    def beats(self) -> NDArray[np.uint8]:
        """The words as beats: uint8 of shape (words, data_width / 8), little end first."""
        size = self.port.data_width // 8
        octets = b"".join(word.to_bytes(size, "little") for word in self.words)
        return np.frombuffer(octets, dtype=np.uint8).reshape(-1, size)

    def text(self) -> str:
        """The content of `file`."""
        digits = self.port.data_width // 4
        return "".join(f"{word:0{digits}x}\n" for word in self.words)
