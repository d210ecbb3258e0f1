"""Small Verilog designs that the synthesis tests share."""

import random

from bitwright.hw.sources import VerilogSources

_STREAM = """
module count(input aclk, input aresetn, input [{top}:0] s_axis_tdata, input s_axis_tvalid, output s_axis_tready,
             output reg [7:0] m_axis_tdata, output reg m_axis_tvalid, input m_axis_tready);
  reg [{top}:0] words [0:1023];
  initial $readmemh("words.mem", words);
  reg [9:0] address;
  reg [{top}:0] word, x;
  reg valid;
  wire [7:0] ones;
  assign s_axis_tready = m_axis_tready;
  ones #(.WIDTH({width})) tree(.i(word ^ x), .o(ones));
  always @(posedge aclk) begin
    word <= words[address];
    x <= s_axis_tdata;
    valid <= s_axis_tvalid & s_axis_tready;
    if (s_axis_tvalid & s_axis_tready) address <= address + 1;
    m_axis_tdata <= ones;
    m_axis_tvalid <= valid;
    if (!aresetn) begin address <= 0; valid <= 0; end
  end
endmodule
"""

_ONES = """
(* keep_hierarchy *)
module ones #(parameter WIDTH = 1)(input [WIDTH-1:0] i, output [7:0] o);
  integer k;
  reg [7:0] sum;
  always @* begin
    sum = 0;
    for (k = 0; k < WIDTH; k = k + 1) sum = sum + i[k];
  end
  assign o = sum;
endmodule
"""

_ADDER = """
module adder(input clk, input [1:0] a, input b, output reg [1:0] s, output reg p);
  always @(posedge clk) begin s <= a + b; p <= ^a; end
endmodule
"""

_INVERTER = """
module inverter(input clk, input [{top}:0] a, output reg [{top}:0] y);
  reg [{top}:0] held;
  always @(posedge clk) begin held <= a; y <= ~held; end
endmodule
"""

_MULTIPLIERS = """
module multipliers(input clk, input [{top_a}:0] a, input [{top_b}:0] b, output reg [{top_y}:0] y);
  reg [{top_a}:0] ra;
  reg [{top_b}:0] rb;
  integer k;
  always @(posedge clk) begin
    ra <= a;
    rb <= b;
    for (k = 0; k < {count}; k = k + 1)
      y[{wide}*k +: {wide}] <= ${sign}(ra[{bits_a}*k +: {bits_a}]) * ${sign}(rb[{bits_b}*k +: {bits_b}]);
  end
endmodule
"""


def memory(width: int) -> str:
    """1,024 words of `width` pseudo-random bits, as $readmemh reads them."""
    draw = random.Random(1)
    return "".join(f"{draw.getrandbits(width):x}\n" for _ in range(1024))


def counter(width: int = 16) -> VerilogSources:
    """A stream that counts where its words differ from a memory's: `width` bits a beat, 1,024 words."""
    texts = {"count.v": _STREAM.format(top=width - 1, width=width), "ones.v": _ONES}
    return VerilogSources("count", texts, {"words.mem": memory(width)})


def adder() -> VerilogSources:
    """Five bits of ports and two registers."""
    return VerilogSources("adder", {"adder.v": _ADDER})


def inverter(width: int) -> VerilogSources:
    """`width` bits in and out."""
    return VerilogSources("inverter", {"inverter.v": _INVERTER.format(top=width - 1)})


def multipliers(count: int, bits_a: int, bits_b: int, signed: bool = False) -> VerilogSources:
    """`count` products of integers of `bits_a` and `bits_b` bits, all in one register."""
    wide = bits_a + bits_b
    text = _MULTIPLIERS.format(
        count=count, bits_a=bits_a, bits_b=bits_b, wide=wide, sign="signed" if signed else "unsigned",
        top_a=bits_a * count - 1, top_b=bits_b * count - 1, top_y=wide * count - 1,
    )  # fmt: skip
    return VerilogSources("multipliers", {"multipliers.v": text})
