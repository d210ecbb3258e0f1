"""The sliding-window unit: a stream of pixels becomes the stream of windows that a convolution or pool reads."""

from __future__ import annotations

import numpy as np
from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import memory

from bitwright.errors import InputError
from bitwright.graph import BIPOLAR, TERNARY, TensorSpec
from bitwright.hw.delay import delay
from bitwright.hw.queue import Queue, queue_capacity, stays_above_zero
from bitwright.hw.resources import MemoryUse, StageResources
from bitwright.hw.run_table import grid_table, run_table
from bitwright.hw.stage import Stage, StageTiming
from bitwright.hw.timing import Actor, Edge, pass_through
from bitwright.hw.window_schedule import WindowSchedule


class WindowStage(Stage):
    """Keeps the last rows of an image in a line buffer and reads every window from it, in the schedule's order.

    Takes words of `lanes` channels, pixel by pixel; gives beats of `pixels * taps` words, the taps of a pixel side by
    side (`tapwise`: the taps of each channel side by side, what depthwise convolutions read). Padding has the value
    `pad`, which must belong to the type; bipolar elements padded with 0 leave as ternary ones.

    A position starts once all its words have arrived; starting it frees the words that no window needs any more. The
    write side and the read side know each other only by two counters: `margin`, the words that have arrived beyond
    what the next position needs, and `room`, the free words of the buffer.

    One firing, the read of one beat::

        cycle           0         1          2
        firing          f
        address         a(f)      a(f+1)
        memory words              w(f)
        queue                     pushed     offered
    """

    def __init__(
        self,
        name: str,
        source: TensorSpec,
        lanes: int,
        schedule: WindowSchedule,
        *,
        pad: int = 0,
        tapwise: bool = False,
    ) -> None:
        rows, columns = schedule.window.out
        taps = schedule.window.kernel[0] * schedule.window.kernel[1]
        dtype = source.dtype
        if schedule.window.padded and not dtype.contains(np.array([pad])):
            if dtype != BIPOLAR or pad != 0:
                raise InputError(f"'{name}': padding with {pad} does not fit its input {source}; use a value of it")
            dtype = TERNARY
        result = TensorSpec((rows, columns, taps * source.shape[-1]), dtype)
        super().__init__(name, source, lanes, result, lanes * schedule.pixels * schedule.taps)
        self.schedule = schedule
        self.pad = pad
        self.tapwise = tapwise
        self.latency = 2
        self.capacity = queue_capacity(self.latency, 1)

    def elaborate(self, platform: object) -> Module:
        """Describe the unit."""
        m = Module()
        schedule = self.schedule
        rows, columns, blocks, taps, words = schedule.counts
        m.submodules.queue = queue = Queue(len(self.o.payload), self.capacity)
        m.submodules.storage = storage = memory.Memory(shape=len(self.i.payload), depth=schedule.depth, init=[])

        fire, first = Signal(), Signal(init=1)
        word, tap, block = Signal(range(words)), Signal(range(taps)), Signal(range(blocks))
        column, row = Signal(range(columns)), Signal(range(rows))
        ends: list[Value] = []
        carry: Value = Const(1)
        for counter, count in ((word, words), (tap, taps), (block, blocks), (column, columns), (row, rows)):
            last = counter == count - 1
            with m.If(fire & carry):
                m.d.sync += counter.eq(Mux(last, 0, counter + 1))
            done = Signal()
            m.d.comb += done.eq(carry & last)
            ends.append(done)
            carry = done
        with m.If(fire):
            m.d.sync += first.eq(ends[2])

        self._counters(m, fire, fire & first, fire & ends[4], row, column, storage)
        enough = Signal()
        m.d.comb += [
            enough.eq(~self.margin[-1]),
            fire.eq((~first | enough) & queue.available),
            queue.reserve.eq(fire),
        ]
        ports = [
            self._port(m, storage, fire, pixel, lane, (word, tap, block, row, column), ends)
            for pixel in range(schedule.pixels)
            for lane in range(schedule.taps)
        ]
        m.d.comb += [
            queue.push.eq(delay(m, fire, 1, "done", reset=True)),
            queue.data.eq(self._ordered(ports)),
            *queue.offers(self.o),
        ]
        return m

    def _counters(
        self, m: Module, fire: Value, starts: Value, ends: Value, row: Value, column: Value, storage: memory.Memory
    ) -> None:
        """The write side, and the two counters between it and the read side."""
        schedule = self.schedule
        steps, frees = schedule.need_steps, schedule.frees
        self.margin = margin = Signal(range(-int(steps.max()), schedule.depth + 1), init=-int(schedule.need[0]))
        room, some_room = Signal(range(schedule.depth + 1), init=schedule.depth), Signal(init=1)
        accept = Signal()
        freed = Signal(range(int(frees.max()) + schedule.last_free + 1))
        m.d.comb += [
            self.i.ready.eq(some_room),
            accept.eq(self.i.valid & some_room),
            freed.eq(
                Mux(starts, grid_table(row, column, frees), 0) + Mux(ends, Const(schedule.last_free), 0),
            ),
        ]
        m.d.sync += [
            margin.eq(margin + accept - Mux(starts, grid_table(row, column, steps), 0)),
            room.eq(room - accept + freed),
            some_room.eq((freed != 0) | stays_above_zero(room, accept)),
        ]
        write = storage.write_port()
        m.d.comb += [write.en.eq(accept), write.data.eq(self.i.payload)]
        with m.If(accept):
            m.d.sync += write.addr.eq(Mux(write.addr == schedule.depth - 1, 0, write.addr + 1))

    def _port(
        self,
        m: Module,
        storage: memory.Memory,
        fire: Value,
        pixel: int,
        lane: int,
        counters: tuple[Value, Value, Value, Value, Value],
        ends: list[Value],
    ) -> Value:
        """One read port: its address goes around the buffer, one constant step a firing; padding replaces its word."""
        schedule, depth = self.schedule, self.schedule.depth
        _, tap, _, row, column = counters
        block_step, tap_steps, column_step, row_step, frame_step = schedule.steps(pixel, lane)
        step: Value = Const(frame_step % depth)
        step = Mux(ends[3], Mux(ends[4], step, row_step % depth), column_step % depth)
        step = Mux(ends[2], step, block_step % depth)
        step = Mux(ends[1], step, run_table(tap, [s % depth for s in [*tap_steps, 0]]))
        step = Mux(ends[0], step, 1 % depth)
        address = Signal(range(depth), init=schedule.index(0, 0, 0, 0, 0, pixel, lane) % depth)
        total = Signal(range(2 * depth))
        m.d.comb += total.eq(address + step)
        with m.If(fire):
            m.d.sync += address.eq(Mux(total >= depth, total - depth, total))
        read = storage.read_port(domain="sync")
        m.d.comb += [read.en.eq(fire), read.addr.eq(address)]
        inside = self._inside(pixel, lane, tap, row, column)
        if inside is None:
            return read.data
        keep = Signal(reset_less=True)
        with m.If(fire):
            m.d.sync += keep.eq(inside)
        dtype = self.result.dtype
        code = int(dtype.encode(np.array([self.pad]))[0])
        padding = Cat(*(Const(code, dtype.width) for _ in range(self.lanes_in)))
        word: Value = read.data
        if dtype != self.source.dtype:
            # +1 and -1 as bits 1 and 0, then in two's complement.
            word = Cat(*(Cat(Const(1, 1), ~read.data[lane]) for lane in range(self.lanes_in)))
        return Mux(keep, word, padding)

    def _inside(self, pixel: int, lane: int, tap: Value, row: Value, column: Value) -> Value | None:
        """Whether a read port's pixel lies inside the image; None where it always does."""
        schedule = self.schedule
        if not schedule.window.padded:
            return None
        (height, width), (all_rows, all_columns) = schedule.window.size, schedule.window.taps
        rows_inside = (all_rows >= 0) & (all_rows < height)
        columns_inside = (all_columns >= 0) & (all_columns < width)
        columns_inside = columns_inside[pixel :: schedule.pixels]
        result: Value = Const(0, 1)
        for step in range(schedule.counts[3]):
            kernel_row, kernel_column = schedule.tap(pixel, lane, step)
            ok = run_table(row, rows_inside[:, kernel_row].astype(np.int64).tolist()) & run_table(
                column, columns_inside[:, kernel_column].astype(np.int64).tolist()
            )
            result = ok if schedule.counts[3] == 1 else result | ((tap == step) & ok)
        return result

    def _ordered(self, ports: list[Value]) -> Value:
        """The words of all read ports as one beat."""
        if not self.tapwise:
            return Cat(*ports)
        width, taps = self.result.dtype.width, self.schedule.taps
        return Cat(
            *(
                ports[pixel * taps + lane].word_select(channel, width)
                for pixel in range(self.schedule.pixels)
                for channel in range(self.lanes_in)
                for lane in range(taps)
            )
        )

    def timing(self) -> StageTiming:
        """A writer and a reader, the line buffer between them."""
        schedule, each = self.schedule, self.schedule.firings_per_position
        firings = schedule.positions * each
        release = np.repeat(schedule.start, each)
        release[-1] = schedule.frame_words
        reader = Actor(
            self.name,
            firings,
            (np.repeat(schedule.need, each),),
            (release,),
            (np.ones(firings, dtype=np.int64),),
        )
        writer = pass_through(f"{self.name}.buffer", self.beats_in)
        edge = Edge(writer.name, self.name, schedule.depth, 1)
        return StageTiming((writer, reader), (edge,), (writer.name,), self.name, self.capacity, self.latency)

    def resources(self) -> StageResources:
        """Line buffer (one copy for each read port) and queue."""
        schedule, width = self.schedule, len(self.i.payload)
        firings = schedule.positions * schedule.firings_per_position
        copies = schedule.pixels * schedule.taps
        lines = tuple(
            MemoryUse(f"{self.name}_lines_{copy}", width, schedule.depth, firings, self.beats_in)
            for copy in range(copies)
        )
        queue = MemoryUse(f"{self.name}_queue", len(self.o.payload), self.capacity, self.beats_out, self.beats_out)
        return StageResources((), (*lines, queue), copies * schedule.depth.bit_length())
