"""How long an operation takes a frame, and how wide its streams are, at a folding; known before anything is built."""

from __future__ import annotations

import math

from bitwright.graph import (
    Add,
    ArgMax,
    Concat,
    Conv,
    Linear,
    MaxPool,
    Network,
    Operation,
    Requant,
    SumPool,
    Threshold,
    TopK,
    Upsample,
)
from bitwright.hw.conv import is_pointwise, on_image, window_schedule
from bitwright.hw.folding import LayerFolding, lane_choices, layer_cycles
from bitwright.hw.fusion import staged

ALIKE = (Threshold, Requant, MaxPool, SumPool, Add, Concat, Upsample)
"""Operations with as many lanes in as out."""


def foldings(network: Network, op: Operation) -> list[LayerFolding]:
    """Every folding of an operation."""
    simds, pes, pixels = lane_choices(network, op)
    if isinstance(op, ALIKE):
        return [LayerFolding(lanes, lanes) for lanes in simds if lanes in pes]
    if isinstance(op, TopK):
        return [LayerFolding(pes[-1], 1)]
    if isinstance(op, ArgMax):
        return [LayerFolding(1, simd) for simd in simds]
    one = [LayerFolding(pe, simd) for pe in pes for simd in simds]
    return one + [LayerFolding(pes[-1], simd, n) for simd in simds for n in pixels if n > 1]


def stage_cycles(network: Network, op: Operation, one: LayerFolding) -> int:
    """Firings of a frame in the busiest stage of an operation: the fewest cycles between two frames."""
    source, result = network.spec(op.inputs[0]), network.spec(op.output)
    if isinstance(op, Linear):
        return layer_cycles(network, op, one)
    if isinstance(op, Conv):
        firings = layer_cycles(network, op, one)
        if is_pointwise(on_image(op.window(source))) and one.pixels == 1:
            return firings
        schedule, _ = window_schedule(op, source, one)
        return max(firings, schedule.frame_words, schedule.positions * schedule.firings_per_position)
    if isinstance(op, MaxPool | SumPool):
        window = op.window(source)
        if window.kernel == window.stride and not window.padded and set(window.dilation) == {1}:
            return source.size // one.simd
        return max(source.size, result.size * math.prod(window.kernel)) // one.simd
    if isinstance(op, Upsample):
        return result.size // one.simd
    return max(source.size // one.simd, result.size // one.pe)


def least_cycles(network: Network) -> int:
    """The fewest cycles a frame that any folding of a network reaches."""
    return max(min(stage_cycles(network, op, one) for one in foldings(network, op)) for op, _ in staged(network))


def lanes_in(network: Network, op: Operation, one: LayerFolding) -> int:
    """Elements of a beat that an operation takes."""
    if not isinstance(op, Conv):
        return one.simd
    source = network.spec(op.inputs[0])
    if is_pointwise(on_image(op.window(source))) and one.pixels == 1:
        return one.simd * max(1, one.pe * op.groups // len(op.weights))
    return window_schedule(op, source, one)[1]


def lanes_out(one: LayerFolding) -> int:
    """Elements of a beat that an operation gives."""
    return one.pe * one.pixels
