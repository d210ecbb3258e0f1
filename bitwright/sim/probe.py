"""Looking inside a design: its inner streams, recorded by a wrapper around the unchanged Verilog.

The wrapper is built only when something went wrong; the ordinary simulator pays nothing for it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from bitwright.hw.accelerator import Accelerator
from bitwright.hw.ports import PortSpec
from bitwright.hw.sources import VerilogSources
from bitwright.sim import bulk
from bitwright.sim.interface import Interface
from bitwright.sim.templates import fill

WRAPPER = "bitwright_probe"

_VERILOG = """\
module @wrapper@ (
  input wire aclk,
  input wire aresetn,
@ports@,
  output wire [@last@:0] tap_valid,
  output wire [@last@:0] tap_ready
);
  @top@ dut (.aclk(aclk), .aresetn(aresetn), @connections@);
  assign tap_valid = {@valid@};
  assign tap_ready = {@ready@};
@payloads@
endmodule
"""


@dataclass(frozen=True)
class InnerStream:
    """The stream from stage `source` to stage `target` (None: an output of the design), and the tensor it carries.

    `tensor` is empty where the stream carries windows, not a tensor.
    """

    prefix: str
    source: str
    target: str | None
    tensor: str
    port: PortSpec


def inner_streams(accelerator: Accelerator) -> tuple[InnerStream, ...]:
    """Every stream that leaves a stage, in the order of the data's way."""
    order = {stage.name: place for place, stage in enumerate(accelerator.stages)}
    streams = []
    for link in accelerator.links:
        if link.source is None:
            continue
        stage = accelerator.stages[order[link.source.name]]
        prefix = stage.name + (f"_branch{link.branch}" if link.branch else "")
        port = PortSpec(prefix, stage.spec, stage.lanes_out)
        target = None if link.target is None else link.target.name
        streams.append(InnerStream(prefix, stage.name, target, stage.tensor, port))
    return tuple(sorted(streams, key=lambda stream: order[stream.source]))


def _wrapper(
    top: str, inputs: tuple[PortSpec, ...], outputs: tuple[PortSpec, ...], streams: tuple[InnerStream, ...]
) -> str:
    def vector(width: int) -> str:
        return f"[{width - 1}:0] "

    ports: list[str] = []
    for port in inputs:
        ports += [
            f"  input wire {vector(port.data_width)}{port.name}_tdata",
            f"  input wire {port.name}_tvalid",
            f"  output wire {port.name}_tready",
        ]
    for port in outputs:
        ports += [
            f"  output wire {vector(port.data_width)}{port.name}_tdata",
            f"  output wire {port.name}_tvalid",
            f"  input wire {port.name}_tready",
        ]
    names = [f"{port.name}_{pin}" for port in (*inputs, *outputs) for pin in ("tdata", "tvalid", "tready")]
    ports += [f"  output wire {vector(stream.port.data_width)}tap{i}" for i, stream in enumerate(streams)]
    return fill(
        _VERILOG,
        wrapper=WRAPPER,
        top=top,
        ports=",\n".join(ports),
        connections=", ".join(f".{name}({name})" for name in names),
        # Concatenations start with the highest bit.
        valid=", ".join(f"dut.{stream.prefix}__valid" for stream in reversed(streams)),
        ready=", ".join(f"dut.{stream.prefix}__ready" for stream in reversed(streams)),
        payloads="\n".join(f"  assign tap{i} = dut.{stream.prefix}__payload;" for i, stream in enumerate(streams)),
        last=len(streams) - 1,
    )


def record(accelerator: Accelerator, drive: bulk.Drive, frames: int, fabric: str = "generic") -> bulk.BulkResult:
    """Run the design once more as with `drive`; `taps` of the result are the beats of its `inner_streams`."""
    streams = inner_streams(accelerator)
    sources = accelerator.verilog(fabric)
    inputs = (accelerator.input, *(stream.port for stream in accelerator.weight_inputs))
    text = _wrapper(sources.top, inputs, accelerator.outputs, streams)
    wrapped = VerilogSources(WRAPPER, {**sources.sources, f"{WRAPPER}.sv": text}, sources.memories)
    simulator = bulk.build_verilator(
        wrapped,
        Interface.of(accelerator.input, accelerator.outputs, accelerator.weight_inputs),
        taps=tuple(stream.port.data_width // 8 for stream in streams),
    )
    expected = tuple(frames * stream.port.beats for stream in streams)
    return bulk.run(simulator, replace(drive, taps=expected), sources.memories)


def stuck_stage(accelerator: Accelerator, drive: bulk.Drive, frames: int, fabric: str = "generic") -> tuple[str, str]:
    """The stage that keeps a design from going on, and what it does, in words.

    It is the first stage, from the outputs on, that has a beat before it and does not take it; without one, the stage
    behind the last stream that came to an end before its time. Weights always wait for data and tell nothing.
    """
    streams = inner_streams(accelerator)
    seen = record(accelerator, drive, frames, fabric)
    weights = {link.target.name for link in accelerator.links if link.target and not link.source and link.branch}
    for place in reversed(range(len(streams))):
        stream = streams[place]
        if stream.source in weights:
            continue
        if stream.target is not None and seen.tap_valid[place] and not seen.tap_ready[place]:
            return stream.target, f"does not take the beat that stage '{stream.source}' offers"
    if len(seen.input_cycles) < len(drive.beats):
        return accelerator.stages[0].name, "does not take the beat that the input offers"
    for stream, beats in zip(streams, seen.taps, strict=True):
        if stream.source not in weights and len(beats) < frames * stream.port.beats:
            return stream.source, f"took all its beats but gave {len(beats)} of {frames * stream.port.beats}"
    return streams[-1].source, "gave all its beats, and the output took too few"
