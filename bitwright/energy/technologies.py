"""The technologies that `estimate` knows: every figure with where it was published."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from types import MappingProxyType

from bitwright.energy.technology import Point, Technology
from bitwright.errors import InputError

_HOROWITZ = "M. Horowitz, Computing's energy problem (and what we can do about it), ISSCC 2014, 45 nm, 0.9 V"
_ALADDIN = "Accelergy Aladdin plug-in table (Shao et al., ISCA 2014; Wu et al., ICCAD 2019), 40 nm, 1 ns, 32 bits"
_CACTI = "CACTI 7, 45 nm"

_HOROWITZ45 = Technology(
    name="horowitz45",
    node_nm=45,
    voltage=0.9,
    source=_HOROWITZ,
    adds=(
        Point(8, 0.03, f"{_HOROWITZ}: int add 8 bits"),
        Point(16, 0.05, f"{_HOROWITZ}: int add 16 bits"),
        Point(32, 0.1, f"{_HOROWITZ}: int add 32 bits"),
    ),
    multiplies=(
        Point(8 * 8, 0.2, f"{_HOROWITZ}: int multiply 8 bits"),
        Point(32 * 32, 3.1, f"{_HOROWITZ}: int multiply 32 bits"),
    ),
    memory_reads=(
        Point(8 * 1024, 10.0, f"{_HOROWITZ}: 64-bit read of an 8 KB cache"),
        Point(32 * 1024, 20.0, f"{_HOROWITZ}: 64-bit read of a 32 KB cache"),
        Point(1024 * 1024, 100.0, f"{_HOROWITZ}: 64-bit read of a 1 MB cache"),
    ),
    register_bit_point=Point(1, 0.009, f"borrowed from {_ALADDIN}: register bit", "assumed"),
    notes=(
        "the 16-bit addition is read from secondary prints of the table",
        "the register bit is borrowed from a 40 nm table, as the source has none",
        "multiplications of other widths follow a power law in the product of the widths through 8x8 and 32x32",
    ),
)

_ALADDIN40 = Technology(
    name="aladdin40",
    node_nm=40,
    voltage=0.9,
    source=f"{_ALADDIN}; memories {_CACTI}",
    adds=(Point(32, 0.21, f"{_ALADDIN}: adder"),),
    multiplies=(Point(32 * 32, 12.68, f"{_ALADDIN}: multiplier"),),
    memory_reads=(
        Point(8 * 1024, 2 * 5.27, f"{_CACTI}: 8 KB of 32 bits, twice for 64", "interpolated"),
        Point(32 * 1024, 17.0, f"{_CACTI}: 32 KB of 64 bits"),
        Point(64 * 1024, 21.2, f"{_CACTI}: 64 KB of 64 bits"),
    ),
    register_bit_point=Point(1, 0.009, f"{_ALADDIN}: register bit"),
    notes=(
        "additions scale linearly and multiplications with the product of the widths from one figure at 32 bits, "
        "as the table's plug-in does",
        "memories are of another node, 45 nm; the 0.9 V are assumed, the table does not state a voltage",
    ),
)

TECHNOLOGIES: Mapping[str, Technology] = MappingProxyType({t.name: t for t in (_HOROWITZ45, _ALADDIN40)})
"""Every technology by name."""


def find_technology(name: str) -> Technology:
    """The technology called `name`. Raises InputError that lists the known ones."""
    if name not in TECHNOLOGIES:
        close = difflib.get_close_matches(name, TECHNOLOGIES, n=1)
        hint = f"did you mean '{close[0]}'? " if close else ""
        raise InputError(f"unknown technology '{name}'; {hint}known: {', '.join(TECHNOLOGIES)}")
    return TECHNOLOGIES[name]
