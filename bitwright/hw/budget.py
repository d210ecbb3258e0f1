"""What a design may take of an FPGA."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitwright.hw.cost import Family

RESOURCES = ("LUTs", "block RAMs", "DSP blocks")

DEFAULT_WEIGHTS = (1.0, 400.0, 500.0)
"""What a LUT, a block RAM and a DSP block are worth when no device is given: about an ECP5-85K's LUTs for each."""


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
