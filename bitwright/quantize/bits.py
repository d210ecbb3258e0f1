"""The number of bits of an integer layer, checked."""

from __future__ import annotations

from bitwright.errors import InputError


def check_bits(what: str, bits: int) -> None:
    """Raise InputError unless `bits` is an int from 1 to 8; `what` names the caller in the message."""
    if not isinstance(bits, int) or isinstance(bits, bool) or not 1 <= bits <= 8:
        raise InputError(f"{what} takes 1 to 8 bits, not {bits!r}; choose an int in that range")
