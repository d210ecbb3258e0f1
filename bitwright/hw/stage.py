"""A stage: one component with a stream on each side, and what the rest of the package asks of it."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from bitwright.graph import TensorSpec
from bitwright.hw.resources import StageResources
from bitwright.hw.timing import Actor, Edge


@dataclass(frozen=True, eq=False)
class StageTiming:
    """Actors and inner edges of one stage, the actors its input streams enter, and its output queue.

    A beat produced by actor `exit` in cycle s is offered to the next stage from cycle s + `latency`; the output queue
    has `capacity` slots.
    """

    actors: tuple[Actor, ...]
    edges: tuple[Edge, ...]
    entries: tuple[str, ...]
    exit: str
    capacity: int
    latency: int


class Stage(wiring.Component):
    """Base of all stages. `i` and `o` are streams of bits: a beat of `lanes_in` or `lanes_out` elements each.

    A stage that joins several streams has inputs `i`, `i1`, `i2` ...: `joined` are tensor and lanes of each after `i`.

    After reset, a beat moves over a stream in each cycle in which valid and ready are both high; once valid is high it
    stays, with the payload, until ready. Ready and valid come from registers alone.
    """

    # Amaranth warns of components that are never elaborated; timing and energy need no elaboration.
    _MustUse__silence = True

    def __init__(
        self,
        name: str,
        source: TensorSpec,
        lanes_in: int,
        result: TensorSpec,
        lanes_out: int,
        branches: int = 1,
        joined: tuple[tuple[TensorSpec, int], ...] = (),
    ) -> None:
        self.name = name
        self.source = source
        self.result = result
        self.lanes_in = lanes_in
        self.lanes_out = lanes_out
        self.branches = branches
        inlets = ((source, lanes_in), *joined)
        self.sources = tuple(spec for spec, _ in inlets)
        output = Out(stream.Signature(lanes_out * result.dtype.width))
        copies = {f"o{branch}": output for branch in range(1, branches)}
        inputs = {
            f"i{index or ''}": In(stream.Signature(lanes * spec.dtype.width))
            for index, (spec, lanes) in enumerate(inlets)
        }
        super().__init__({**inputs, "o": output, **copies})

    def inlets(self) -> list[Any]:
        """The input streams: `i`, and `i1`, `i2` ... where the stage joins several streams."""
        return [self.i, *(getattr(self, f"i{index}") for index in range(1, len(self.sources)))]

    def outlets(self) -> list[Any]:
        """The output streams: `o`, and `o1`, `o2` ... where the stage gives each beat to several consumers."""
        return [self.o, *(getattr(self, f"o{branch}") for branch in range(1, self.branches))]

    @property
    def beats_in(self) -> int:
        """Input beats of one frame."""
        return self.source.size // self.lanes_in

    @property
    def beats_out(self) -> int:
        """Output beats of one frame."""
        return self.result.size // self.lanes_out

    @abstractmethod
    def timing(self) -> StageTiming:
        """The stage as a timed dataflow graph, exact to the cycle."""

    @abstractmethod
    def resources(self) -> StageResources:
        """What it is made of and does in a frame."""
