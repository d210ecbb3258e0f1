"""Linear in hardware: the matrix-vector unit, PE outputs by SIMD inputs a cycle (FINN, Umuroglu et al. 2017)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from amaranth.hdl import Cat, Module, Mux, Signal, Value
from numpy.typing import NDArray

from bitwright.graph import IntType, Linear, TensorSpec
from bitwright.hw.accumulator import Accumulator
from bitwright.hw.delay import delay
from bitwright.hw.leaf import Emitter, RomUse
from bitwright.hw.processing_element import InputSum, ProcessingElement
from bitwright.hw.product import Product, ProductKind, choose_product
from bitwright.hw.queue import Queue, queue_capacity
from bitwright.hw.resources import MacKind, MacUse, MemoryUse, StageResources
from bitwright.hw.run_table import grid_table
from bitwright.hw.stage import Stage, StageTiming
from bitwright.hw.tail import Tail
from bitwright.hw.timing import Actor, Edge, pass_through
from bitwright.hw.vector_buffer import VectorBuffer

OPERAND_LATENCY = 2
"""Cycles from a firing to its operands at the processing elements: memory read, operand register."""


@dataclass(frozen=True, eq=False)
class LayerShape:
    """What makes a layer more than one matrix: channel groups, pixels at once, classes of positions.

    With `groups` the weights' rows fall into so many equal parts, and each position has a vector for each of them.
    `pixels` neighbouring positions are computed at once. `classes` (rows, columns) numbers the positions' classes and
    `class_offsets` (classes, outputs) is what each class adds to the sums.
    """

    groups: int = 1
    pixels: int = 1
    classes: NDArray[np.int64] | None = None
    class_offsets: NDArray[np.int64] | None = None


PLAIN = LayerShape()
"""One matrix for every vector."""


class MatrixVectorUnit(Stage):
    """Multiplies each vector with the weights and passes the sums through a tail.

    A vector takes `passes * beats` firings: for each group of `pe` outputs all `beats` of `simd` inputs. With more
    than one pass the vector waits in a VectorBuffer and is read once a pass. Firings follow each other without a
    gap; the last of a pass is held back while the output queue has no free slot.

    One pass of two beats, tail of one cycle, popcount products (`dot_latency` 1)::

        cycle                  0    1    2    3    4    5    6
        firing                 b0   b1
        memory words                b0   b1
        operand registers                b0   b1
        dot products                          b0   b1
        accumulators                               b0   b0+b1
        tail result                                          y
        offered to the next stage from cycle 7 on

    For convolutions (`LayerShape`): vectors may come in channel groups with weights of their own, one after the
    other or, when `pe` exceeds the outputs of a group, side by side in a beat; several pixels may share the weights
    of a cycle; and the tail may have constants of its own for each class of positions.

    With `streamed` the words of the weight memory come through a second input instead, one a firing: for each position
    all of them in turn. A firing then waits for its word too; its timing is otherwise the same.
    """

    def __init__(
        self,
        name: str,
        layer: Linear,
        source: TensorSpec,
        product: Product,
        tail: Tail,
        *,
        pe: int,
        simd: int,
        shape: LayerShape = PLAIN,
        streamed: bool = False,
    ) -> None:
        self.layer = layer
        self.product = product
        self.tail = tail
        self.pe, self.simd = pe, simd
        self.shape = shape
        self.streamed = streamed
        outputs, inputs = layer.weights.shape
        share = outputs // shape.groups
        self.side_by_side = max(1, pe // share)
        self.passes = max(1, share // pe)
        self.groups, self.beats = outputs // pe, inputs // simd
        self.positions = source.size // (inputs * shape.groups * shape.pixels)
        self.element = ProcessingElement(product, simd)
        self.rom = self._weight_rom(f"{name}_weights")
        joined = ((self.weight_spec, self.rom.width),) if streamed else ()
        lanes_in = simd * self.side_by_side * shape.pixels
        super().__init__(name, source, lanes_in, tail.output, pe * shape.pixels, joined=joined)
        self.latency = OPERAND_LATENCY + self.element.latency + tail.latency + 1
        self.capacity = queue_capacity(self.latency, self.beats)

    @property
    def weight_spec(self) -> TensorSpec:
        """The weights of a frame as a stream would carry them, bit by bit, a word a firing."""
        return TensorSpec((self.positions * len(self.rom.words) * self.rom.width,), IntType.unsigned(1))

    def _weight_rom(self, name: str) -> RomUse:
        codes = self.product.weight_codes(self.layer.weights)
        # (outputs, planes, inputs) -> one word for each group and beat: pe, then planes or elements, low bits first.
        planes = codes.shape[1]
        shaped = codes.reshape(self.groups, self.pe, planes, self.beats, self.simd).transpose(0, 3, 1, 2, 4)
        if self.product.kind == "multiply":
            shaped = shaped.swapaxes(3, 4)
        packed = np.packbits(shaped.reshape(self.groups * self.beats, -1), axis=1, bitorder="little")
        words = [int.from_bytes(row.tobytes(), "little") for row in packed]
        return RomUse(name, self.pe * self.element.w_width, words)

    def elaborate(self, platform: object) -> Module:
        """Describe the unit."""
        assert isinstance(platform, Emitter)
        m = Module()
        m.submodules.queue = queue = Queue(len(self.o.payload), self.capacity)
        # A firing waits for data and room (`able`) and, where weights are streamed, for its word (`weighed`).
        able, weighed, fire, fires_last = Signal(), Signal(), Signal(), Signal()
        operand = Signal(len(self.i.payload), reset_less=True)
        if self.passes > 1:
            m.submodules.buffer = buffer = VectorBuffer(len(self.i.payload), self.beats, self.passes)
            m.d.comb += [
                buffer.i.valid.eq(self.i.valid),
                buffer.i.payload.eq(self.i.payload),
                self.i.ready.eq(buffer.i.ready),
                buffer.read.eq(fire),
                operand.eq(buffer.data),
                able.eq(buffer.ready & (~buffer.last | queue.available)),
                fire.eq(able & weighed),
            ]
            first_beat, last_beat = buffer.first, buffer.last
        else:
            beat, last_beat = Signal(range(self.beats)), Signal(init=int(self.beats == 1))
            first_beat = beat == 0
            m.d.comb += [
                self.i.ready.eq((~last_beat | queue.available) & weighed),
                able.eq(self.i.valid & (~last_beat | queue.available)),
                fire.eq(able & weighed),
            ]
            with m.If(fire):
                m.d.sync += [
                    operand.eq(self.i.payload),
                    beat.eq(Mux(last_beat, 0, beat + 1)),
                    last_beat.eq(Mux(last_beat, self.beats == 1, beat == self.beats - 2)),
                ]

        m.d.comb += [fires_last.eq(fire & last_beat), queue.reserve.eq(fires_last)]
        weights = self._weights(m, platform, able, weighed, fire)
        sums = self._elements(m, platform, operand, weights, fire, first_beat)
        self._finish(m, platform, queue, sums, fires_last)
        m.d.comb += queue.offers(self.o)
        return m

    def _weights(self, m: Module, emitter: Emitter, able: Value, weighed: Signal, fire: Value) -> Signal:
        """The word of a firing, one cycle later: from the memory, or the beat that was taken from the stream."""
        if self.streamed:
            inlet = self.inlets()[1]
            word = Signal(self.rom.width, name="weights_word", reset_less=True)
            m.d.comb += [weighed.eq(inlet.valid), inlet.ready.eq(able)]
            with m.If(fire):
                m.d.sync += word.eq(inlet.payload)
            return word
        last = len(self.rom.words) - 1
        address = Signal(range(len(self.rom.words)))
        m.d.comb += weighed.eq(1)
        with m.If(fire):
            m.d.sync += address.eq(Mux(address == last, 0, address + 1))
        return emitter.rom(m, self.rom, address, fire)

    def _elements(
        self, m: Module, emitter: Emitter, operand: Signal, weights: Signal, fire: Signal, first: Value
    ) -> list[Value]:
        """The accumulators of each pixel, side by side."""
        width, slices = self.source.dtype.width, self.side_by_side * self.shape.pixels
        x, w = Signal(len(operand), reset_less=True), Signal(len(weights), reset_less=True)
        m.d.sync += [x.eq(Cat(*(self._planes(operand.word_select(k, self.simd * width)) for k in range(slices))))]
        m.d.sync += w.eq(weights)
        age = OPERAND_LATENCY + self.element.dot_latency
        timing = {"valid": delay(m, fire, age, "valid", reset=True), "first": delay(m, first, age, "first")}
        operands = []
        for index in range(slices):
            own = {"x": x.word_select(index, self.simd * width), **timing}
            if self.product.centred:
                own["centre"] = emitter.instance(m, InputSum(self.product, self.simd), x=own["x"])["sum"]
            operands.append(own)
        share, lanes = self.element.w_width, self.pe // self.side_by_side
        return [
            Cat(
                *(
                    emitter.instance(
                        m,
                        self.element,
                        w=w[lane * share : (lane + 1) * share],
                        **operands[pixel * self.side_by_side + lane // lanes],
                    )["sum"]
                    for lane in range(self.pe)
                )
            )
            for pixel in range(self.shape.pixels)
        ]

    def _planes(self, operand: Value) -> Value:
        """The elements of an operand as the products take them: as they are, or bit plane by bit plane."""
        width = self.source.dtype.width
        if self.product.kind == "multiply" or width == 1:
            return operand
        return Cat(*(operand[plane::width] for plane in range(width)))

    def _finish(self, m: Module, emitter: Emitter, queue: Queue, sums: list[Value], fires_last: Signal) -> None:
        age = OPERAND_LATENCY + self.element.latency
        nearly = delay(m, fires_last, age - 1, "nearly", reset=True)
        group = Signal(range(max(2, self.groups)), name="tail_group")
        last_group = Signal()
        m.d.comb += last_group.eq(nearly & (group == self.groups - 1))
        with m.If(nearly):
            m.d.sync += group.eq(Mux(group == self.groups - 1, 0, group + 1))
        words = self._tail_words(m, group, last_group)
        result = Cat(
            *(
                self.tail.logic(m, emitter, word, self.tail.lane_values(own))
                for word, own in zip(words, sums, strict=True)
            )
        )
        m.d.comb += [queue.push.eq(delay(m, nearly, 1 + self.tail.latency, "done", reset=True)), queue.data.eq(result)]

    def _tail_words(self, m: Module, group: Value, last_group: Value) -> list[Value]:
        """For each pixel the number of its constants: its position's class, then the group of outputs."""
        classes, pixels = self.shape.classes, self.shape.pixels
        if classes is None:
            return [group] * pixels
        rows, columns = classes.shape[0], classes.shape[1] // pixels
        row, column = Signal(range(rows)), Signal(range(columns))
        with m.If(last_group):
            m.d.sync += column.eq(Mux(column == columns - 1, 0, column + 1))
            with m.If(column == columns - 1):
                m.d.sync += row.eq(Mux(row == rows - 1, 0, row + 1))
        words: list[Value] = []
        for pixel in range(pixels):
            word = Signal(range(self.tail.groups), name="tail_word")
            m.d.comb += word.eq(grid_table(row, column, classes[:, pixel::pixels] * self.groups) + group)
            words.append(word)
        return words

    def timing(self) -> StageTiming:
        """Two actors, buffer and unit, with several passes; the unit alone with one. Streamed weights come last."""
        firings = self.passes * self.beats
        vectors = self.positions * self.groups // self.passes
        beat, turn = np.arange(firings) % self.beats, np.arange(firings) // self.beats
        need = np.where(turn == 0, beat + 1, self.beats)
        release = np.where(turn == self.passes - 1, beat + 1, 0)
        produce = (beat == self.beats - 1).astype(np.int64)
        start = np.repeat(np.arange(vectors) * self.beats, firings)
        words = (np.arange(1, firings * vectors + 1),) if self.streamed else ()
        unit = Actor(
            self.name,
            firings * vectors,
            (np.tile(need, vectors) + start, *words),
            (np.tile(release, vectors) + start, *words),
            (np.tile(produce, vectors),),
        )
        entries = (self.name,) * len(words)
        if self.passes == 1:
            return StageTiming((unit,), (), (self.name, *entries), self.name, self.capacity, self.latency)
        writer = pass_through(f"{self.name}.buffer", self.beats_in)
        edge = Edge(writer.name, self.name, 2 * self.beats, 1)
        return StageTiming((writer, unit), (edge,), (writer.name, *entries), self.name, self.capacity, self.latency)

    def resources(self) -> StageResources:
        """Products, weight and constant memories, vector buffer, queue, registers. Streamed weights are no memory."""
        product, pixels = self.product, self.shape.pixels
        vectors, firings = self.positions * pixels, self.positions * self.groups * self.beats
        kind: dict[ProductKind, MacKind] = {
            "xnor": "xnor-popcount",
            "masked_xnor": "ternary",
            "planes": "bit-plane",
            "multiply": "multiplier",
        }
        width_in, width_out = len(self.i.payload), len(self.o.payload)
        register = product.accumulator.register.width
        memories = [
            *(use for _ in range(pixels) for use in self.tail.memories(self.positions)),
            MemoryUse(f"{self.name}_queue", width_out, self.capacity, self.beats_out, self.beats_out),
        ]
        if not self.streamed:
            memories.insert(0, MemoryUse(self.rom.name, self.rom.width, len(self.rom.words), firings, 0))
        if self.passes > 1:
            buffer = MemoryUse(f"{self.name}_buffer", width_in, 2 * self.beats, firings, self.beats_in)
            memories.append(buffer)
        dot = register * (self.element.dot_latency + 1)
        registers = width_in * 2 + self.rom.width * 2 + pixels * (self.pe * dot + self.tail.register_bits)
        products = MacUse(
            kind[product.kind],
            self.layer.weight_type.width,
            product.input_type.width,
            register,
            int(self.layer.weights.size) * vectors,
            self.simd,
        )
        macs = (products, *(use for _ in range(pixels) for use in self.tail.macs(self.positions)))
        return StageResources(macs, tuple(memories), registers, *self.tail.compares(vectors))


TailFactory = Callable[[Accumulator, int], Tail]
"""Makes the tail of a layer from its accumulator and the number of lanes."""


def matrix_vector_unit(
    name: str,
    layer: Linear,
    source: TensorSpec,
    make_tail: TailFactory,
    *,
    pe: int,
    simd: int,
    shape: LayerShape = PLAIN,
    streamed: bool = False,
) -> MatrixVectorUnit:
    """The unit for one layer; `make_tail` gets the layer's accumulator and lanes."""
    product = choose_product(layer, source.dtype)
    accumulator = product.accumulator
    if shape.class_offsets is not None:
        offset = (accumulator.offset[None, :] + shape.class_offsets).reshape(-1)
        accumulator = Accumulator(accumulator.register, accumulator.scale, offset)
    tail = make_tail(accumulator, pe)
    tail.classes = accumulator.channels // len(layer.weights)
    return MatrixVectorUnit(name, layer, source, product, tail, pe=pe, simd=simd, shape=shape, streamed=streamed)
