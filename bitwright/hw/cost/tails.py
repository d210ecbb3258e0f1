"""What the tails of matrix-vector units are built of."""

from __future__ import annotations

from functools import lru_cache, singledispatch

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
    for known in known_thresholds(tail):
        if known is None:
            tally.compare(tail.threshold_type.width, steps)
            tally.add("threshold count", (steps - 1 + tail.mixed) * tail.output_width)
        else:
            for threshold in known:
                tally.compare_constant(_significant_bits(threshold, tail.threshold_type.width))
            tally.add("threshold count", max(0, len(known) - 1) * tail.output_width)


def known_thresholds(tail: ParallelThreshold) -> list[set[int] | None]:
    """Of each lane the thresholds that are the same for all its channels, without those that no register can miss.

    None where the channels' thresholds differ. A lane without any has always the same result: synthesis removes it.
    """
    register = tail.accumulator.register
    lowest = -(1 << (register.width - 1)) if register.signed else 0
    reachable = range(lowest + 1, lowest + (1 << register.width))
    rows = np.column_stack([tail.thresholds, tail.ascending]).reshape(tail.groups, tail.lanes, -1)
    same = np.all(rows == rows[:1], axis=(0, 2)).tolist()
    return [
        {one for one in row[:-1] if one in reachable} if alike else None
        for row, alike in zip(rows[0].tolist(), same, strict=True)
    ]


@lru_cache(maxsize=64)
def live_lanes(tail: Tail) -> int:
    """Lanes whose results are not always the same; what leads to the others is removed."""
    if isinstance(tail, ParallelThreshold):
        return sum(known is None or bool(known) for known in known_thresholds(tail))
    return tail.lanes


def _significant_bits(threshold: int, width: int) -> int:
    """Bits of a number of `width` bits that decide whether it reaches a threshold."""
    return width - ((threshold & -threshold).bit_length() - 1 if threshold else width - 1)


@count_tail.register
def _(tail: SearchThreshold, tally: Tally) -> None:
    codes = tail.threshold_type.encode(tail.rows).reshape(tail.groups, tail.lanes, -1)
    width = tail.threshold_type.width
    if tail.mixed:
        ascending = tail.ascending.reshape(tail.groups, tail.lanes)
        tally.delay(int(np.ptp(ascending, axis=0).sum()), 2 * tail.levels - 1)
    directions = tail.ascending.reshape(tail.groups, 1, tail.lanes).astype(codes.dtype)
    for level in range(tail.levels):
        half = 1 << (tail.levels - level - 1)
        words = codes[:, :, half - 1 :: 2 * half].swapaxes(1, 2)
        first = tail.mixed and level == 0
        if first:
            words = words | directions << codes.dtype.type(width)
        for lane, column in enumerate(words.reshape(-1, tail.lanes).T.tolist()):
            tally.rom(f"{tail.name}_thresholds_{level}_{lane}", width + first, column)
        if words.shape[0] * words.shape[1] > 1:
            tally.compare(width, tail.lanes)
        else:
            for threshold in codes[0, :, half - 1].tolist():
                tally.compare_constant(_significant_bits(threshold, width))
    tally.add("threshold count", tail.lanes * (1 + tail.mixed) * tail.output_width)


@count_tail.register
def _(tail: RequantTail, tally: Tally) -> None:
    tally.rom(tail.rom.name, tail.rom.width, tail.rom.words)
    value, factor = number(tail.accumulator.register), number(tail.factor_type)
    constant = len(tail.rom.words) == 1
    operands: list[tuple[Number, int]] = []
    for a_start, a_number in _pieces(value):
        for b_start, b_number in _pieces(factor):
            absorbed = tally.product(a_number, b_number, tail.lanes, values=len(tail.rom.words))
            operands.append(((a_number[0] + b_number[0], a_number[1] or b_number[1]), a_start + b_start))
    width, _ = tally.tree(operands, tail.lanes)
    total = max(width, tail.offset_type.width) + 1
    if absorbed and len(operands) == 1:
        pass  # The DSP block adds the offset.
    elif constant:
        tally.add("constant sum", tail.lanes * total)
    else:
        tally.sum(total, tail.lanes)
    tally.add("clip", tail.lanes * max(1, total - tail.shift))


def _pieces(operand: Number) -> list[tuple[int, Number]]:
    """Where each piece of a wide operand starts, and its type."""
    width, signed = operand
    starts = range(0, width, DSP_BITS)
    return [(start, (min(width - start, DSP_BITS), signed and start + DSP_BITS >= width)) for start in starts]
