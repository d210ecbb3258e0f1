"""Choosing a folding: the cheapest that meets a target, or the fastest within a budget of lookup tables."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bitwright.errors import FoldingError, InputError
from bitwright.graph import ArgMax, Duplicate, Linear, Network, Operation, Permute, TopK
from bitwright.hw.cost import converter_luts, layer_luts
from bitwright.hw.folding import Folding, LayerFolding, divisors
from bitwright.hw.fusion import staged, stream_names


@dataclass(frozen=True)
class _Choice:
    folding: LayerFolding
    cost: float


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
        folding, cost = _cheapest(network, target_cycles)
        if luts is not None and cost > luts:
            raise FoldingError(
                f"network '{network.name}': {target_cycles} cycles a frame need about {cost:.0f} LUTs, "
                f"{luts} are there; raise target_cycles or take a larger device"
            )
        return folding
    return _cheapest(network, _slowest(network))[0] if luts is None else _fastest(network, luts)


def estimated_luts(network: Network, folding: Folding) -> float:
    """Lookup tables of the whole network by `cost`, for ranking."""
    names = stream_names(network)
    lanes: dict[str, int] = {}
    total = 0.0
    for op, last in staged(network):
        source = names[op.inputs[0]]
        one = folding.get(op.name) or LayerFolding(1, lanes.get(source, 1))
        total += layer_luts(network, op, one)
        if source in lanes:
            total += converter_luts(network.spec(source).dtype.width, lanes[source], one.simd)
        lanes[last.output] = one.pe
    return total


def _firings(network: Network, op: Operation, one: LayerFolding) -> int:
    source, result = network.spec(op.inputs[0]), network.spec(op.output)
    if isinstance(op, Linear):
        inputs = source.shape[-1]
        return (result.shape[-1] // one.pe) * (inputs // one.simd) * (source.size // inputs)
    return max(source.size // one.simd, result.size // one.pe)


def _slowest(network: Network) -> int:
    return max((_firings(network, op, LayerFolding(1, 1)) for op, _ in staged(network)), default=1)


def _options(network: Network, op: Operation) -> list[LayerFolding]:
    inputs = (network.spec(op.inputs[0]).shape[-1:] or (1,))[0]
    outputs = (network.spec(op.output).shape[-1:] or (1,))[0]
    if isinstance(op, Linear | Permute | Duplicate):
        return [LayerFolding(pe, simd) for pe in divisors(outputs) for simd in divisors(inputs)]
    if isinstance(op, TopK):
        return [LayerFolding(outputs, 1)]
    if isinstance(op, ArgMax):
        return [LayerFolding(1, simd) for simd in divisors(inputs)]
    return [LayerFolding(lanes, lanes) for lanes in divisors(inputs)]


def _choices(network: Network, op: Operation, target: int) -> list[_Choice]:
    options = _options(network, op)
    fitting = [one for one in options if _firings(network, op, one) <= target]
    if not fitting:
        best = min(_firings(network, op, one) for one in options)
        raise FoldingError(
            f"layer '{op.name}' takes at least {best} cycles a frame, more than the target of {target}; "
            f"raise target_cycles to {best} or more"
        )
    # A folding with both PE and SIMD at least as large as another fitting one only costs more.
    minimal = [one for one in fitting if not any(o != one and o.pe <= one.pe and o.simd <= one.simd for o in fitting)]
    return [_Choice(one, layer_luts(network, op, one)) for one in minimal]


def _cheapest(network: Network, target: int) -> tuple[Folding, float]:
    """Dynamic programming from the leaves of the tree of operations: layers and the converters between them."""
    stages, names = staged(network), stream_names(network)
    readers: dict[str, list[Operation]] = {}
    for op, _ in stages:
        readers.setdefault(names[op.inputs[0]], []).append(op)
    output = {op.name: last.output for op, last in stages}
    choices = {op.name: _choices(network, op, target) for op, _ in stages}
    best: dict[str, list[float]] = {}
    follow: dict[str, list[list[int]]] = {}
    for op, last in reversed(stages):
        width = network.spec(last.output).dtype.width
        costs, picks = [], []
        for choice in choices[op.name]:
            total, picked = choice.cost, []
            for reader in readers.get(output[op.name], []):
                ways = [
                    best[reader.name][index] + converter_luts(width, choice.folding.pe, other.folding.simd)
                    for index, other in enumerate(choices[reader.name])
                ]
                cheapest = min(range(len(ways)), key=ways.__getitem__)
                total += ways[cheapest]
                picked.append(cheapest)
            costs.append(total)
            picks.append(picked)
        best[op.name], follow[op.name] = costs, picks
    layers: dict[str, LayerFolding] = {}
    cost = 0.0
    pending: list[tuple[Operation, int]] = []
    for op in readers.get(network.input_name, []):
        first = min(range(len(best[op.name])), key=best[op.name].__getitem__)
        cost += best[op.name][first]
        pending.append((op, first))
    while pending:
        op, index = pending.pop(0)
        layers[op.name] = choices[op.name][index].folding
        pending += zip(readers.get(output[op.name], []), follow[op.name][index], strict=True)
    return Folding({op.name: layers[op.name] for op, _ in stages}), cost


def _fastest(network: Network, luts: int) -> Folding:
    low, high = 1, _slowest(network)
    folding, cost = _cheapest(network, high)
    if cost > luts:
        raise FoldingError(
            f"network '{network.name}' needs about {cost:.0f} LUTs at its smallest, {luts} are there; "
            "take a larger device or a smaller network"
        )
    while low < high:
        middle = (low + high) // 2
        try:
            candidate, cost = _cheapest(network, middle)
        except FoldingError:
            low = middle + 1
            continue
        if cost <= luts:
            folding, high = candidate, middle
        else:
            low = middle + 1
    return folding
