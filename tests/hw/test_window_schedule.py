"""The schedule of sliding windows against a plain simulation of what each window reads."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bitwright.errors import InputError
from bitwright.graph.ops.sliding import SlidingWindow
from bitwright.hw.window_schedule import WindowSchedule


@st.composite
def schedules(draw: st.DrawFn) -> WindowSchedule:
    """Any window that fits, any way to read it."""
    small = st.integers(1, 3)
    size = (draw(st.integers(1, 7)), draw(st.integers(1, 7)))
    kernel, stride, dilation = ((draw(small), draw(small)) for _ in range(3))
    padding = tuple((draw(st.integers(0, 2)), draw(st.integers(0, 2))) for _ in range(2))
    try:
        window = SlidingWindow(size, kernel, stride, padding, dilation)
    except InputError:
        window = SlidingWindow(size, (1, 1), (1, 1), padding, (1, 1))
    blocks, words = draw(small), draw(small)
    taps = draw(st.sampled_from([t for t in range(1, 10) if (window.kernel[0] * window.kernel[1]) % t == 0]))
    pixels = draw(st.sampled_from([p for p in range(1, 8) if window.out[1] % p == 0]))
    return WindowSchedule(window, blocks * words, blocks, taps, pixels)


@given(schedules())
def test_addresses_and_levels_follow_the_windows(schedule: WindowSchedule) -> None:
    """Every read finds its word in the buffer: arrived, and not freed by an earlier position."""
    rows, columns, blocks, taps, words = schedule.counts
    height, width = schedule.window.size
    for pixel in range(schedule.pixels):
        for lane in range(schedule.taps):
            block_step, tap_steps, column_step, row_step, frame_step = schedule.steps(pixel, lane)
            address = schedule.index(0, 0, 0, 0, 0, pixel, lane)
            for place, (row, column, block, tap, word) in enumerate(np.ndindex(rows, columns, blocks, taps, words)):
                assert address == schedule.index(row, column, block, tap, word, pixel, lane)
                kernel_row, kernel_column = schedule.tap(pixel, lane, tap)
                y = int(schedule.window.taps[0][row, kernel_row])
                x = int(schedule.window.taps[1][column * schedule.pixels + pixel, kernel_column])
                position = place // schedule.firings_per_position
                if 0 <= y < height and 0 <= x < width:
                    assert schedule.start[position] <= address < schedule.need[position]
                    assert address == (y * width + x) * schedule.words + block * words + word
                if word < words - 1:
                    address += 1
                elif tap < taps - 1:
                    address += tap_steps[tap]
                elif block < blocks - 1:
                    address += block_step
                elif column < columns - 1:
                    address += column_step
                elif row < rows - 1:
                    address += row_step
                else:
                    address += frame_step
            assert address == schedule.index(0, 0, 0, 0, 0, pixel, lane) + schedule.frame_words
    assert schedule.need_steps.sum() == schedule.frame_words
    assert schedule.frees.sum() + schedule.last_free == schedule.frame_words
    assert schedule.frees.min() >= 0
