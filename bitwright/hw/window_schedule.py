"""When and where a sliding-window unit reads its line buffer: plain numbers, shared by the core and the cycle model."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bitwright.errors import FoldingError
from bitwright.graph.ops.sliding import SlidingWindow


@dataclass(frozen=True)
class WindowSchedule:
    """The firings of a sliding-window unit over two spatial axes, in this order of loops, outermost first:

    window rows, window columns (`pixels` neighbouring windows at once), channel blocks, taps (`taps` at once), words of
    a block. A word holds some channels of one pixel; a pixel has `words`, in `blocks` equal parts. `depth` words fit
    the line buffer. A "position" is the set of windows of one pair of row and column.
    """

    window: SlidingWindow
    words: int
    blocks: int
    taps: int
    pixels: int
    words_kept: int | None = None

    def __post_init__(self) -> None:
        total = self.window.kernel[0] * self.window.kernel[1]
        if total % self.taps or self.window.out[1] % self.pixels or self.words % self.blocks:
            raise FoldingError(
                f"{self.taps} taps, {self.pixels} pixels and {self.blocks} blocks at once do not divide "
                f"{total} taps, {self.window.out[1]} columns and {self.words} words"
            )

    @cached_property
    def counts(self) -> tuple[int, int, int, int, int]:
        """Turns of each loop."""
        rows, columns = self.window.out
        height, width = self.window.kernel
        return rows, columns // self.pixels, self.blocks, height * width // self.taps, self.words // self.blocks

    @property
    def frame_words(self) -> int:
        """Words of one frame."""
        return self.window.size[0] * self.window.size[1] * self.words

    @property
    def positions(self) -> int:
        """Positions of one frame."""
        return self.counts[0] * self.counts[1]

    @property
    def firings_per_position(self) -> int:
        """Firings of one position."""
        return int(np.prod(self.counts[2:]))

    @cached_property
    def _ranges(self) -> tuple[NDArray[np.int64], ...]:
        """First and last image row of each window row, then first and last column of each position."""
        found: list[NDArray[np.int64]] = []
        for axis, (taps, size) in enumerate(zip(self.window.taps, self.window.size, strict=True)):
            group = self.pixels if axis else 1
            grouped = taps.reshape(len(taps) // group, -1)
            found += [np.clip(grouped.min(axis=1), 0, size - 1), np.clip(grouped.max(axis=1), 0, size - 1)]
        return tuple(found)

    @cached_property
    def need(self) -> NDArray[np.int64]:
        """(positions,) words of the frame that must have arrived before a position starts; all of them for the last."""
        _, last_row, _, last_column = self._ranges
        words = (last_row[:, None] * self.window.size[1] + last_column[None, :] + 1) * self.words
        need = np.maximum.accumulate(words.reshape(-1))
        need[-1] = self.frame_words
        return need

    @cached_property
    def start(self) -> NDArray[np.int64]:
        """(positions,) the words before this one are read by no window from this position on."""
        first_row, _, first_column, _ = self._ranges
        words = (first_row[:, None] * self.window.size[1] + first_column[None, :]) * self.words
        return np.asarray(np.minimum.accumulate(words.reshape(-1)[::-1])[::-1])

    @property
    def least_depth(self) -> int:
        """Words of the smallest buffer with which the unit does not get stuck."""
        before = np.concatenate(([0], self.start[:-1]))
        return int((self.need - before).max())

    @property
    def depth(self) -> int:
        """Words of the line buffer: `words_kept`, or twice the least, but no more than one frame above it.

        What exceeds the least takes the first rows of the next frame while the last ones of this frame are read.
        """
        least = self.least_depth
        return least + min(least, self.frame_words) if self.words_kept is None else self.words_kept

    @property
    def need_steps(self) -> NDArray[np.int64]:
        """(rows, columns) how far `need` rises from this position to the next, over the end of the frame too."""
        following = np.append(self.need[1:], self.frame_words + self.need[0])
        return (following - self.need).reshape(self.counts[:2])

    @property
    def frees(self) -> NDArray[np.int64]:
        """(rows, columns) words freed when a position starts."""
        return np.diff(self.start, prepend=0).reshape(self.counts[:2])

    @property
    def last_free(self) -> int:
        """Words freed by the last firing of a frame."""
        return self.frame_words - int(self.start[-1])

    def tap(self, pixel: int, lane: int, step: int) -> tuple[int, int]:
        """Kernel row and column that read port (pixel, lane) reads in a tap step."""
        return divmod(step * self.taps + lane, self.window.kernel[1])

    def index(self, row: int, column: int, block: int, step: int, word: int, pixel: int, lane: int) -> int:
        """The word, counted from the frame's first, that a read port reads in a firing; any integer for padding."""
        rows, columns = self.window.taps
        kernel_row, kernel_column = self.tap(pixel, lane, step)
        y, x = int(rows[row, kernel_row]), int(columns[column * self.pixels + pixel, kernel_column])
        return (y * self.window.size[1] + x) * self.words + block * self.counts[4] + word

    def steps(self, pixel: int, lane: int) -> tuple[int, list[int], int, int, int]:
        """How far a read port's word moves when a loop goes on and all inner ones start again.

        For the channel-block loop, the tap loop (from each tap step to the next), columns, rows, and the frame.
        """
        rows, columns, blocks, taps, words = self.counts

        def at(row: int, column: int, block: int, step: int, word: int) -> int:
            return self.index(row, column, block, step, word, pixel, lane)

        inner = (taps - 1, words - 1)
        end = (blocks - 1, *inner)
        tap_steps = [at(0, 0, 0, tap + 1, 0) - at(0, 0, 0, tap, words - 1) for tap in range(taps - 1)]
        block_step = at(0, 0, 1, 0, 0) - at(0, 0, 0, *inner) if blocks > 1 else 0
        column_step = at(0, 1, 0, 0, 0) - at(0, 0, *end) if columns > 1 else 0
        row_step = at(1, 0, 0, 0, 0) - at(0, columns - 1, *end) if rows > 1 else 0
        frame_step = at(0, 0, 0, 0, 0) + self.frame_words - at(rows - 1, columns - 1, *end)
        return block_step, tap_steps, column_step, row_step, frame_step
