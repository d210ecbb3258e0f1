"""What the tails of matrix-vector units are built of."""

from __future__ import annotations

from functools import singledispatch

import numpy as np

from bitwright.hw.cost.products import number
from bitwright.hw.cost.tally import Number, Tally
from bitwright.hw.multiplier import DSP_BITS
from bitwright.hw.requant import RequantTail
from bitwright.hw.tail import OutputTail, Tail
from bitwright.hw.threshold import ParallelThreshold, SearchThreshold


@singledispatch
def count_tail(tail: Tail, tally: Tally) -> None:
    """What a tail is built of, in one pixel."""
    raise NotImplementedError(type(tail).__name__)


@count_tail.register
def _(tail: OutputTail, tally: Tally) -> None:
    if not tail.uniform:
        tally.rom(tail.rom.name, tail.rom.width, tail.rom.words)
        tally.sum(tail.output_width, tail.lanes)
    elif tail.accumulator.offset[0]:
        tally.add("constant sum", tail.output_width * tail.lanes)


@count_tail.register
def _(tail: ParallelThreshold, tally: Tally) -> None:
    tally.rom(tail.rom.name, tail.rom.width, tail.rom.words)
    steps = tail.thresholds.shape[1]
    constant = len(tail.rom.words) == 1
    tally.compare(tail.threshold_type.width, steps * tail.lanes, constant=constant)
    tally.add("threshold count", tail.lanes * (steps - 1 + tail.mixed) * tail.output_width)


@count_tail.register
def _(tail: SearchThreshold, tally: Tally) -> None:
    codes = tail.threshold_type.encode(tail.rows).reshape(tail.groups, tail.lanes, -1)
    ascending = tail.ascending.reshape(tail.groups, tail.lanes)
    turned = tail.mixed & np.ptp(ascending, axis=0).astype(bool)
    for level in range(tail.levels):
        half = 1 << (tail.levels - level - 1)
        words = codes[:, :, half - 1 :: 2 * half].swapaxes(1, 2).reshape(-1, tail.lanes)
        varying = np.bitwise_or.reduce(words, axis=0) & ~np.bitwise_and.reduce(words, axis=0)
        for lane, bits in enumerate(varying.tolist()):
            width = bits.bit_count() + (level == 0 and bool(turned[lane]))
            tally.memory(f"{tail.name}_thresholds_{level}_{lane}", width, len(words), written=False)
        tally.compare(tail.threshold_type.width, tail.lanes, constant=len(words) == 1)
    tally.add("threshold count", tail.lanes * (1 + tail.mixed) * tail.output_width)


@count_tail.register
def _(tail: RequantTail, tally: Tally) -> None:
    tally.rom(tail.rom.name, tail.rom.width, tail.rom.words)
    value, factor = number(tail.accumulator.register), number(tail.factor_type)
    constant = len(tail.rom.words) == 1
    operands: list[tuple[Number, int]] = []
    for a_start, a_number in _pieces(value):
        for b_start, b_number in _pieces(factor):
            tally.product(a_number, b_number, tail.lanes, values=len(tail.rom.words))
            operands.append(((a_number[0] + b_number[0], a_number[1] or b_number[1]), a_start + b_start))
    width, _ = tally.tree(operands, tail.lanes)
    total = max(width, tail.offset_type.width) + 1
    if constant:
        tally.add("constant sum", tail.lanes * total)
    else:
        tally.sum(total, tail.lanes)
    tally.add("clip", tail.lanes * max(1, total - tail.shift))


def _pieces(operand: Number) -> list[tuple[int, Number]]:
    """Where each piece of a wide operand starts, and its type."""
    width, signed = operand
    starts = range(0, width, DSP_BITS)
    return [(start, (min(width - start, DSP_BITS), signed and start + DSP_BITS >= width)) for start in starts]
