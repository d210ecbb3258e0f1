"""The cost of a layer at a folding, and of what joins two layers, before anything is assembled."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from bitwright.graph import (
    Add,
    ArgMax,
    Concat,
    Conv,
    Duplicate,
    Linear,
    MaxPool,
    Network,
    Operation,
    Permute,
    Requant,
    SumPool,
    TensorSpec,
    Threshold,
    TopK,
    Upsample,
)
from bitwright.graph.types import IntType
from bitwright.hw.accumulator import Accumulator, element_accumulator
from bitwright.hw.add import AddStage
from bitwright.hw.argmax import ArgMaxStage
from bitwright.hw.assemble import make_tail
from bitwright.hw.concat import ConcatStage
from bitwright.hw.conv import is_pointwise, matrix, on_image, position_classes, tiled, window_schedule
from bitwright.hw.cost.coefficients import luts
from bitwright.hw.cost.matrix import MatrixShape, count_matrix
from bitwright.hw.cost.memory import Family
from bitwright.hw.cost.stages import count_stage
from bitwright.hw.cost.tails import count_tail
from bitwright.hw.cost.tally import Tally
from bitwright.hw.cost.windows import count_window
from bitwright.hw.duplicate import duplicate_stage
from bitwright.hw.elementwise import ElementwiseStage
from bitwright.hw.folding import LayerFolding
from bitwright.hw.fusion import follower
from bitwright.hw.linear import LayerShape
from bitwright.hw.permute import permute_stage
from bitwright.hw.pool import pool_stages
from bitwright.hw.product import Product, choose_product
from bitwright.hw.queue import queue_capacity
from bitwright.hw.stage import Stage
from bitwright.hw.tail import Tail
from bitwright.hw.topk import TopKStage
from bitwright.hw.upsample import upsample_stages
from bitwright.hw.width_converter import width_converters


@dataclass(frozen=True)
class Cost:
    """LUTs, block RAMs and DSP blocks."""

    luts: float
    brams: int
    dsps: int


def layer_cost(
    network: Network, op: Operation, folding: LayerFolding, family: Family = "ecp5", *, dsp: bool = False
) -> Cost:
    """The cost of one operation with what joins its stage, at a folding; without `dsp` all products are of LUTs."""
    tally = Tally(family, dsp)
    if isinstance(op, Linear | Conv):
        _count_layer(network, op, folding, tally)
    else:
        for stage in _row(network, op, folding):
            count_stage(stage, tally)
    return _cost(tally)


@lru_cache(maxsize=1 << 16)
def converter_cost(bits: int, lanes_from: int, lanes_to: int, family: Family = "ecp5") -> Cost:
    """The cost of what stands between two lane counts of elements of `bits` bits."""
    spec = TensorSpec((lanes_from * lanes_to,), IntType.unsigned(bits))
    tally = Tally(family)
    for stage in width_converters("between", spec, lanes_from, lanes_to):
        count_stage(stage, tally)
    return _cost(tally)


def _cost(tally: Tally) -> Cost:
    return Cost(luts(tally), sum(one.mapping.blocks for one in tally.memories), tally.dsps)


def _row(network: Network, op: Operation, folding: LayerFolding) -> list[Stage]:
    """The stages of an operation without weights."""
    sources, result = tuple(network.spec(tensor) for tensor in op.inputs), network.spec(op.output)
    source, name, lanes = sources[0], op.name, folding.simd
    if isinstance(op, Threshold | Requant):
        return [ElementwiseStage(name, source, make_tail(op, name, result, element_accumulator(source), lanes))]
    if isinstance(op, MaxPool | SumPool):
        return pool_stages(name, op, source, result, lanes, {})
    if isinstance(op, Add):
        return [AddStage(name, op, sources, result, lanes)]
    if isinstance(op, Concat):
        return [ConcatStage(name, sources, result, lanes)]
    if isinstance(op, Upsample):
        return upsample_stages(name, op, source, result, lanes)
    if isinstance(op, ArgMax):
        return [ArgMaxStage(name, source, result, lanes)]
    if isinstance(op, TopK):
        return [TopKStage(name, source, result)]
    if isinstance(op, Permute):
        return [permute_stage(name, op, source, result, lanes, folding.pe)]
    if isinstance(op, Duplicate):
        return [duplicate_stage(name, op, source, result, lanes, folding.pe)]
    return []


class _Layer:
    """What all foldings of a Linear or Conv share, found once."""

    def __init__(self, network: Network, op: Linear | Conv) -> None:
        source = network.spec(op.inputs[0])
        self.layer = op if isinstance(op, Linear) else matrix(op)
        found = position_classes(op, source) if isinstance(op, Conv) else None
        dtype = source.dtype
        self.windowed = isinstance(op, Conv) and not is_pointwise(on_image(op.window(source)))
        self.product: Product = choose_product(self.layer, dtype)
        self.classes: NDArray[np.int64] | None = None
        accumulator = self.product.accumulator
        if found is not None:
            self.classes, offsets = found
            shifted = (accumulator.offset[None, :] + offsets).reshape(-1)
            accumulator = Accumulator(accumulator.register, accumulator.scale, shifted)
        self.accumulator = accumulator
        after = follower(network, op)
        outputs = len(op.weights)
        self.after = tiled(after, accumulator.channels // outputs, outputs)
        self.output = network.spec(op.output if after is None else after.output)
        self.tails: dict[int, Tail] = {}
        self.counted: dict[tuple[object, ...], Tally] = {}

    def tail(self, lanes: int) -> Tail:
        """The tail of so many lanes."""
        if lanes not in self.tails:
            tail = make_tail(self.after, self.layer.name, self.output, self.accumulator, lanes)
            tail.classes = self.accumulator.channels // len(self.layer.weights)
            self.tails[lanes] = tail
        return self.tails[lanes]

    def count_tail(self, lanes: int, tally: Tally) -> Tally:
        """What a tail of so many lanes is built of, counted once."""
        key = ("tail", lanes, tally.family, tally.dsp)
        if key not in self.counted:
            self.counted[key] = Tally(tally.family, tally.dsp)
            count_tail(self.tail(lanes), self.counted[key])
        return self.counted[key]


_LAYERS: WeakKeyDictionary[Network, dict[str, _Layer]] = WeakKeyDictionary()


def _layer(network: Network, op: Linear | Conv) -> _Layer:
    known = _LAYERS.setdefault(network, {})
    if op.name not in known:
        known[op.name] = _Layer(network, op)
    return known[op.name]


def _count_layer(network: Network, op: Linear | Conv, folding: LayerFolding, tally: Tally) -> None:
    """A sliding-window unit, a converter and a matrix-vector unit, as far as the layer needs them."""
    shared = _layer(network, op)
    source = network.spec(op.inputs[0])
    outputs, inputs = shared.layer.weights.shape
    groups = op.groups if isinstance(op, Conv) else 1
    share = outputs // groups
    shape = MatrixShape(
        shared.product,
        shared.tail(folding.pe),
        folding.pe,
        folding.simd,
        LayerShape(groups, folding.pixels, shared.classes),
        max(1, folding.pe // share),
        max(1, share // folding.pe),
        inputs // folding.simd,
        folding.weights == "stream",
    )
    words = (outputs // folding.pe) * shape.beats
    width = folding.pe * folding.simd * shared.product.weight_bits
    if folding.weights == "stream":
        tally.queue(f"{op.name}_weights_queue", width, queue_capacity(1, 1))
    else:
        tally.rom_of_any(f"{op.name}_weights", width, words)
    count_matrix(tally, op.name, shape, shared.count_tail(folding.pe, tally))
    if isinstance(op, Conv) and (shared.windowed or folding.pixels > 1):
        _count_window(op, source, folding, shape, shared, tally)


def _count_window(
    op: Conv, source: TensorSpec, folding: LayerFolding, shape: MatrixShape, shared: _Layer, tally: Tally
) -> None:
    schedule, word = window_schedule(op, source, folding)
    width = source.dtype.width
    key = ("window", word, schedule.taps, schedule.pixels, tally.family)
    if key not in shared.counted:
        shared.counted[key] = Tally(tally.family)
        count_window(shared.counted[key], f"{op.name}_window", schedule, word * width, word * width)
    tally.include(shared.counted[key])
    given, taken = word * schedule.pixels * schedule.taps, folding.simd * shape.slices
    tally.queue(f"{op.name}_window_queue", given * width, queue_capacity(2, 1))
    if given != taken:
        between = TensorSpec((given * taken,), IntType.unsigned(width))
        for stage in width_converters("between", between, given, taken):
            count_stage(stage, tally)
