"""A small design written by hand to the contract of the top-level ports: y[o] = sum of w[i] * x[i] over a frame.

Two stages: `scale` multiplies the lanes of each beat with weights from a memory, `total` sums up a frame.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from types import SimpleNamespace

import numpy as np

from bitwright.graph.types import IntType, TensorSpec
from bitwright.hw.ports import PortSpec
from bitwright.hw.sources import VerilogSources
from bitwright.hw.timing import Actor, Edge, TimingGraph, cumulative
from bitwright.sim.interface import Interface

_FIFO = """
module two_deep #(parameter W = 8) (
  input wire clk, input wire resetn,
  input wire push, input wire [W-1:0] in, output wire room,
  output wire valid, output wire [W-1:0] out, input wire pop);
  reg [W-1:0] slot [0:1];
  reg [1:0] count;
  reg head, tail;
  assign room = count < 2;
  assign valid = count != 0;
  assign out = slot[head];
  always @(posedge clk) begin
    if (push) begin slot[tail] <= in; tail <= ~tail; end
    if (pop) head <= ~head;
    count <= count + {1'b0, push} - {1'b0, pop};
    if (!resetn) begin count <= 0; head <= 0; tail <= 0; end
  end
endmodule
"""

_TOP = """
module top (
  input wire aclk, input wire aresetn,
  input wire [@IN@-1:0] s_axis_tdata, input wire s_axis_tvalid, output wire s_axis_tready,
  output wire [31:0] m_axis_tdata, output wire m_axis_tvalid, input wire m_axis_tready, output wire m_axis_tlast);
  reg [@IN@-1:0] weights [0:@BEATS@-1];
`ifdef SYNTHESIS
  initial $readmemh("weights.hex", weights);
`else
  string path;
  initial begin
    if ($value$plusargs("memories=%s", path)) $readmemh({path, "/weights.hex"}, weights);
    else $readmemh("weights.hex", weights);
  end
`endif
  integer i, j;
  reg [15:0] position, totalled;
  reg [@LANES@*16-1:0] products;
  wire scale__valid, scale__ready, scale__room, total__room;
  wire [@LANES@*16-1:0] scale__payload;
  wire [@IN@-1:0] word = weights[position];
  always @* for (i = 0; i < @LANES@; i = i + 1)
    products[16*i +: 16] = s_axis_tdata[8*i +: 8] * word[8*i +: 8];
  assign s_axis_tready = scale__room;
  wire take = s_axis_tvalid & s_axis_tready;
  two_deep #(.W(@LANES@*16)) scale_fifo (.clk(aclk), .resetn(aresetn), .push(take), .in(products), .room(scale__room),
    .valid(scale__valid), .out(scale__payload), .pop(scale__valid & scale__ready));
  reg [31:0] sum, next;
  always @* begin
    next = totalled == 0 ? 0 : sum;
    for (j = 0; j < @LANES@; j = j + 1) next = next + {16'b0, scale__payload[16*j +: 16]};
  end
  wire last = totalled == @BEATS@ - 1;
  assign scale__ready = @READY@;
  wire add = scale__valid & scale__ready;
  two_deep #(.W(32)) total_fifo (.clk(aclk), .resetn(aresetn), .push(add & last), .in(next), .room(total__room),
    .valid(m_axis_tvalid), .out(m_axis_tdata), .pop(m_axis_tvalid & m_axis_tready));
  assign m_axis_tlast = 1'b1;
  wire total__valid = m_axis_tvalid, total__ready = m_axis_tready;
  wire [31:0] total__payload = m_axis_tdata;
  always @(posedge aclk) begin
    if (take) position <= position == @BEATS@ - 1 ? 0 : position + 1;
    if (add) begin sum <= next; totalled <= last ? 0 : totalled + 1; end
    if (!aresetn) begin position <= 0; totalled <= 0; end
  end
@EXTRA@
endmodule
"""


class Handmade:
    """The design with `lanes` elements a beat and `beats` beats a frame, its weights and its definition."""

    def __init__(
        self, lanes: int = 4, beats: int = 5, seed: int = 0, ready: str = "total__room | ~last", extra: str = ""
    ) -> None:
        self.weights = np.random.default_rng(seed).integers(0, 256, lanes * beats)
        self.input = PortSpec("s_axis", TensorSpec((lanes * beats,), IntType.unsigned(8)), lanes)
        self.output = PortSpec("m_axis", TensorSpec((), IntType.unsigned(32)), 1)
        text = _TOP
        for name, value in {"IN": 8 * lanes, "LANES": lanes, "BEATS": beats, "READY": ready, "EXTRA": extra}.items():
            text = text.replace(f"@{name}@", str(value))
        words = ("".join(f"{w:02x}" for w in row[::-1]) for row in self.weights.reshape(beats, lanes))
        memories = {"weights.hex": "\n".join(words) + "\n"}
        self.sources = VerilogSources("top", {"top.sv": text, "fifo.sv": _FIFO}, memories)

    def changed(self, old: str, new: str) -> Handmade:
        """The design with another text in one place of its top module."""
        other = copy.copy(self)
        top = self.sources.sources["top.sv"]
        assert top.count(old) == 1
        other.sources = replace(self.sources, sources={**self.sources.sources, "top.sv": top.replace(old, new)})
        return other

    @property
    def interface(self) -> Interface:
        """Its streams."""
        return Interface.of(self.input, self.output_ports)

    @property
    def output_ports(self) -> tuple[PortSpec, ...]:
        """Its one output."""
        return (self.output,)

    @property
    def timing(self) -> TimingGraph:
        """Both stages take a beat a cycle; a beat can be used one cycle after it was made."""
        beats = self.input.beats
        ones = np.ones(beats, dtype=np.int64)
        last = np.zeros(beats, dtype=np.int64)
        last[-1] = 1
        takes = (cumulative(ones),)
        return TimingGraph(
            (Actor("scale", beats, takes, takes, (ones,)), Actor("total", beats, takes, takes, (last,))),
            (Edge("input", "scale", 0, 0), Edge("scale", "total", 2, 1), Edge("total", "output", 2, 1)),
        )

    def accelerator(self) -> SimpleNamespace:
        """The design in the form of an `Accelerator`."""
        products = TensorSpec(self.input.spec.shape, IntType.unsigned(16))
        scale, total = SimpleNamespace(name="scale"), SimpleNamespace(name="total")
        return SimpleNamespace(
            input=self.input,
            outputs=self.output_ports,
            weight_inputs=(),
            timing=self.timing,
            verilog=lambda fabric="generic": self.sources,
            network=SimpleNamespace(spec={"products": products, "y": self.output.spec}.__getitem__),
            stages=(
                SimpleNamespace(
                    name="scale", operations=("scale",), tensor="products", spec=products, lanes_out=self.input.lanes
                ),
                SimpleNamespace(name="total", operations=("total",), tensor="y", spec=self.output.spec, lanes_out=1),
            ),
            links=(
                SimpleNamespace(source=None, branch=0, target=scale),
                SimpleNamespace(source=scale, branch=0, target=total),
                SimpleNamespace(source=total, branch=0, target=None),
            ),
        )

    def run(self, x: np.ndarray) -> np.ndarray:
        """What the design computes."""
        return (x.astype(np.int64) @ self.weights).astype(np.int64)

    def frames(self, count: int, seed: int = 1) -> np.ndarray:
        """Random input frames."""
        return np.random.default_rng(seed).integers(0, 256, (count, *self.input.spec.shape))
