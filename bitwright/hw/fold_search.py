"""All foldings of a network, what each costs, and the cheapest ones that reach a target."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from bitwright.errors import FoldingError
from bitwright.graph import Conv, Linear, Network, Operation
from bitwright.hw.conv import matrix
from bitwright.hw.cost import Family, converter_cost, layer_cost
from bitwright.hw.firings import foldings, lanes_in, lanes_out, stage_cycles
from bitwright.hw.folding import Folding, LayerFolding
from bitwright.hw.fusion import staged, stream_names
from bitwright.hw.product import choose_product

MAX_STREAM_BITS = 512
"""Widest word of a weight stream that is chosen, about what a memory controller gives a cycle."""

Amounts = NDArray[np.float64]
"""LUTs, block RAMs and DSP blocks along the last axis."""


@dataclass(frozen=True, eq=False)
class Choices:
    """Foldings of one operation: arrays of the cycles, amounts (n, 3) and lanes of each."""

    foldings: tuple[LayerFolding, ...]
    cycles: NDArray[np.int64]
    amounts: Amounts
    lanes_in: NDArray[np.int64]
    lanes_out: NDArray[np.int64]

    def fitting(self, target: int, weights: Amounts) -> Choices:
        """Those that take at most `target` cycles, the cheapest for each pair of lanes."""
        kept = np.flatnonzero(self.cycles <= target)
        kept = kept[np.argsort(self.amounts[kept] @ weights, kind="stable")]
        pairs = np.stack([self.lanes_in[kept], self.lanes_out[kept]])
        kept = np.sort(kept[np.unique(pairs, axis=1, return_index=True)[1]])
        return Choices(
            tuple(self.foldings[index] for index in kept),
            self.cycles[kept],
            self.amounts[kept],
            self.lanes_in[kept],
            self.lanes_out[kept],
        )


Known = dict[tuple[str, bool, bool], Choices]
"""The choices of operations by name, with products in DSP blocks or not, with streamed weights or not."""


@dataclass(frozen=True)
class _Stream:
    """A tensor between two operations, by their numbers, and the bits of its elements."""

    source: int
    target: int
    width: int

    def amounts(self, lanes_from: NDArray[np.int64], lanes_to: NDArray[np.int64], family: Family) -> Amounts:
        """(from, to, 3) what the converters take."""
        some_from, place_from = np.unique(lanes_from, return_inverse=True)
        some_to, place_to = np.unique(lanes_to, return_inverse=True)
        table = _converters(self.width, tuple(some_from.tolist()), tuple(some_to.tolist()), family)
        found: Amounts = table[place_from[:, None], place_to[None, :]]
        return found


@lru_cache(maxsize=1 << 10)
def _converters(width: int, lanes_from: tuple[int, ...], lanes_to: tuple[int, ...], family: Family) -> Amounts:
    costs = [[converter_cost(width, a, b, family) for b in lanes_to] for a in lanes_from]
    return np.array([[(one.luts, one.brams, one.dsps) for one in row] for row in costs], dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Plan:
    """A folding and what it is expected to take, in total and (operations, 3) by operation."""

    folding: Folding
    total: Amounts
    parts: Amounts


class Search:
    """All foldings of a network and what they cost on a family's devices; answers for any target.

    Without `dsp` all products are built of LUTs. The layers `streamed` get their weights from outside. What searches
    of the same network and family find out about an operation they share through `known`.
    """

    def __init__(
        self,
        network: Network,
        family: Family,
        *,
        dsp: bool = True,
        streamed: frozenset[str] = frozenset(),
        known: Known | None = None,
    ) -> None:
        self.network, self.family, self.dsp = network, family, dsp
        self.known: Known = {} if known is None else known
        names = stream_names(network)
        self.operations = [op for op, _ in staged(network)]
        makers = {last.output: index for index, (_, last) in enumerate(staged(network))}
        self.streams = [
            _Stream(makers[names[tensor]], index, network.spec(tensor).dtype.width)
            for index, op in enumerate(self.operations)
            for tensor in op.inputs
            if names[tensor] in makers
        ]
        self.choices = [self._all(op, op.name in streamed) for op in self.operations]

    def _all(self, op: Operation, streamed: bool) -> Choices:
        key = op.name, self.dsp, streamed
        if key not in self.known:
            self.known[key] = self._counted(op, streamed)
        return self.known[key]

    def _counted(self, op: Operation, streamed: bool) -> Choices:
        every = foldings(self.network, op)
        if streamed and isinstance(op, Linear | Conv):
            every = narrow_streams(self.network, op, every)
        costs = [layer_cost(self.network, op, one, self.family, dsp=self.dsp) for one in every]
        return Choices(
            tuple(every),
            np.array([stage_cycles(self.network, op, one) for one in every]),
            np.array([(cost.luts, cost.brams, cost.dsps) for cost in costs], dtype=np.float64),
            np.array([lanes_in(self.network, op, one) for one in every]),
            np.array([lanes_out(one) for one in every]),
        )

    @property
    def slowest(self) -> int:
        """Cycles a frame of the smallest hardware."""
        return max((int(one.cycles.max()) for one in self.choices), default=1)

    @property
    def quickest(self) -> tuple[int, str]:
        """The fewest cycles a frame that any folding reaches, and the layer that does not let it be fewer."""
        least = [(int(one.cycles.min()), op.name) for op, one in zip(self.operations, self.choices, strict=True)]
        return max(least, key=lambda pair: pair[0], default=(1, ""))

    @property
    def multiplies(self) -> bool:
        """Whether any folding has products in DSP blocks."""
        return any(bool(one.amounts[:, 2].any()) for one in self.choices)

    def cheapest(self, target: int, weights: Amounts) -> Plan:
        """The folding of least estimated cost, amounts times `weights`, that takes at most `target` cycles a frame.

        Dynamic programming over a tree of streams, exact where the network is a tree; where branches join, single
        layers are then changed as long as that saves something. Raises FoldingError for a target out of reach.
        """
        least, name = self.quickest
        if least > target:
            raise FoldingError(
                f"layer '{name}' takes at least {least} cycles a frame, more than the target of {target}; "
                f"raise target_cycles to {least} or more"
            )
        fitting = [choices.fitting(target, weights) for choices in self.choices]
        between = [
            stream.amounts(fitting[stream.source].lanes_out, fitting[stream.target].lanes_in, self.family)
            for stream in self.streams
        ]
        own, joins = [one.amounts @ weights for one in fitting], [one @ weights for one in between]
        picks = self._tree(own, joins)
        self._refine(own, joins, picks)
        parts = np.array([one.amounts[pick] for one, pick in zip(fitting, picks, strict=True)]).reshape(-1, 3)
        for stream, amounts in zip(self.streams, between, strict=True):
            parts[stream.target] += amounts[picks[stream.source], picks[stream.target]]
        layers = {op.name: one.foldings[pick] for op, one, pick in zip(self.operations, fitting, picks, strict=True)}
        return Plan(Folding(layers), parts.sum(axis=0), parts)

    def _tree(self, own: list[Amounts], joins: list[Amounts]) -> list[int]:
        """The best picks when each operation is bound to the maker of its first input alone."""
        parent: dict[int, int] = {}
        for number, stream in enumerate(self.streams):
            parent.setdefault(stream.target, number)
        totals = [one.copy() for one in own]
        follow: dict[int, NDArray[np.int64]] = {}
        for index in reversed(range(len(own))):
            if index in parent:
                ways = joins[parent[index]] + totals[index][None, :]
                follow[index] = ways.argmin(axis=1)
                totals[self.streams[parent[index]].source] += ways.min(axis=1)
        picks = [int(one.argmin()) for one in totals]
        for index in range(len(own)):
            if index in parent:
                picks[index] = int(follow[index][picks[self.streams[parent[index]].source]])
        return picks

    def _refine(self, own: list[Amounts], joins: list[Amounts], picks: list[int]) -> None:
        """Change one operation at a time to what is best beside its neighbours, until nothing is better."""
        changed = True
        while changed:
            changed = False
            for index, costs in enumerate(own):
                total = costs.copy()
                for stream, join in zip(self.streams, joins, strict=True):
                    if stream.source == index:
                        total += join[:, picks[stream.target]]
                    if stream.target == index:
                        total += join[picks[stream.source], :]
                best = int(total.argmin())
                if total[best] < total[picks[index]] - 1e-9 * max(1.0, abs(total[picks[index]])):
                    picks[index], changed = best, True


def narrow_streams(network: Network, op: Linear | Conv, every: list[LayerFolding]) -> list[LayerFolding]:
    """The foldings with streamed weights whose words are not too wide, the narrowest one if all are."""
    layer = op if isinstance(op, Linear) else matrix(op)
    product = choose_product(layer, network.spec(op.inputs[0]).dtype)
    bits = [one.pe * one.simd * product.weight_bits for one in every]
    widest = max(MAX_STREAM_BITS, min(bits))
    return [replace(one, weights="stream") for one, width in zip(every, bits, strict=True) if width <= widest]
