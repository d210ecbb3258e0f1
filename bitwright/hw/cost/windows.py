"""What sliding-window units are built of, and tables over counters."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from bitwright.hw.cost.rom import address_bits
from bitwright.hw.cost.tally import Tally
from bitwright.hw.run_table import runs
from bitwright.hw.window_schedule import WindowSchedule


def count_runs(tally: Tally, values: NDArray[np.int64], counter: int, times: int = 1) -> None:
    """A `run_table` over a counter of so many steps, so many times."""
    borders = times * (len(runs(values)) - 1)
    tally.add("table compare", borders * address_bits(counter))
    tally.add("table mux", borders * value_bits(values))


def count_grid(tally: Tally, values: NDArray[np.int64]) -> None:
    """A `grid_table`."""
    starts = runs(values)
    for start in starts:
        count_runs(tally, values[start], values.shape[1])
    tally.add("table compare", (len(starts) - 1) * address_bits(values.shape[0]))
    tally.add("table mux", (len(starts) - 1) * value_bits(values))


def value_bits(values: NDArray[np.int64]) -> int:
    """Bits of a table's values, in two's complement where there are negative ones."""
    low, high = int(values.min()), int(values.max())
    return max(high.bit_length() + (low < 0), (-low - 1).bit_length() + 1 if low < 0 else 0)


def count_window(tally: Tally, name: str, schedule: WindowSchedule, word: int, padded_word: int) -> None:
    """A sliding-window unit without its queue: words of `word` bits, of `padded_word` bits where padding has joined."""
    taps = schedule.counts[3]
    ports = schedule.pixels * schedule.taps
    tally.add("stage")
    for count in schedule.counts:
        tally.counter(count)
    depth = schedule.depth
    bits = address_bits(depth)
    tally.sum(bits + 2)
    tally.sum(bits + 1)
    count_grid(tally, schedule.need_steps)
    count_grid(tally, schedule.frees)
    tally.counter(depth)
    lanes = [(pixel, lane) for pixel in range(schedule.pixels) for lane in range(schedule.taps)]
    strides = [address_stride(schedule, *one) for one in lanes]
    tally.memory(f"{name}_lines", word, depth, reached=[depth // stride for stride in strides])
    turns = sum(count > 1 for count in schedule.counts)
    for stride in strides:
        moving = address_bits(depth // stride)
        tally.sum(moving + 1)
        tally.compare_constant(moving + 1)
        tally.sum(moving)
        tally.add("address step", turns * moving)
    if taps > 1:
        for one in lanes:
            count_runs(tally, np.array([s % depth for s in [*schedule.steps(*one)[1], 0]]), taps)
    if schedule.window.padded:
        tally.add("padding", ports * padded_word)
        count_inside(tally, schedule)


def address_stride(schedule: WindowSchedule, pixel: int, lane: int) -> int:
    """The power of two by which a read port's addresses differ: synthesis drops the bits below."""
    rows, columns, blocks, _, words = schedule.counts
    block_step, tap_steps, column_step, row_step, frame_step = schedule.steps(pixel, lane)
    steps = [*tap_steps, frame_step, schedule.depth]
    steps += [step for step, turns in ((block_step, blocks), (column_step, columns), (row_step, rows)) if turns > 1]
    shared = math.gcd(*steps, *([1] if words > 1 else []))
    return shared & -shared


def count_inside(tally: Tally, schedule: WindowSchedule) -> None:
    """The decisions whether a read port's pixel lies in the image: each element of the kernel is some port's, once."""
    (height, width), (all_rows, all_columns) = schedule.window.size, schedule.window.taps
    kernel_rows, kernel_columns = schedule.window.kernel
    rows_inside = ((all_rows >= 0) & (all_rows < height)).astype(np.int64)
    columns_inside = ((all_columns >= 0) & (all_columns < width)).astype(np.int64)
    for kernel_row in range(kernel_rows):
        count_runs(tally, rows_inside[:, kernel_row], len(rows_inside), schedule.pixels * kernel_columns)
    for pixel in range(schedule.pixels):
        own = columns_inside[pixel :: schedule.pixels]
        for kernel_column in range(kernel_columns):
            count_runs(tally, own[:, kernel_column], len(own), kernel_rows)
