"""The top module: stages in a row behind AXI4-Stream ports."""

from __future__ import annotations

from dataclasses import dataclass

from amaranth.hdl import ClockDomain, Elaboratable, Module, Mux, Signal, Value

from bitwright.hw.ports import PortSpec
from bitwright.hw.stage import Stage


@dataclass(frozen=True, eq=False)
class Link:
    """A stream from branch `branch` of stage `source` to stage `target` (None: an output).

    Without a source it comes from input port number `branch`. `entry` is the number of the target's input. A stage's
    inputs are linked in order.
    """

    source: Stage | None
    branch: int
    target: Stage | None
    entry: int = 0


class Top(Elaboratable):
    """Ports `aclk`, `aresetn`, and the streams of inputs and outputs, these with `tlast` on a frame's last beat.

    The stages' output streams keep names, `<stage>__valid`, `__ready` and `__payload`, for waves and for the search
    of a stuck stage.
    """

    def __init__(self, stages: list[Stage], links: list[Link], inputs: list[PortSpec], outputs: list[PortSpec]) -> None:
        self.stages = stages
        self.links = links
        self.inputs = inputs
        self.outputs = outputs
        self.signals: dict[str, Signal] = {}
        for name, width in (("aclk", 1), ("aresetn", 1)):
            self._port(name, width)
        for port in (*inputs, *outputs):
            self._port(f"{port.name}_tdata", port.data_width)
            self._port(f"{port.name}_tvalid", 1)
            self._port(f"{port.name}_tready", 1)
            if port in outputs:
                self._port(f"{port.name}_tlast", 1)

    def _port(self, name: str, width: int) -> None:
        self.signals[name] = Signal(width, name=name)

    def ports(self) -> list[Value]:
        """All port signals."""
        return list(self.signals.values())

    def elaborate(self, platform: object) -> Module:
        """Describe the module."""
        m = Module()
        m.domains.sync = domain = ClockDomain("sync")
        domain.clk = self.signals["aclk"]
        m.d.comb += domain.rst.eq(~self.signals["aresetn"])
        for stage in self.stages:
            m.submodules[stage.name] = stage
        remaining = list(self.outputs)
        for link in self.links:
            if link.source is None:
                port = self.inputs[link.branch]
                valid: Value = self.signals[f"{port.name}_tvalid"]
                payload: Value = self.signals[f"{port.name}_tdata"][: port.payload_width]
                ready: Value = self.signals[f"{port.name}_tready"]
            else:
                valid, payload, ready = self._named_stream(m, link.source, link.branch)
            if link.target is not None:
                entry = link.target.inlets()[link.entry]
                m.d.comb += [entry.valid.eq(valid), entry.payload.eq(payload), ready.eq(entry.ready)]
            else:
                self._output(m, remaining.pop(0), valid, payload, ready)
        return m

    def _named_stream(self, m: Module, stage: Stage, branch: int) -> tuple[Value, Value, Value]:
        outlet = stage.outlets()[branch]
        prefix = stage.name + (f"_branch{branch}" if branch else "")
        attributes = {"keep": 1}
        valid = Signal(name=f"{prefix}__valid", attrs=attributes)
        ready = Signal(name=f"{prefix}__ready", attrs=attributes)
        payload = Signal(len(outlet.payload), name=f"{prefix}__payload", attrs=attributes)
        m.d.comb += [valid.eq(outlet.valid), payload.eq(outlet.payload), outlet.ready.eq(ready)]
        return valid, payload, ready

    def _output(self, m: Module, port: PortSpec, valid: Value, payload: Value, ready: Value) -> None:
        count = Signal(range(max(2, port.beats)), name=f"{port.name}_count")
        last = Signal(name=f"{port.name}_last")
        m.d.comb += [
            last.eq(count == port.beats - 1),
            self.signals[f"{port.name}_tvalid"].eq(valid),
            self.signals[f"{port.name}_tdata"].eq(payload),
            self.signals[f"{port.name}_tlast"].eq(last),
            ready.eq(self.signals[f"{port.name}_tready"]),
        ]
        with m.If(valid & ready):
            m.d.sync += count.eq(Mux(last, 0, count + 1))
