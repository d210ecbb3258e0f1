"""What each kind of stage is built of."""

from __future__ import annotations

from functools import singledispatch

import numpy as np

from bitwright.graph import BIPOLAR, IntType
from bitwright.hw.add import AddStage
from bitwright.hw.argmax import ArgMaxStage
from bitwright.hw.concat import ConcatStage
from bitwright.hw.cost.dsp import dsp_blocks
from bitwright.hw.cost.matrix import MatrixShape, count_matrix
from bitwright.hw.cost.products import number
from bitwright.hw.cost.rom import address_bits
from bitwright.hw.cost.tails import count_tail
from bitwright.hw.cost.tally import Number, Tally
from bitwright.hw.cost.windows import count_runs, count_window
from bitwright.hw.elementwise import ElementwiseStage
from bitwright.hw.fork import Fork
from bitwright.hw.gather import BANKS, Gather
from bitwright.hw.linear import MatrixVectorUnit
from bitwright.hw.pipeline import PipelineStage
from bitwright.hw.pool import PoolStage, ReduceStage
from bitwright.hw.repeat import RepeatStage
from bitwright.hw.stage import Stage
from bitwright.hw.topk import TopKStage
from bitwright.hw.width_converter import Narrow, Widen
from bitwright.hw.window import WindowStage


def takes_into_register(stage: Stage) -> bool:
    """Whether a stage puts the beats it takes into a register, before anything else is done with them."""
    if isinstance(stage, MatrixVectorUnit):
        return bool(stage.passes == 1)
    return isinstance(stage, Widen | ArgMaxStage | TopKStage | PoolStage | ElementwiseStage)


@singledispatch
def count_stage(stage: Stage, tally: Tally) -> None:
    """What a stage is built of."""
    raise NotImplementedError(type(stage).__name__)


@count_stage.register
def _(stage: MatrixVectorUnit, tally: Tally) -> None:
    if not stage.streamed:
        tally.rom(stage.rom.name, stage.rom.width, stage.rom.words)
    count_matrix(
        tally,
        stage.name,
        MatrixShape(
            stage.product,
            stage.tail,
            stage.pe,
            stage.simd,
            stage.shape,
            stage.side_by_side,
            stage.passes,
            stage.beats,
            stage.streamed,
        ),
    )


@count_stage.register
def _(stage: WindowStage, tally: Tally) -> None:
    count_window(tally, stage.name, stage.schedule, len(stage.i.payload), stage.result.dtype.width * stage.lanes_in)
    tally.queue(f"{stage.name}_queue", len(stage.o.payload), stage.capacity)


def count_pool(tally: Tally, stage: PoolStage | ReduceStage) -> None:
    """The joining of elements."""
    lanes, width = stage.lanes_in, stage.result.dtype.width
    if stage.largest and stage.source.dtype == BIPOLAR:
        tally.add("pool bit", lanes)
    elif stage.largest:
        tally.compare(width, lanes)
        tally.add("pool mux", lanes * width)
    else:
        tally.sum(width, lanes)
        tally.add("pool mux", lanes * width)


@count_stage.register
def _(stage: PoolStage, tally: Tally) -> None:
    (height, width), (_, columns) = stage.window.size, stage.window.out
    kernel_rows, kernel_columns = stage.window.kernel
    tally.add("stage")
    for count in (stage.words, kernel_rows, kernel_columns, height // kernel_rows + 1, width // kernel_columns + 1):
        tally.counter(count)
    tally.counter(width)
    tally.counter(height)
    count_pool(tally, stage)
    depth = columns * stage.words
    out = len(stage.o.payload)
    if depth > 1:
        tally.memory(f"{stage.name}_rows", out, depth)
        tally.index(width // kernel_columns + 1, stage.words, depth + stage.words)
        if stage.words == 1:
            tally.add("pool mux", out)
    tally.queue(f"{stage.name}_queue", out, stage.capacity)


def count_pipeline(tally: Tally, stage: PipelineStage) -> None:
    """Flow control and queue of a pipeline stage."""
    tally.add("stage")
    tally.counter(stage.period)
    tally.queue(f"{stage.name}_queue", len(stage.o.payload), stage.capacity)


@count_stage.register
def _(stage: ReduceStage, tally: Tally) -> None:
    count_pipeline(tally, stage)
    count_pool(tally, stage)


@count_stage.register
def _(stage: Widen, tally: Tally) -> None:
    count_pipeline(tally, stage)


@count_stage.register
def _(stage: ElementwiseStage, tally: Tally) -> None:
    count_pipeline(tally, stage)
    tally.counter(stage.tail.groups)
    count_tail(stage.tail, tally)


@count_stage.register
def _(stage: ArgMaxStage, tally: Tally) -> None:
    count_pipeline(tally, stage)
    width, lanes = stage.elements.register.width, stage.lanes_in
    tally.compare(width, lanes)
    tally.add("tournament mux", (lanes - 1) * (width + stage.rounds))
    # Where lanes are odd, the last one waits.
    entrants, waited = lanes, 1
    while entrants > 1 and entrants % 2:
        entrants, waited = (entrants + 1) // 2, waited + 1
    tally.delay(width, waited)
    if stage.period > 1:
        tally.delay(address_bits(stage.period) + 1, 1 + stage.rounds)
        tally.index(stage.period, lanes, stage.source.size)


@count_stage.register
def _(stage: TopKStage, tally: Tally) -> None:
    count_pipeline(tally, stage)
    width, places = stage.source.dtype.width, stage.lanes_out
    tally.compare(width, places)
    tally.add("tournament mux", (places - 1) * (width + stage.result.dtype.width + 1))


@count_stage.register
def _(stage: Narrow, tally: Tally) -> None:
    tally.add("stage")
    tally.counter(stage.pieces)
    width = len(stage.o.payload)
    tally.add("select", width * (stage.pieces - 1))
    tally.queue(f"{stage.name}_queue", width, stage.capacity)


@count_stage.register
def _(stage: Fork, tally: Tally) -> None:
    for branch in range(stage.branches):
        tally.queue(f"{stage.name}_queue_{branch}", len(stage.i.payload), stage.capacity)


@count_stage.register
def _(stage: RepeatStage, tally: Tally) -> None:
    width = len(stage.i.payload)
    tally.buffer(f"{stage.name}_buffer", width, stage.beats, stage.times, stage.runs)
    tally.queue(f"{stage.name}_queue", width, stage.capacity)


@count_stage.register
def _(stage: AddStage, tally: Tally) -> None:
    tally.add("stage")
    operands: list[tuple[Number, int]] = []
    for multiplier, spec in zip(stage.multipliers, stage.sources, strict=True):
        value = (2, True) if spec.dtype == BIPOLAR else number(spec.dtype)
        factor = number(IntType(min(0, multiplier), max(0, multiplier)))
        shift = abs(multiplier) & (abs(multiplier) - 1) == 0
        if not shift or (multiplier < 0 and not value[1]):
            used = min(value[0] + factor[0], stage.result.dtype.width)
            # Verilog extends the -1 beside an unsigned number to the bits of the product.
            wide = (value[0] + 1, True) if multiplier == -1 and not value[1] else factor
            in_block = tally.dsp and dsp_blocks(tally.family, *value, *wide, used)
            tally.product(value, wide if in_block else factor, stage.lanes_in, width=used, values=1)
        operands.append(((value[0] + factor[0], value[1] or factor[1]), 0))
    tally.tree(operands, stage.lanes_in)
    tally.queue(f"{stage.name}_queue", len(stage.o.payload), stage.capacity)


@count_stage.register
def _(stage: ConcatStage, tally: Tally) -> None:
    tally.add("stage")
    tally.counter(len(stage.turns))
    count_runs(tally, np.array(stage.turns), len(stage.turns))
    tally.add("select", len(stage.o.payload) * (len(stage.sources) - 1))
    tally.queue(f"{stage.name}_queue", len(stage.o.payload), stage.capacity)


@count_stage.register
def _(stage: Gather, tally: Tally) -> None:
    tally.add("stage")
    tally.counter(stage.writes)
    tally.counter(stage.reads)
    tally.add("register enable", BANKS * stage.writes)
    tally.add("select", len(stage.o.payload) * (BANKS * min(stage.reads, stage.vector) - 1))
    tally.queue(f"{stage.name}_queue", len(stage.o.payload), stage.capacity)
