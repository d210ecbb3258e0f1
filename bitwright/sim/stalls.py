"""Random stalls on both sides of a design, as concrete arrays that RTL and cycle model share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitwright.errors import InputError

READY_PERIOD = 8191
"""Cycles after which a drawn ready pattern repeats; a prime, so that it does not lock to a design's own rhythm."""


@dataclass(frozen=True)
class Stalls:
    """Seeded random stalls.

    `input_gap`: mean number of cycles the source waits before it offers a beat (geometric distribution).
    `output_gap`: mean number of cycles the sink is not ready between two cycles in which it is; so it is ready in a
    cycle with probability 1 / (1 + output_gap).

    What the arrays mean, cycle 0 being the first cycle after reset:

    - Input beat 0 is offered from cycle `gaps[0]` on. Input beat i is offered from cycle `a + 1 + gaps[i]` on, where a
      is the cycle in which beat i - 1 was accepted. An offered beat stays until it is accepted.
    - In cycle c output o is ready if `output_ready(length, o)[c % length]`, whatever the design does.
    """

    seed: int = 0
    input_gap: float = 0.0
    output_gap: float = 0.0

    def __post_init__(self) -> None:
        for name in ("input_gap", "output_gap"):
            if not 0 <= getattr(self, name) <= 1000:
                raise InputError(f"Stalls.{name} is a mean number of cycles in [0, 1000], not {getattr(self, name)}")
        if self.seed < 0:
            raise InputError(f"Stalls.seed must be 0 or more, not {self.seed}")

    def input_gaps(self, beats: int) -> NDArray[np.uint32]:
        """Cycles the source waits before each of `beats` input beats. A longer array starts with the shorter one."""
        if self.input_gap == 0:
            return np.zeros(beats, dtype=np.uint32)
        draws = np.random.default_rng((self.seed, 0)).random(beats)
        # Inverse of the geometric distribution on 0, 1, 2, ... with mean input_gap.
        stay = self.input_gap / (1 + self.input_gap)
        waits = np.floor(np.log1p(-draws) / np.log(stay))
        return np.asarray(waits, dtype=np.uint32)

    def output_ready(self, length: int = READY_PERIOD, output_index: int = 0) -> NDArray[np.bool_]:
        """Whether output `output_index` is ready in cycles 0 to length - 1; the pattern repeats after that.

        At least one cycle is ready. Simulators and cycle model both use the default length.
        """
        if self.output_gap == 0:
            return np.ones(length, dtype=np.bool_)
        ready = np.random.default_rng((self.seed, 1 + output_index)).random(length) < 1 / (1 + self.output_gap)
        if not ready.any():
            ready[-1] = True
        return ready
