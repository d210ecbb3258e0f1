"""What a design may take of an FPGA."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitwright.hw.cost import Family

RESOURCES = ("LUTs", "block RAMs", "DSP blocks")

DEFAULT_WEIGHTS = (1.0, 100.0, 200.0)
"""What a LUT, a block RAM and a DSP block are worth where nothing is scarce.

An ECP5-85K has 400 LUTs for each block RAM, but memories of LUTs cost routing and clock as well: TFC w1a1 with 64
cycles a frame takes 4,400 LUTs and 22 block RAMs, or 9,100 LUTs that take minutes longer to place.
"""


@dataclass(frozen=True)
class Budget:
    """LUTs, block RAMs and DSP blocks of an FPGA of `family` that a design may take; `name` is for messages."""

    name: str
    family: Family
    luts: int
    brams: int
    dsps: int

    @property
    def limits(self) -> NDArray[np.float64]:
        """(3,) as in RESOURCES."""
        return np.array([self.luts, self.brams, self.dsps], dtype=np.float64)
