"""Choosing a folding: the cheapest that meets a target, or the fastest within the budget of a device."""

from __future__ import annotations

import math

import numpy as np

from bitwright.errors import FoldingError, InputError
from bitwright.graph import Conv, Linear, Network
from bitwright.hw.budget import DEFAULT_WEIGHTS, RESOURCES, Budget
from bitwright.hw.cost import Cost, Family, converter_cost, layer_cost
from bitwright.hw.firings import lanes_in, lanes_out
from bitwright.hw.fold_search import Known, Plan, Search
from bitwright.hw.folding import Folding, LayerFolding
from bitwright.hw.fusion import staged, stream_names

ROUNDS = 8
"""Times that the resource which is short is made dearer before a target counts as not to be had within a budget."""


def fold(
    network: Network,
    *,
    target_cycles: int | None = None,
    target_fps: float | None = None,
    clock_mhz: float = 100.0,
    budget: Budget | None = None,
) -> Folding:
    """The folding of every layer.

    With `target_cycles` (cycles between frames) or `target_fps` (at `clock_mhz`): the least estimated hardware that
    reaches it, a block RAM counted as 100 LUTs and a DSP block as 200. With `budget`: the fastest that stays within
    its LUTs, block RAMs and DSP blocks, what is scarce counted by its share of the budget. With both the target is
    met within the budget. Without any: one multiplier a layer.

    Where the weights are too many for the budget's block RAMs even in the smallest design, the layers with the
    largest are streamed from outside (`Folding.streamed`). Raises FoldingError that names the layer and the best that
    can be had for what is out of reach, and InputError for targets that make no sense.
    """
    target = _target(target_cycles, target_fps, clock_mhz)
    if budget is not None:
        return _Fitting(network, budget).fold(target)
    search = Search(network, "ecp5")
    return search.cheapest(target or search.slowest, np.array(DEFAULT_WEIGHTS)).folding


def _target(target_cycles: int | None, target_fps: float | None, clock_mhz: float) -> int | None:
    if target_cycles is not None and target_fps is not None:
        raise InputError("give target_cycles or target_fps, not both")
    if target_fps is not None:
        if not (target_fps > 0 and clock_mhz > 0 and math.isfinite(target_fps) and math.isfinite(clock_mhz)):
            raise InputError(f"target_fps and clock_mhz must be positive, not {target_fps} and {clock_mhz}")
        target_cycles = int(clock_mhz * 1e6 / target_fps)
        if target_cycles < 1:
            raise FoldingError(
                f"{target_fps:g} frames/s at {clock_mhz:g} MHz leaves less than one cycle a frame; raise clock_mhz"
            )
    if target_cycles is not None and target_cycles < 1:
        raise InputError(f"target_cycles must be at least 1, not {target_cycles}")
    return target_cycles


def estimated_cost(network: Network, folding: Folding, family: Family = "ecp5", *, dsp: bool = True) -> Cost:
    """LUTs, block RAMs and DSP blocks of a whole network by `cost`, for ranking, before it is assembled."""
    names = stream_names(network)
    lanes: dict[str, int] = {}
    costs: list[Cost] = []
    for op, last in staged(network):
        one = folding.get(op.name) or LayerFolding(1, lanes.get(names[op.inputs[0]], 1))
        costs.append(layer_cost(network, op, one, family, dsp=dsp))
        for tensor in op.inputs:
            source = names[tensor]
            if source in lanes:
                width = network.spec(source).dtype.width
                costs.append(converter_cost(width, lanes[source], lanes_in(network, op, one), family))
        lanes[last.output] = lanes_out(one)
    return Cost(sum(one.luts for one in costs), sum(one.brams for one in costs), sum(one.dsps for one in costs))


class _Fitting:
    """The search within a budget.

    Synthesis puts all products into DSP blocks or, where those of the device are too few, none; so there are two
    searches, the second one only where products could be in DSP blocks at all.
    """

    def __init__(self, network: Network, budget: Budget) -> None:
        self.network, self.budget = network, budget
        self.limits = np.maximum(budget.limits, 1)
        self.known: Known = {}
        self.searches: list[Search] = []

    def fold(self, target: int | None) -> Folding:
        """The fastest folding within the budget, or one that meets the target."""
        smallest = self._smallest()
        if target is None:
            return self._fastest(smallest)[1].folding
        closest = self._closest(target)
        if (closest.total > self.limits).any():
            raise self._over(
                closest, f"at {target} cycles a frame", f"raise target_cycles to {self._fastest(smallest)[0]}"
            )
        return closest.folding

    def _smallest(self) -> Plan:
        """The smallest design; the weights of as few layers as possible are streamed, the largest first."""
        layers = [op for op in self.network.operations if isinstance(op, Linear | Conv)]
        largest = sorted(layers, key=lambda op: op.weights.size * op.weight_type.width, reverse=True)
        for count in range(len(largest) + 1):
            self._search(frozenset(op.name for op in largest[:count]))
            plan = self._closest(self.searches[0].slowest)
            if (plan.total <= self.limits).all():
                return plan
        raise self._over(plan, "at its smallest, all weights streamed,", "take a smaller network")

    def _search(self, streamed: frozenset[str]) -> None:
        """Choose the layers with streamed weights."""
        family = self.budget.family
        self.searches = [Search(self.network, family, dsp=self.budget.dsps > 0, streamed=streamed, known=self.known)]
        if self.searches[0].multiplies:
            self.searches.append(Search(self.network, family, dsp=False, streamed=streamed, known=self.known))

    def _closest(self, target: int) -> Plan:
        """The first plan found that takes at most `target` cycles and stays within the budget, else the closest."""
        best: Plan | None = None
        for search in self.searches:
            scarce, weights = 1 / self.limits, np.array(DEFAULT_WEIGHTS)
            for _ in range(ROUNDS):
                plan = search.cheapest(target, weights)
                shares = plan.total / self.limits
                if best is None or shares.max() < (best.total / self.limits).max():
                    best = plan
                if (shares <= 1).all():
                    return plan
                weights = scarce = scarce * np.where(shares > 1, 1 + 2 * shares, 1)
        assert best is not None
        return best

    def _fastest(self, smallest: Plan) -> tuple[int, Plan]:
        """The fewest cycles a frame within the budget, and the plan."""
        best, low, high = smallest, self.searches[0].quickest[0], self.searches[0].slowest
        while low < high:
            middle = (low + high) // 2
            plan = self._closest(middle)
            if (plan.total > self.limits).any():
                low = middle + 1
            else:
                best, high = plan, middle
        return high, best

    def _over(self, plan: Plan, when: str, way_out: str) -> FoldingError:
        """The error of a plan that exceeds the budget, in words."""
        index = int(np.argmax(plan.total / self.limits))
        largest = int(plan.parts[:, index].argmax())
        return FoldingError(
            f"network '{self.network.name}' {when} needs about {plan.total[index]:.0f} {RESOURCES[index]}, "
            f"{self.budget.limits[index]:.0f} may be used on {self.budget.name} (layer "
            f"'{self.searches[0].operations[largest].name}' takes {plan.parts[largest, index]:.0f}); "
            f"{way_out} or take a larger device"
        )
