"""A network as hardware: stages, ports, timing, Verilog."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from bitwright.errors import InputError
from bitwright.graph import Network, TensorSpec
from bitwright.hw.emission_cache import cached_emission
from bitwright.hw.emit import Emission, emit
from bitwright.hw.folding import Folding
from bitwright.hw.ports import PortSpec, WeightStream
from bitwright.hw.resources import StageResources
from bitwright.hw.sources import VerilogSources
from bitwright.hw.stage import Stage
from bitwright.hw.timing import Edge, TimingGraph
from bitwright.hw.top import Link, Top

FABRICS = ("generic", "lut6", "lut4_ecp5", "lut4_ice40")
"""Kinds of lookup tables popcounts are laid out for; "generic" leaves them to the tools."""


@dataclass(frozen=True, eq=False)
class StageInfo:
    """One stage as reports see it: its operations, the tensor it puts out, lanes, what it is made of.

    `tensor` is empty where the stream is no tensor of the network, such as windows; `spec` is what the stream carries.
    """

    name: str
    operations: tuple[str, ...]
    tensor: str
    spec: TensorSpec
    lanes_in: int
    lanes_out: int
    resources: StageResources


@dataclass(frozen=True, eq=False)
class PlacedStage:
    """A component, the operations it carries out, and its output tensor."""

    component: Stage
    operations: tuple[str, ...]
    tensor: str

    def info(self) -> StageInfo:
        """What reports need of it."""
        one = self.component
        return StageInfo(
            one.name, self.operations, self.tensor, one.result, one.lanes_in, one.lanes_out, one.resources()
        )


@dataclass(frozen=True, eq=False)
class Accelerator:
    """A network with a folding, assembled. Made by `assemble`.

    `weight_inputs` are the input streams of the layers whose weights come from outside.
    """

    network: Network
    folding: Folding
    name: str
    input: PortSpec
    outputs: tuple[PortSpec, ...]
    placed: tuple[PlacedStage, ...]
    links: tuple[Link, ...]
    weight_inputs: tuple[WeightStream, ...] = ()

    @cached_property
    def stages(self) -> tuple[StageInfo, ...]:
        """All stages in the order of the data's way."""
        return tuple(one.info() for one in self.placed)

    @cached_property
    def timing(self) -> TimingGraph:
        """The whole design as a timed dataflow graph."""
        timings = {one.component: one.component.timing() for one in self.placed}
        actors = [actor for timing in timings.values() for actor in timing.actors]
        edges = [edge for timing in timings.values() for edge in timing.edges]
        for link in self.links:
            target = TimingGraph.OUTPUT if link.target is None else timings[link.target].entries[link.entry]
            if link.source is None:
                edges.append(Edge(TimingGraph.WEIGHTS if link.branch else TimingGraph.INPUT, target, 0, 0))
            else:
                source = timings[link.source]
                edges.append(Edge(source.exit, target, source.capacity, source.latency))
        return TimingGraph(tuple(actors), tuple(edges))

    @cached_property
    def emission(self) -> Emission:
        """The converted design; from the build cache where it was converted before."""
        return cached_emission(self.network, self.folding, self.convert)

    def convert(self) -> Emission:
        """Convert the design with Amaranth and Yosys. Raises SynthesisError."""
        inputs = [self.input, *(stream.port for stream in self.weight_inputs)]
        top = Top([one.component for one in self.placed], list(self.links), inputs, list(self.outputs))
        return emit(top, self.name, top.ports())

    def verilog(self, fabric: str = "generic") -> VerilogSources:
        """The design as SystemVerilog. The same network and folding give the same bytes.

        Raises InputError for an unknown fabric.
        """
        if fabric not in FABRICS:
            raise InputError(f"unknown fabric '{fabric}'; choose one of {', '.join(FABRICS)}")
        streams = {stream.file: stream.text() for stream in self.weight_inputs}
        return replace(self.emission.sources(fabric), streams=streams)
