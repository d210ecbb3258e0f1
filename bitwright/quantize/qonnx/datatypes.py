"""The names of FINN's data types, by which QONNX annotates tensors of integers."""

from __future__ import annotations

from bitwright.graph import BIPOLAR, TERNARY, IntType

NAMED = {"BIPOLAR": BIPOLAR, "TERNARY": TERNARY, "BINARY": IntType.unsigned(1)}

MAX_BITS = 32
"""The widest integers that FINN names."""


def finn_type(word: str) -> IntType | None:
    """The type of a FINN data type such as "UINT4"; None for other words (FLOAT32, fixed point)."""
    if word in NAMED:
        return NAMED[word]
    for prefix, make in (("UINT", IntType.unsigned), ("INT", IntType.signed_bits)):
        bits = word.removeprefix(prefix)
        if word.startswith(prefix) and bits.isdecimal() and 1 <= int(bits) <= MAX_BITS:
            return make(int(bits))
    return None


def finn_name(dtype: IntType) -> str:
    """The smallest FINN data type that holds an integer type."""
    if dtype.kind != "integer":
        return dtype.kind.upper()
    if dtype.lo >= 0:
        bits = max(1, dtype.hi.bit_length())
        return "BINARY" if bits == 1 else f"UINT{bits}"
    bits = 1
    while IntType.signed_bits(bits).lo > dtype.lo or IntType.signed_bits(bits).hi < dtype.hi:
        bits += 1
    return f"INT{max(bits, 2)}"
