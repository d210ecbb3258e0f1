"""Popcount leaf modules: one SystemVerilog text per number of bits, kind and fabric.

Three kinds, all combinational: `popcount_N` counts the ones of `bits`, `xnor_popcount_N` the places in which `x` and
`w` agree (a product of bipolar vectors), `and_popcount_N` those in which both are 1 (a product of bit planes).

Fabrics: `generic` leaves the adders to the tools; `lut6` (Xilinx 7-series), `lut4_ecp5` and `lut4_ice40` are
compressor networks that Yosys keeps as designed. Every text is legal for Verilator, Yosys and Icarus and computes the
same function.
"""

from __future__ import annotations

from collections.abc import Iterable

from bitwright.errors import InputError
from bitwright.hw.popcount import generic, lut4_ecp5, lut4_ice40, lut6
from bitwright.hw.popcount.ports import KINDS, Kind, is_kind, module_name

FABRICS = {
    "generic": generic.modules,
    "lut6": lut6.modules,
    "lut4_ecp5": lut4_ecp5.modules,
    "lut4_ice40": lut4_ice40.modules,
}


def popcount_library(requests: Iterable[int | tuple[str, int]], fabric: str) -> str:
    """Every module that the requests need, each exactly once, in a fixed order.

    A request is (kind, bits), or bits alone for the plain kind. Raises InputError for an unknown kind or fabric and
    for bits below 1.
    """
    if fabric not in FABRICS:
        raise InputError(f"unknown fabric '{fabric}'; choose one of {', '.join(FABRICS)}")
    collected: dict[str, str] = {}
    for kind, bits in {("plain", request) if isinstance(request, int) else request for request in requests}:
        if not is_kind(kind):
            raise InputError(f"unknown popcount kind '{kind}'; choose one of {', '.join(KINDS)}")
        if bits < 1:
            raise InputError(f"a popcount of {bits} bits does not exist; ask for 1 bit or more")
        collected |= FABRICS[fabric](kind, bits)
    return "\n".join(collected[name] for name in sorted(collected))


def dot_module(kind: str, bits: int, fabric: str) -> str:
    """The module of one kind and size with all its sub modules."""
    return popcount_library([(kind, bits)], fabric)


def popcount_module(bits: int, fabric: str) -> str:
    """`popcount_<bits>` with all its sub modules."""
    return popcount_library([bits], fabric)


__all__ = ["FABRICS", "KINDS", "Kind", "dot_module", "module_name", "popcount_library", "popcount_module"]
