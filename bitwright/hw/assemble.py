"""From the integer network to stages and streams."""

from __future__ import annotations

import re

from bitwright.errors import FoldingError, InputError
from bitwright.graph import (
    Add,
    ArgMax,
    Concat,
    Conv,
    Duplicate,
    Flatten,
    Linear,
    MaxPool,
    Network,
    Operation,
    Permute,
    Requant,
    Reshape,
    SumPool,
    TensorSpec,
    Threshold,
    TopK,
    Upsample,
)
from bitwright.hw.accelerator import Accelerator, PlacedStage
from bitwright.hw.accumulator import Accumulator, element_accumulator
from bitwright.hw.add import AddStage
from bitwright.hw.argmax import ArgMaxStage
from bitwright.hw.concat import ConcatStage
from bitwright.hw.conv import conv_stages, tiled
from bitwright.hw.duplicate import duplicate_stage
from bitwright.hw.elementwise import ElementwiseStage
from bitwright.hw.folding import Folding, LayerFolding, lane_choices, sequential
from bitwright.hw.fork import Fork
from bitwright.hw.fusion import staged, stream_names
from bitwright.hw.linear import MatrixVectorUnit, matrix_vector_unit
from bitwright.hw.permute import permute_stage
from bitwright.hw.pool import pool_stages
from bitwright.hw.ports import PortSpec, WeightStream
from bitwright.hw.repeat import fifo
from bitwright.hw.requant import RequantTail
from bitwright.hw.stage import Stage
from bitwright.hw.tail import OutputTail, Tail
from bitwright.hw.threshold import threshold_tail
from bitwright.hw.timing import TimingGraph
from bitwright.hw.top import Link
from bitwright.hw.topk import TopKStage
from bitwright.hw.upsample import upsample_stages
from bitwright.hw.width_converter import width_converters


def assemble(network: Network, folding: Folding | None = None) -> Accelerator:
    """The network as hardware, at the given folding (one multiplier a layer without one).

    A Threshold or Requant that alone reads the output of a Linear or Conv joins its stage. Raises FoldingError for a PE
    or SIMD that does not divide its layer, InputError for a network with nothing to build.
    """
    chosen = sequential(network) if folding is None else folding
    chosen.check(network)
    return _Assembly(network, chosen).accelerator()


def make_tail(op: Operation | None, name: str, output: TensorSpec, accumulator: Accumulator, lanes: int) -> Tail:
    """The tail for the operation that follows an accumulator: none, Threshold or Requant."""
    if op is None:
        return OutputTail(name, accumulator, output, lanes)
    if isinstance(op, Threshold):
        return threshold_tail(name, op, accumulator, output, lanes)
    if isinstance(op, Requant):
        return RequantTail(name, op, accumulator, output, lanes)
    raise InputError(f"{op.kind} '{op.name}' cannot follow an accumulator")


class _Assembly:
    """The state of one assembly: where each tensor comes from, and what has been placed."""

    def __init__(self, network: Network, folding: Folding) -> None:
        self.network = network
        self.folding = folding
        self.placed: list[PlacedStage] = []
        self.links: list[Link] = []
        self.weight_inputs: list[WeightStream] = []
        # The names of a timing graph's surroundings; Verilog knows two of them too.
        self.names = {TimingGraph.INPUT, TimingGraph.OUTPUT, TimingGraph.WEIGHTS}
        self.root = stream_names(network)
        # Where each tensor's next reader finds it: open streams (stage, branch) and their lanes.
        self.open: dict[str, list[tuple[Stage | None, int]]] = {}
        self.lanes: dict[str, int] = {}
        self.input_lanes: int | None = None

    def accelerator(self) -> Accelerator:
        network = self.network
        for op, last in staged(network):
            self.place(op, last)
        if not self.placed:
            raise InputError(f"network '{network.name}' has no operation that needs hardware")
        many = len(network.outputs) > 1
        outputs = []
        for index, tensor in enumerate(network.outputs):
            root = self.root[tensor]
            if root == network.input_name:
                raise InputError(f"network '{network.name}': its output '{tensor}' is its input; leave it out")
            source, branch = self.take(root)
            self.links.append(Link(source, branch, None))
            name = f"m{index}_axis" if many else "m_axis"
            outputs.append(PortSpec(name, network.spec(tensor), self.lanes[root]))
        assert self.input_lanes is not None
        source_port = PortSpec("s_axis", network.input_spec, self.input_lanes)
        return Accelerator(
            network,
            self.folding,
            self.unique(network.name),
            source_port,
            tuple(outputs),
            tuple(self.placed),
            tuple(self.links),
            tuple(self.weight_inputs),
        )

    def readers(self, tensor: str) -> int:
        """Stages and output ports that read a tensor."""
        same = [name for name in self.network.specs if self.root[name] == tensor]
        stages = sum(
            op.inputs.count(name)
            for name in same
            for op in self.network.consumers(name)
            if not isinstance(op, Flatten | Reshape)
        )
        return stages + sum(self.network.outputs.count(name) for name in same)

    def unique(self, word: str) -> str:
        """A Verilog identifier like `word` that no stage has yet."""
        base = re.sub(r"[^A-Za-z0-9_]", "_", word)
        base = base if base[:1].isalpha() else f"n_{base}"
        name, count = base, 2
        while name in self.names:
            name, count = f"{base}_{count}", count + 1
        self.names.add(name)
        return name

    def add(self, stage: Stage, operations: tuple[str, ...], tensor: str, *sources: tuple[Stage | None, int]) -> None:
        """Place a stage behind open streams."""
        self.placed.append(PlacedStage(stage, operations, tensor))
        self.links += [Link(*source, stage, entry) for entry, source in enumerate(sources)]

    def publish(self, tensor: str, stage: Stage | None, lanes: int) -> None:
        """Make a stage's output the source of a tensor, through a fork when several read it."""
        readers = self.readers(tensor)
        self.lanes[tensor] = lanes
        self.open[tensor] = [(stage, 0)]
        if readers > 1:
            fork = Fork(self.unique(f"{tensor}_fork"), self.network.spec(tensor), lanes, readers)
            self.add(fork, (), tensor, (stage, 0))
            self.open[tensor] = [(fork, branch) for branch in range(readers)]

    def take(self, tensor: str) -> tuple[Stage | None, int]:
        """The next open stream of a tensor."""
        return self.open[tensor].pop(0)

    def feed(self, tensor: str, lanes: int) -> tuple[Stage | None, int]:
        """A stream of the tensor with that many lanes, through width converters where needed."""
        root = self.root[tensor]
        if root == self.network.input_name and self.input_lanes is None:
            self.input_lanes = lanes
            self.publish(root, None, lanes)
        return self.converted(tensor, self.network.spec(root), self.take(root), self.lanes[root], lanes, root)

    def buffered(
        self, name: str, tensor: str, spec: TensorSpec, lanes: int, source: tuple[Stage | None, int]
    ) -> tuple[Stage | None, int]:
        """A stream behind a FIFO, of a whole frame unless the folding says otherwise: then no branch waits for ever."""
        name = self.unique(name)
        depth = self.folding.buffers.get(name, spec.size // lanes)
        if depth < 1:
            return source
        stage = fifo(name, spec, lanes, depth)
        self.add(stage, (), self.root[tensor], source)
        return stage, 0

    def converted(
        self, name: str, spec: TensorSpec, source: tuple[Stage | None, int], have: int, want: int, tensor: str = ""
    ) -> tuple[Stage | None, int]:
        """A stream behind the width converters it needs."""
        if have == want:
            return source
        for converter in width_converters(self.unique(name), spec, have, want):
            self.add(converter, (), tensor, source)
            source = (converter, 0)
        return source

    def wanted(self, op: Operation) -> LayerFolding:
        """The lanes of a layer without weights: as folded, else as they come."""
        if op.name in self.folding:
            return self.folding[op.name]
        simds, pes, _ = lane_choices(self.network, op)
        lanes = self.lanes.get(self.root[op.inputs[0]], 1)
        fitting = lanes if lanes in simds else 1
        return LayerFolding(fitting if fitting in pes else 1, fitting)

    def place(self, op: Operation, last: Operation) -> None:
        """Place the stages of one operation, or of a Linear or Conv and what follows it."""
        network = self.network
        sources, result = tuple(network.spec(tensor) for tensor in op.inputs), network.spec(op.output)
        source = sources[0]
        name = self.unique(op.name)
        if isinstance(op, Linear | Conv):
            self.place_layer(op, last, name, source)
            return
        lanes = self.wanted(op)
        row: list[Stage]
        if isinstance(op, Threshold | Requant | MaxPool | SumPool | Add | Concat | Upsample) and lanes.pe != lanes.simd:
            raise FoldingError(f"layer '{op.name}': PE and SIMD must be equal, not {lanes.pe} and {lanes.simd}")
        if isinstance(op, Threshold | Requant):
            row = [ElementwiseStage(name, source, make_tail(op, name, result, element_accumulator(source), lanes.pe))]
        elif isinstance(op, MaxPool | SumPool):
            row = pool_stages(name, op, source, result, lanes.simd, self.folding.buffers)
        elif isinstance(op, Add):
            row = [AddStage(name, op, sources, result, lanes.simd)]
        elif isinstance(op, Concat):
            row = [ConcatStage(name, sources, result, lanes.simd)]
        elif isinstance(op, Upsample):
            row = upsample_stages(name, op, source, result, lanes.simd)
        elif isinstance(op, ArgMax):
            row = [ArgMaxStage(name, source, result, lanes.simd)]
        elif isinstance(op, TopK):
            row = [TopKStage(name, source, result)]
        elif isinstance(op, Permute):
            row = [permute_stage(name, op, source, result, lanes.simd, lanes.pe)]
        elif isinstance(op, Duplicate):
            row = [duplicate_stage(name, op, source, result, lanes.simd, lanes.pe)]
        else:
            raise InputError(f"{op.kind} '{op.name}' has no hardware yet")
        self.place_row(row, op.inputs, (op.name,), op.output)

    def place_row(
        self,
        row: list[Stage],
        inputs: tuple[str, ...],
        operations: tuple[str, ...],
        output: str,
        *beside: tuple[Stage | None, int],
    ) -> None:
        """Place stages one behind the other; the last carries out the operations and gives the tensor `output`.

        `beside` are streams that the last stage takes besides.
        """
        sources = tuple(self.feed(tensor, row[0].lanes_in) for tensor in inputs)
        if len(sources) > 1:
            pairs = enumerate(zip(inputs, sources, row[0].sources, strict=True))
            sources = tuple(
                self.buffered(f"{operations[0]}_fifo{index}", tensor, spec, row[0].lanes_in, source)
                for index, (tensor, source, spec) in pairs
            )
        for stage in row[:-1]:
            self.add(stage, (), "", *sources)
            following = row[row.index(stage) + 1]
            sources = (self.converted(stage.name, stage.result, (stage, 0), stage.lanes_out, following.lanes_in),)
        self.add(row[-1], operations, output, *sources, *beside)
        self.publish(output, row[-1], row[-1].lanes_out)

    def place_layer(self, op: Linear | Conv, last: Operation, name: str, source: TensorSpec) -> None:
        """Place a matrix-vector unit, behind a sliding-window unit where the layer needs one."""
        if op.name not in self.folding:
            raise FoldingError(f"layer '{op.name}' has no PE and SIMD in the folding; add them")
        lanes = self.folding[op.name]
        after = None if last is op else last
        output = self.network.spec(last.output)

        def tail(accumulator: Accumulator, width: int) -> Tail:
            outputs = len(op.weights)
            return make_tail(tiled(after, accumulator.channels // outputs, outputs), name, output, accumulator, width)

        row: list[Stage]
        if isinstance(op, Conv):
            row = conv_stages(name, op, source, tail, lanes, self.folding.buffers)
        else:
            streamed = lanes.weights == "stream"
            row = [matrix_vector_unit(name, op, source, tail, pe=lanes.pe, simd=lanes.simd, streamed=streamed)]
        operations = (op.name,) if after is None else (op.name, after.name)
        unit = row[-1]
        assert isinstance(unit, MatrixVectorUnit)
        weights = self.weight_stream(op.name, unit) if unit.streamed else ()
        self.place_row(row, op.inputs, operations, last.output, *weights)

    def weight_stream(self, layer: str, unit: MatrixVectorUnit) -> tuple[tuple[Stage, int]]:
        """An input for the weights of a unit, behind a short FIFO: then no pin decides when another input is ready."""
        port = PortSpec(f"s_axis_{unit.name}", unit.weight_spec, unit.rom.width)
        self.weight_inputs.append(WeightStream(port, layer, tuple(unit.rom.words)))
        stage = Fork(self.unique(f"{unit.name}_weights"), port.spec, port.lanes, 1)
        self.add(stage, (), "", (None, len(self.weight_inputs)))
        return ((stage, 0),)
