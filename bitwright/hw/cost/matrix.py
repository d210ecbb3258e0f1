"""What a matrix-vector unit is built of."""

from __future__ import annotations

from dataclasses import dataclass

from bitwright.hw.cost.products import count_elements
from bitwright.hw.cost.tails import count_tail, live_lanes
from bitwright.hw.cost.tally import Tally
from bitwright.hw.cost.windows import count_grid
from bitwright.hw.linear import OPERAND_LATENCY, LayerShape
from bitwright.hw.processing_element import ProcessingElement
from bitwright.hw.product import Product
from bitwright.hw.queue import queue_capacity
from bitwright.hw.tail import Tail
from bitwright.hw.vector_buffer import VECTORS


@dataclass(frozen=True, eq=False)
class MatrixShape:
    """The numbers of a matrix-vector unit that matter for what it is built of; they mean what they mean there."""

    product: Product
    tail: Tail
    pe: int
    simd: int
    layer: LayerShape
    side_by_side: int
    passes: int
    beats: int
    streamed: bool = False

    @property
    def groups(self) -> int:
        """Groups of outputs computed together."""
        return self.tail.groups // self.tail.classes

    @property
    def words(self) -> int:
        """Words of weights, one after the other; 0 where they come from outside."""
        return 0 if self.streamed else self.groups * self.beats

    @property
    def slices(self) -> int:
        """Vectors that are read at once."""
        return self.side_by_side * self.layer.pixels

    @property
    def input_bits(self) -> int:
        """Bits of an input beat."""
        return self.simd * self.slices * self.product.input_type.width

    @property
    def output_bits(self) -> int:
        """Bits of an output beat."""
        return self.pe * self.layer.pixels * self.tail.output_width

    @property
    def capacity(self) -> int:
        """Of the output queue."""
        latency = OPERAND_LATENCY + ProcessingElement(self.product, self.simd).latency + self.tail.latency + 1
        return queue_capacity(latency, self.beats)


def count_matrix(tally: Tally, name: str, shape: MatrixShape, tail: Tally | None = None) -> None:
    """A matrix-vector unit without its weight memory; `tail` is what its tail is built of, if that is known."""
    pixels = shape.layer.pixels
    tally.add("stage")
    if not shape.streamed:
        tally.counter(shape.groups * shape.beats)
    tally.counter(shape.groups)
    count_elements(
        tally,
        shape.product,
        simd=shape.simd,
        count=live_lanes(shape.tail) * pixels,
        slices=shape.slices,
        words=shape.words,
    )
    if shape.beats > 1:
        tally.delay(1, OPERAND_LATENCY + ProcessingElement(shape.product, shape.simd).dot_latency)
    if tail is None:
        tail = Tally(tally.family, tally.dsp)
        count_tail(shape.tail, tail)
    tally.include(tail, pixels)
    if shape.passes > 1:
        tally.buffer(f"{name}_buffer", shape.input_bits, shape.beats, shape.passes, VECTORS)
    else:
        tally.counter(shape.beats)
    if shape.layer.classes is not None:
        for pixel in range(pixels):
            count_grid(tally, shape.layer.classes[:, pixel::pixels] * shape.groups)
    tally.queue(f"{name}_queue", shape.output_bits, shape.capacity)
