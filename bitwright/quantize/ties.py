"""Rounding ties: inputs on which float32, float64 and exact sums round to different integers."""

from __future__ import annotations

from typing import Literal

import numpy as np

from bitwright.errors import LoweringError
from bitwright.quantize.plan import NetworkPlan, OperationPlan
from bitwright.quantize.reference import GRID_TOLERANCE, Decisions


class RoundingTieWarning(UserWarning):
    """PyTorch's own rounding decides an integer: another precision, or another order of summation, decides otherwise.

    `layer`, `frame` and `channel` are the first place; `frames` lists all frames with a tie. The integer network
    stands with exact sums.
    """

    def __init__(
        self, precision: str, layer: str, frame: int, channel: int, frames: tuple[int, ...], in_weights: bool = False
    ) -> None:
        """`precision` is what disagrees, "float32" or "float64"; `in_weights` when it rounds weights otherwise."""
        what, rule = ("weights of the layer round", "float64") if in_weights else ("values round", "exact sums")
        super().__init__(
            f"rounding tie at layer '{layer}', frame {frame}, channel {channel}: in {precision} some {what} to other "
            f"integers ({len(frames)} frames in all); the integer network follows {rule}"
        )
        self.layer = layer
        self.frame = frame
        self.channel = channel
        self.frames = frames


def find_ties(
    plan: NetworkPlan, exact: Decisions, other: Decisions, precision: Literal["float32", "float64"]
) -> RoundingTieWarning | None:
    """A warning of the first tie, None when there is none.

    Up to its first tie, a frame's real sums must agree within 2^-20 of a step in float64, else LoweringError: the
    layer is not what lowering took it for. In float32 a difference of a quarter step or more means that weights
    themselves round to other integers, which is a tie too.
    """
    tied: dict[int, tuple[str, int]] = {}
    for one in plan.plans:
        if isinstance(one, OperationPlan):
            _compare_sums(one, exact, other, precision, tied)
        elif one.name in exact.integers:
            mine, theirs = exact.integers[one.name], other.integers[one.name]
            for place in np.argwhere(mine != theirs):
                tied.setdefault(int(place[0]), (one.name, int(place[-1]) if len(place) > 1 else 0))
    if not tied:
        return None
    frame = min(tied)
    layer, channel = tied[frame]
    in_weights = any(isinstance(one, OperationPlan) and one.name == layer for one in plan.plans)
    return RoundingTieWarning(precision, layer, frame, channel, tuple(sorted(tied)), in_weights)


def _compare_sums(
    plan: OperationPlan, exact: Decisions, other: Decisions, precision: str, tied: dict[int, tuple[str, int]]
) -> None:
    if plan.slope is None or plan.name not in other.sums:
        return
    mine, theirs = exact.sums[plan.name], other.sums[plan.name]
    steps, relative = (0.25, 1e-5) if precision == "float32" else (GRID_TOLERANCE, 1e-13)
    wrong = ~(np.abs(mine - theirs) <= steps * np.abs(plan.slope) + relative * np.abs(mine))
    wrong[list(tied)] = False
    if precision == "float32":
        for found in np.argwhere(wrong):
            tied.setdefault(int(found[0]), (plan.name, int(found[-1])))
    elif np.any(wrong):
        place = tuple(int(index) for index in np.argwhere(wrong)[0])
        raise LoweringError(
            plan.name,
            f"frame {place[0]}, channel {place[-1]}: PyTorch computes {theirs[place]:.9g}, "
            f"its integers mean {mine[place]:.9g}",
            "use the layers of bitwright and Brevitas unchanged",
        )
