"""MaxPool and SumPool in hardware."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import memory

from bitwright.graph import BIPOLAR, IntType, MaxPool, SumPool, TensorSpec
from bitwright.graph.ops.sliding import SlidingWindow
from bitwright.hw.conv import on_image, with_depth
from bitwright.hw.delay import delay
from bitwright.hw.leaf import Emitter
from bitwright.hw.pipeline import PipelineStage
from bitwright.hw.queue import Queue, queue_capacity
from bitwright.hw.resources import MemoryUse, StageResources
from bitwright.hw.stage import Stage, StageTiming
from bitwright.hw.timing import Actor
from bitwright.hw.window import WindowStage
from bitwright.hw.window_schedule import WindowSchedule


def combined(largest: bool, source: IntType, result: IntType, kept: Value, fresh: Value, first: Value) -> Value:
    """One lane of a pool: `fresh`, an element as coded in the stream, joined to what was `kept` of its window.

    What is kept has the bits of a result; sums may run through values outside its type, modulo its width.
    """
    if largest and source == BIPOLAR:
        return fresh | (kept & ~first)
    value: Value
    if source == BIPOLAR:
        value = Mux(fresh, Const(1, 2), Const(-1, 2).as_signed())
    else:
        value = fresh.as_signed() if source.signed else fresh
    if largest:
        held = kept.as_signed() if source.signed else kept
        return Mux(first | (value > held), value, held)[: result.width]
    return (Mux(first, 0, kept) + value)[: result.width]


class PoolStage(Stage):
    """Pools windows that neither overlap nor reach into padding: each element belongs to one window at most.

    What is known of a row of windows waits in a memory of one word for each window and word of channels; with one such
    word there is no memory. Elements behind the last window are taken and forgotten.

    A firing that ends a window::

        cycle         0        1           2
        firing        f
        memory word            kept
        queue                  pushed      offered
        memory                 written
    """

    def __init__(
        self, name: str, source: TensorSpec, result: TensorSpec, lanes: int, window: SlidingWindow, *, largest: bool
    ) -> None:
        super().__init__(name, source, lanes, result, lanes)
        self.window = window
        self.largest = largest
        self.words = source.shape[-1] // lanes
        self.latency = 2
        self.capacity = queue_capacity(self.latency, 1)

    def elaborate(self, platform: object) -> Module:
        """Describe the stage."""
        m = Module()
        m.submodules.queue = queue = Queue(len(self.o.payload), self.capacity)
        (height, width), (rows, columns) = self.window.size, self.window.out
        kernel_rows, kernel_columns = self.window.kernel
        fire = Signal()
        word = Signal(range(self.words))
        kernel_row, kernel_column = Signal(range(kernel_rows)), Signal(range(kernel_columns))
        row, column = Signal(range(height // kernel_rows + 1)), Signal(range(width // kernel_columns + 1))
        x, y = Signal(range(width)), Signal(range(height))
        last_word, last_x, last_y = word == self.words - 1, x == width - 1, y == height - 1
        last_tap_x, last_tap_y = kernel_column == kernel_columns - 1, kernel_row == kernel_rows - 1
        with m.If(fire):
            m.d.sync += word.eq(Mux(last_word, 0, word + 1))
            with m.If(last_word):
                m.d.sync += [
                    x.eq(Mux(last_x, 0, x + 1)),
                    kernel_column.eq(Mux(last_x | last_tap_x, 0, kernel_column + 1)),
                    column.eq(Mux(last_x, 0, column + last_tap_x)),
                ]
                with m.If(last_x):
                    m.d.sync += [
                        y.eq(Mux(last_y, 0, y + 1)),
                        kernel_row.eq(Mux(last_y | last_tap_y, 0, kernel_row + 1)),
                        row.eq(Mux(last_y, 0, row + last_tap_y)),
                    ]
        ends = Signal()
        m.d.comb += [
            ends.eq(last_tap_x & last_tap_y & (column < columns) & (row < rows)),
            self.i.ready.eq(~ends | queue.available),
            fire.eq(self.i.valid & self.i.ready),
            queue.reserve.eq(fire & ends),
        ]
        starts = (kernel_row == 0) & (kernel_column == 0)
        result = self._reduce(m, fire, starts, kernel_column != 0, column, word)
        m.d.comb += [
            queue.push.eq(delay(m, fire & ends, 1, "done", reset=True)),
            queue.data.eq(result),
            *queue.offers(self.o),
        ]
        return m

    def _reduce(self, m: Module, fire: Value, starts: Value, within: Value, column: Value, word: Value) -> Value:
        """What is known of the window with the element of the last firing in it."""
        fired = delay(m, fire, 1, "fired", reset=True)
        data, first, near = Signal(len(self.i.payload), reset_less=True), Signal(), Signal()
        with m.If(fire):
            m.d.sync += [data.eq(self.i.payload), first.eq(starts), near.eq(within)]
        width_in, width_out = self.source.dtype.width, self.result.dtype.width
        previous = Signal(len(self.o.payload), reset_less=True)
        depth = self.window.out[1] * self.words
        kept: Value = previous
        after: Signal = Signal(len(self.o.payload))
        if depth > 1:
            m.submodules.storage = storage = memory.Memory(shape=len(self.o.payload), depth=depth, init=[])
            read, write = storage.read_port(domain="sync"), storage.write_port()
            place = Signal(range(depth + self.words))
            m.d.comb += [place.eq(column * self.words + word), read.addr.eq(place), read.en.eq(fire)]
            address = Signal(range(depth), reset_less=True)
            inside = Signal()
            with m.If(fire):
                m.d.sync += [address.eq(place), inside.eq(place < depth)]
            m.d.comb += [write.addr.eq(address), write.data.eq(after), write.en.eq(fired & inside)]
            # With one word a pixel, neighbours of a window follow each other faster than the memory answers.
            kept = Mux(near, previous, read.data) if self.words == 1 else read.data
        lanes = [
            combined(
                self.largest,
                self.source.dtype,
                self.result.dtype,
                kept.word_select(lane, width_out),
                data.word_select(lane, width_in),
                first,
            )
            for lane in range(self.lanes_in)
        ]
        m.d.comb += after.eq(Cat(*lanes))
        with m.If(fired):
            m.d.sync += previous.eq(after)
        return after

    def timing(self) -> StageTiming:
        """One actor, that gives a beat where a window ends."""
        (height, width), (rows, columns) = self.window.size, self.window.out
        kernel_rows, kernel_columns = self.window.kernel
        ends = np.zeros((height, width), dtype=np.int64)
        ends[
            kernel_rows - 1 : rows * kernel_rows : kernel_rows,
            kernel_columns - 1 : columns * kernel_columns : kernel_columns,
        ] = 1
        produce = np.repeat(ends.reshape(-1), self.words)
        taken = np.arange(1, len(produce) + 1)
        actor = Actor(self.name, len(produce), (taken,), (taken,), (produce,))
        return StageTiming((actor,), (), (self.name,), self.name, self.capacity, self.latency)

    def resources(self) -> StageResources:
        """Row memory, queue, registers; one comparison an element of a largest."""
        width, depth = len(self.o.payload), self.window.out[1] * self.words
        queue = MemoryUse(f"{self.name}_queue", width, self.capacity, self.beats_out, self.beats_out)
        rows = (MemoryUse(f"{self.name}_rows", width, depth, self.beats_in, self.beats_in),) if depth > 1 else ()
        compares = self.source.size if self.largest and self.source.dtype != BIPOLAR else 0
        return StageResources((), (*rows, queue), len(self.i.payload) + width, compares, self.result.dtype.width)


class ReduceStage(PipelineStage):
    """Pools windows whose elements follow each other: what a sliding-window unit puts out block by block."""

    def __init__(self, name: str, source: TensorSpec, result: TensorSpec, lanes: int, *, largest: bool) -> None:
        super().__init__(name, source, lanes, result, lanes, depth=1)
        self.largest = largest

    def pipeline(self, m: Module, emitter: Emitter, fire: Value, count: Value, payload: Value) -> Value:
        """A register that each beat is joined to."""
        width_in, width_out = self.source.dtype.width, self.result.dtype.width
        kept = Signal(len(self.o.payload), reset_less=True)
        lanes = [
            combined(
                self.largest,
                self.source.dtype,
                self.result.dtype,
                kept.word_select(lane, width_out),
                payload.word_select(lane, width_in),
                count == 0,
            )
            for lane in range(self.lanes_in)
        ]
        with m.If(fire):
            m.d.sync += kept.eq(Cat(*lanes))
        return kept

    def resources(self) -> StageResources:
        """The register and the queue."""
        compares = self.source.size if self.largest and self.source.dtype != BIPOLAR else 0
        register = len(self.o.payload)
        return StageResources((), (self.queue_memory(),), register, compares, self.result.dtype.width)


def pool_stages(
    name: str,
    op: MaxPool | SumPool,
    source: TensorSpec,
    result: TensorSpec,
    lanes: int,
    buffers: Mapping[str, int],
) -> list[Stage]:
    """The stages of a pool in the order of the data's way."""
    window = on_image(op.window(source))
    largest = isinstance(op, MaxPool)
    if window.kernel == window.stride and not window.padded and window.dilation == (1, 1):
        return [PoolStage(name, source, result, lanes, window, largest=largest)]
    pad = source.dtype.lo if largest else 0
    words = source.shape[-1] // lanes
    schedule = WindowSchedule(window, words, words, 1, 1)
    unit = WindowStage(f"{name}_window", source, lanes, with_depth(schedule, f"{name}_window", buffers), pad=pad)
    return [unit, ReduceStage(name, unit.result, result, lanes, largest=largest)]
