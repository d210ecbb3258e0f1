"""The tensors of one chunk of frames while a network runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bitwright.graph.packed import Words, pack, unpack
from bitwright.graph.types import IntArray, TensorSpec


class Values:
    """Tensors, each as integers, as packed bits, or both; of bits the last axis is packed."""

    def __init__(self, specs: Mapping[str, TensorSpec]) -> None:
        self.specs = specs
        self._plain: dict[str, IntArray] = {}
        self._packed: dict[str, Words] = {}

    def plain(self, tensor: str) -> IntArray:
        """The integers (frames, *shape), unpacked on first use."""
        if tensor not in self._plain:
            self._plain[tensor] = unpack(self._packed[tensor], self.specs[tensor].shape[-1])
        return self._plain[tensor]

    def packed(self, tensor: str) -> Words:
        """The bits of a bipolar tensor (frames, ..., words), packed on first use."""
        if tensor not in self._packed:
            self._packed[tensor] = pack(self._plain[tensor])
        return self._packed[tensor]

    def is_packed(self, tensor: str) -> bool:
        """Whether the bits are there already."""
        return tensor in self._packed

    def set_plain(self, tensor: str, values: IntArray) -> None:
        """Keep integers in the tensor's own dtype."""
        self._plain[tensor] = values.astype(self.specs[tensor].dtype.numpy, copy=False)

    def set_packed(self, tensor: str, words: Words) -> None:
        """Keep packed bits."""
        self._packed[tensor] = words

    def drop(self, tensor: str) -> None:
        """Forget a tensor that nobody reads any more."""
        self._plain.pop(tensor, None)
        self._packed.pop(tensor, None)


Step = Callable[[Values], None]
"""One step of a plan: reads tensors and sets one."""
