"""What every operation of the integer network is: named tensors in, named tensors out, one exact definition."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from bitwright.errors import InputError
from bitwright.graph.types import IntArray, TensorSpec


@dataclass(frozen=True, eq=False, kw_only=True)
class Operation(ABC):
    """One node of a Network. Subclasses are frozen dataclasses with keyword arguments, one file each.

    `name` is unique in its network; `inputs` and `output` are tensor names. `run` is the definition of the
    operation: RTL, cycle model, energy and every fast path answer to it.
    """

    name: str
    inputs: tuple[str, ...]
    output: str

    kind: ClassVar[str]
    """The word for this operation in files and reports, e.g. "Linear"."""

    arity: ClassVar[tuple[int, int | None]] = (1, 1)
    """The least and the largest number of input tensors; None is any number."""

    def __post_init__(self) -> None:
        if isinstance(self.inputs, str):
            raise self.error(f"inputs must be a tuple of tensor names, not the string {self.inputs!r}")
        object.__setattr__(self, "inputs", tuple(self.inputs))
        for word in (self.name, self.output, *self.inputs):
            check_name(word, f"operation '{self.name}'")
        least, most = self.arity
        if len(self.inputs) < least or (most is not None and len(self.inputs) > most):
            wanted = f"exactly {least}" if least == most else f"{least} or more"
            raise self.error(f"takes {wanted} input tensor{'' if most == 1 else 's'}, not {len(self.inputs)}")
        if len(set(self.inputs)) != len(self.inputs):
            raise self.error(f"reads a tensor twice ({', '.join(self.inputs)}); read each tensor once")

    @abstractmethod
    def infer(self, *specs: TensorSpec) -> TensorSpec:
        """The output's shape and type from the inputs'. Raises InputError naming the operation when they do not fit."""

    @abstractmethod
    def run(self, *values: IntArray) -> IntArray:
        """The exact result for a batch (axis 0) of each input.

        The array's dtype is any integer dtype that holds the values; `Network` keeps every tensor in the smallest
        signed NumPy dtype of its type. Raises InputError when an exact result does not fit 64 bits.
        """

    def macs(self, *specs: TensorSpec) -> int:
        """Multiply-accumulates of one frame."""
        return 0

    @property
    def weight_bits(self) -> int:
        """Bits of weight memory."""
        return 0

    def attributes(self) -> Mapping[str, Any]:
        """All fields besides name, inputs and output.

        Values are JSON values, IntTypes, NumPy integer or bool arrays, and tuples of integers or of such tuples.
        """
        common = {field.name for field in dataclasses.fields(Operation)}
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.name not in common}

    def error(self, message: str) -> InputError:
        """An InputError whose message names this operation."""
        return InputError(f"{self.kind} '{self.name}': {message}")

    def constant(self, field: str, dtype: str | np.dtype[Any], ndim: int) -> IntArray:
        """Replace the field by a read-only copy in `dtype` with C order, after a check of its shape and values."""
        given = np.asarray(getattr(self, field))
        kinds = "b" if np.dtype(dtype) == np.bool_ else "iu"
        if given.dtype.kind not in kinds:
            word = "bool" if kinds == "b" else "integer"
            raise self.error(f"{field} must be an {word} array, not {given.dtype}".replace("an bool", "a bool"))
        if given.ndim != ndim or given.size == 0:
            raise self.error(f"{field} must be a non-empty array of {ndim} axes, not of shape {given.shape}")
        held = np.array(given, dtype=dtype, order="C")
        if kinds == "iu" and (int(given.min()) != int(held.min()) or int(given.max()) != int(held.max())):
            raise self.error(f"{field} has values in [{given.min()}, {given.max()}] that do not fit {held.dtype}")
        held.flags.writeable = False
        object.__setattr__(self, field, held)
        return held

    def integers(self, field: str, length: int, default: tuple[int, ...]) -> None:
        """Replace the field by a tuple of `length` integers of at least 1; an empty one becomes the default."""
        given = getattr(self, field)
        if not isinstance(given, (tuple, list)):
            raise self.error(f"{field} must be a tuple of {length} integers, not {given!r:.60}")
        held = tuple(given) or default
        if len(held) != length or any(isinstance(v, bool) or not isinstance(v, int) or v < 1 for v in held):
            raise self.error(f"{field} must be {length} integers of at least 1, not {given!r:.60}")
        object.__setattr__(self, field, held)

    def pads(self, field: str, length: int) -> None:
        """Replace the field by a tuple of `length` pairs (before, after) from 0 on; an empty one becomes no padding."""
        given = getattr(self, field)
        pairs = given if isinstance(given, (tuple, list)) else ((),)
        held = tuple(tuple(pair) if isinstance(pair, (tuple, list)) else () for pair in pairs) or ((0, 0),) * length
        whole = all(isinstance(v, int) and not isinstance(v, bool) and v >= 0 for pair in held for v in pair)
        if len(held) != length or any(len(pair) != 2 for pair in held) or not whole:
            raise self.error(f"{field} must be {length} pairs (before, after) of integers from 0 on, not {given!r:.60}")
        object.__setattr__(self, field, held)

    def channels(self, spec: TensorSpec) -> int:
        """The size of the last axis of the input."""
        if not spec.shape:
            raise self.error("needs an input with at least one axis besides the batch, not a scalar")
        return spec.shape[-1]


def check_name(word: object, where: str) -> None:
    """Raise InputError unless `word` is a printable, non-empty string of at most 200 characters."""
    if not isinstance(word, str) or not word or len(word) > 200 or not word.isprintable():
        raise InputError(f"{where}: {word!r:.60} is no name; use 1 to 200 printable characters")
