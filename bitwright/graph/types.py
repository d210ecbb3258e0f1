"""Integer types: the closed interval of values a tensor can hold, and how those values look as bits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bitwright.errors import InputError

IntArray = NDArray[Any]
"""A NumPy array of any integer dtype."""

Kind = Literal["integer", "bipolar", "ternary"]


@dataclass(frozen=True)
class IntType:
    """The integers of the closed interval [lo, hi].

    `kind` sets apart BIPOLAR, the set {-1, +1} held in one bit (1 for +1), and TERNARY, the set {-1, 0, +1} held in
    two bits of two's complement. Plain intervals are held unsigned when lo >= 0, in two's complement otherwise.
    """

    lo: int
    hi: int
    kind: Kind = "integer"

    def __post_init__(self) -> None:
        if self.lo > self.hi:
            raise InputError(f"an integer type needs lo <= hi, not [{self.lo}, {self.hi}]")
        if self.kind != "integer" and (self.lo, self.hi) != (-1, 1):
            raise InputError(f"a {self.kind} type is always [-1, 1], not [{self.lo}, {self.hi}]")

    @staticmethod
    def unsigned(bits: int) -> IntType:
        """[0, 2^bits - 1]."""
        return IntType(0, (1 << bits) - 1)

    @staticmethod
    def signed_bits(bits: int) -> IntType:
        """[-2^(bits-1), 2^(bits-1) - 1]."""
        return IntType(-(1 << (bits - 1)), (1 << (bits - 1)) - 1)

    @property
    def signed(self) -> bool:
        """Whether the bits are two's complement. BIPOLAR is not: its one bit is a code."""
        return self.lo < 0 and self.kind != "bipolar"

    @property
    def width(self) -> int:
        """Bits of one element in hardware (at least 1)."""
        if self.kind == "bipolar":
            return 1
        if self.lo >= 0:
            return max(1, self.hi.bit_length())
        return 1 + max((-self.lo - 1).bit_length(), self.hi.bit_length() if self.hi >= 0 else 0)

    @property
    def numpy(self) -> np.dtype[Any]:
        """The smallest signed NumPy dtype that holds the interval."""
        for name in ("int8", "int16", "int32", "int64"):
            info = np.iinfo(name)
            if info.min <= self.lo and self.hi <= info.max:
                return np.dtype(name)
        raise InputError(f"{self} does not fit 64 bits; split the layer or use fewer bits")

    def contains(self, values: IntArray) -> bool:
        """Whether every value belongs to the type (0 does not belong to BIPOLAR)."""
        if values.size == 0:
            return True
        if int(values.min()) < self.lo or int(values.max()) > self.hi:
            return False
        return self.kind != "bipolar" or bool(np.all(values != 0))

    def encode(self, values: IntArray) -> NDArray[np.uint64]:
        """Values as hardware codes of `width` bits (BIPOLAR: +1 is 1, -1 is 0; otherwise modulo 2^width)."""
        if self.kind == "bipolar":
            return (values > 0).astype(np.uint64)
        return values.astype(np.int64).astype(np.uint64) & np.uint64((1 << self.width) - 1)

    def decode(self, codes: NDArray[np.uint64]) -> NDArray[np.int64]:
        """The inverse of `encode`."""
        values = codes.astype(np.int64)
        if self.kind == "bipolar":
            return 2 * values - 1
        if self.signed:
            sign = np.int64(1 << (self.width - 1))
            return (values ^ sign) - sign
        return values

    def __str__(self) -> str:
        if self.kind != "integer":
            return self.kind
        if self == IntType.unsigned(self.width):
            return f"uint{self.width}"
        if self == IntType.signed_bits(self.width):
            return f"int{self.width}"
        return f"[{self.lo}, {self.hi}]"


BIPOLAR = IntType(-1, 1, "bipolar")
"""{-1, +1} in one bit: 1 stands for +1."""

TERNARY = IntType(-1, 1, "ternary")
"""{-1, 0, +1} in two bits of two's complement."""


@dataclass(frozen=True)
class TensorSpec:
    """Shape (without batch) and type of one tensor of a network.

    `scale` may ride along for reports: real value = scale * integer. It takes no part in any computation.
    """

    shape: tuple[int, ...]
    dtype: IntType
    scale: float | None = None

    @property
    def size(self) -> int:
        """Number of elements of one frame."""
        return int(np.prod(self.shape, dtype=np.int64)) if self.shape else 1

    def check(self, values: IntArray, what: str = "input") -> None:
        """Raise InputError unless `values` is a batch of this tensor: integers, right shape, inside the type."""
        if not isinstance(values, np.ndarray) or not np.issubdtype(values.dtype, np.integer):
            found = getattr(values, "dtype", type(values).__name__)
            raise InputError(f"{what} must be a NumPy array of integers, not {found}; use net.quantize() first")
        if values.shape[1:] != self.shape or values.ndim != len(self.shape) + 1:
            expected = ", ".join(["batch", *map(str, self.shape)])
            raise InputError(f"{what} has shape {values.shape}; expected ({expected})")
        if not self.dtype.contains(values):
            raise InputError(
                f"{what} has values in [{values.min()}, {values.max()}] outside its type {self.dtype}; "
                "clip or quantize it to the type first"
            )

    def __str__(self) -> str:
        return f"{self.dtype}[{' x '.join(map(str, self.shape)) or 'scalar'}]"
