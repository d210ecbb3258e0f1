"""Choosing a folding: the cheapest that meets a target, or the fastest within a budget of lookup tables."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitwright.errors import FoldingError, InputError
from bitwright.graph import Network, Operation
from bitwright.hw.cost import converter_luts, layer_luts
from bitwright.hw.firings import foldings, lanes_in, lanes_out, stage_cycles
from bitwright.hw.folding import Folding, LayerFolding
from bitwright.hw.fusion import staged, stream_names


def fold(
    network: Network,
    *,
    target_cycles: int | None = None,
    target_fps: float | None = None,
    clock_mhz: float = 100.0,
    luts: int | None = None,
) -> Folding:
    """The folding of every layer.

    With `target_cycles` (cycles between frames) or `target_fps` (at `clock_mhz`): the least estimated hardware that
    reaches it. With `luts`: the fastest whose estimate stays within that many lookup tables. With both a target and
    `luts` the target is met within the budget. Without any: one multiplier a layer. Raises FoldingError that names
    the layer for a target no folding reaches, and InputError for targets that make no sense.
    """
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
    if target_cycles is not None:
        if target_cycles < 1:
            raise InputError(f"target_cycles must be at least 1, not {target_cycles}")
        folding, cost = _Search(network).cheapest(target_cycles)
        if luts is not None and cost > luts:
            raise FoldingError(
                f"network '{network.name}': {target_cycles} cycles a frame need about {cost:.0f} LUTs, "
                f"{luts} are there; raise target_cycles or take a larger device"
            )
        return folding
    search = _Search(network)
    return search.cheapest(search.slowest)[0] if luts is None else search.fastest(luts)


def estimated_luts(network: Network, folding: Folding) -> float:
    """Lookup tables of the whole network by `cost`, for ranking."""
    names = stream_names(network)
    lanes: dict[str, int] = {}
    total = 0.0
    for op, last in staged(network):
        one = folding.get(op.name) or LayerFolding(1, lanes.get(names[op.inputs[0]], 1))
        total += layer_luts(network, op, one)
        for tensor in op.inputs:
            source = names[tensor]
            if source in lanes:
                width = network.spec(source).dtype.width
                total += converter_luts(width, lanes[source], lanes_in(network, op, one))
        lanes[last.output] = lanes_out(one)
    return total


@dataclass(frozen=True, eq=False)
class _Choices:
    """Foldings of one operation: arrays of the cycles, costs and lanes of each."""

    foldings: tuple[LayerFolding, ...]
    cycles: NDArray[np.int64]
    costs: NDArray[np.float64]
    lanes_in: NDArray[np.int64]
    lanes_out: NDArray[np.int64]

    def fitting(self, target: int) -> _Choices:
        """Those that take at most `target` cycles, the cheapest for each pair of lanes."""
        best: dict[tuple[int, int], int] = {}
        for index in np.flatnonzero(self.cycles <= target):
            pair = int(self.lanes_in[index]), int(self.lanes_out[index])
            if pair not in best or self.costs[index] < self.costs[best[pair]]:
                best[pair] = int(index)
        kept = sorted(best.values())
        return _Choices(
            tuple(self.foldings[index] for index in kept),
            self.cycles[kept],
            self.costs[kept],
            self.lanes_in[kept],
            self.lanes_out[kept],
        )


@dataclass(frozen=True)
class _Stream:
    """A tensor between two operations, by their numbers, and the bits of its elements."""

    source: int
    target: int
    width: int

    def costs(self, lanes_from: NDArray[np.int64], lanes_to: NDArray[np.int64]) -> NDArray[np.float64]:
        """(from, to) lookup tables of the converters."""
        costs = [[converter_luts(self.width, int(a), int(b)) for b in lanes_to] for a in lanes_from]
        return np.array(costs, dtype=np.float64)


class _Search:
    """All foldings of a network and what they cost; answers for any target."""

    def __init__(self, network: Network) -> None:
        self.network = network
        names = stream_names(network)
        self.operations = [op for op, _ in staged(network)]
        makers = {last.output: index for index, (_, last) in enumerate(staged(network))}
        self.streams = [
            _Stream(makers[names[tensor]], index, network.spec(tensor).dtype.width)
            for index, op in enumerate(self.operations)
            for tensor in op.inputs
            if names[tensor] in makers
        ]
        self.choices = [self._all(op) for op in self.operations]

    def _all(self, op: Operation) -> _Choices:
        every = foldings(self.network, op)
        return _Choices(
            tuple(every),
            np.array([stage_cycles(self.network, op, one) for one in every]),
            np.array([layer_luts(self.network, op, one) for one in every], dtype=np.float64),
            np.array([lanes_in(self.network, op, one) for one in every]),
            np.array([lanes_out(one) for one in every]),
        )

    @property
    def slowest(self) -> int:
        """Cycles a frame of the smallest hardware."""
        return max((int(one.cycles.max()) for one in self.choices), default=1)

    def cheapest(self, target: int) -> tuple[Folding, float]:
        """The folding of least estimated cost that takes at most `target` cycles a frame.

        Dynamic programming over a tree of streams, exact where the network is a tree; where branches join, single
        layers are then changed as long as that saves something.
        """
        fitting = []
        for op, choices in zip(self.operations, self.choices, strict=True):
            if choices.cycles.min() > target:
                best = int(choices.cycles.min())
                raise FoldingError(
                    f"layer '{op.name}' takes at least {best} cycles a frame, more than the target of {target}; "
                    f"raise target_cycles to {best} or more"
                )
            fitting.append(choices.fitting(target))
        costs = [
            stream.costs(fitting[stream.source].lanes_out, fitting[stream.target].lanes_in) for stream in self.streams
        ]
        picks = self._tree(fitting, costs)
        self._refine(fitting, costs, picks)
        total = sum(float(one.costs[pick]) for one, pick in zip(fitting, picks, strict=True))
        total += sum(float(c[picks[s.source], picks[s.target]]) for s, c in zip(self.streams, costs, strict=True))
        layers = {op.name: one.foldings[pick] for op, one, pick in zip(self.operations, fitting, picks, strict=True)}
        return Folding(layers), total

    def _tree(self, fitting: list[_Choices], costs: list[NDArray[np.float64]]) -> list[int]:
        """The best picks when each operation is bound to the maker of its first input alone."""
        parent: dict[int, int] = {}
        for number, stream in enumerate(self.streams):
            parent.setdefault(stream.target, number)
        totals = [one.costs.copy() for one in fitting]
        follow: dict[int, NDArray[np.int64]] = {}
        for index in reversed(range(len(fitting))):
            if index in parent:
                ways = costs[parent[index]] + totals[index][None, :]
                follow[index] = ways.argmin(axis=1)
                totals[self.streams[parent[index]].source] += ways.min(axis=1)
        picks = [int(one.argmin()) for one in totals]
        for index in range(len(fitting)):
            if index in parent:
                picks[index] = int(follow[index][picks[self.streams[parent[index]].source]])
        return picks

    def _refine(self, fitting: list[_Choices], costs: list[NDArray[np.float64]], picks: list[int]) -> None:
        """Change one operation at a time to what is best beside its neighbours, until nothing is better."""
        changed = True
        while changed:
            changed = False
            for index, one in enumerate(fitting):
                total = one.costs.copy()
                for stream, cost in zip(self.streams, costs, strict=True):
                    if stream.source == index:
                        total += cost[:, picks[stream.target]]
                    if stream.target == index:
                        total += cost[picks[stream.source], :]
                best = int(total.argmin())
                if total[best] < total[picks[index]] - 1e-9:
                    picks[index], changed = best, True

    def fastest(self, luts: int) -> Folding:
        """The folding of fewest cycles whose estimate stays within `luts`."""
        low, high = 1, self.slowest
        folding, cost = self.cheapest(high)
        if cost > luts:
            raise FoldingError(
                f"network '{self.network.name}' needs about {cost:.0f} LUTs at its smallest, {luts} are there; "
                "take a larger device or a smaller network"
            )
        while low < high:
            middle = (low + high) // 2
            try:
                candidate, cost = self.cheapest(middle)
            except FoldingError:
                low = middle + 1
                continue
            if cost <= luts:
                folding, high = candidate, middle
            else:
                low = middle + 1
        return folding
