// Maps read-only memories that are too small for block RAM: each bit of their words becomes one $lut of all the address
// bits, or several of WIDEST bits, and each of these the LUTs that hold its words and the fixed multiplexers that join
// them. ABC, given such a memory as logic, takes up to four times as many.
(* techmap_celltype = "$mem_v2" *)
module bitwright_rom_of_luts (RD_CLK, RD_EN, RD_ARST, RD_SRST, RD_ADDR, RD_DATA, WR_CLK, WR_EN, WR_ADDR, WR_DATA);
    parameter MEMID = "";
    parameter SIZE = 4;
    parameter OFFSET = 0;
    parameter ABITS = 2;
    parameter WIDTH = 8;
    parameter INIT = 1'bx;
    parameter RD_PORTS = 1;
    parameter RD_CLK_ENABLE = 1'b1;
    parameter RD_CLK_POLARITY = 1'b1;
    parameter RD_TRANSPARENCY_MASK = 1'b0;
    parameter RD_COLLISION_X_MASK = 1'b0;
    parameter RD_WIDE_CONTINUATION = 1'b0;
    parameter RD_CE_OVER_SRST = 1'b0;
    parameter RD_ARST_VALUE = 1'b0;
    parameter RD_SRST_VALUE = 1'b0;
    parameter RD_INIT_VALUE = 1'b0;
    parameter WR_PORTS = 1;
    parameter WR_CLK_ENABLE = 1'b1;
    parameter WR_CLK_POLARITY = 1'b1;
    parameter WR_PRIORITY_MASK = 1'b0;
    parameter WR_WIDE_CONTINUATION = 1'b0;

    parameter _TECHMAP_CONSTMSK_RD_ARST_ = 0;
    parameter _TECHMAP_CONSTVAL_RD_ARST_ = 0;
    parameter _TECHMAP_CONSTMSK_RD_SRST_ = 0;
    parameter _TECHMAP_CONSTVAL_RD_SRST_ = 0;

    localparam WRITES = WR_PORTS ? WR_PORTS : 1;
    localparam BITS = SIZE > 1 ? $clog2(SIZE) : 1;
    localparam RESET = _TECHMAP_CONSTMSK_RD_ARST_ !== 1'b1 || _TECHMAP_CONSTVAL_RD_ARST_ !== 1'b0 ||
        _TECHMAP_CONSTMSK_RD_SRST_ !== 1'b1 || _TECHMAP_CONSTVAL_RD_SRST_ !== 1'b0;

    input [RD_PORTS-1:0] RD_CLK, RD_EN, RD_ARST, RD_SRST;
    input [RD_PORTS*ABITS-1:0] RD_ADDR;
    output [RD_PORTS*WIDTH-1:0] RD_DATA;
    input [WRITES-1:0] WR_CLK;
    input [WRITES*WIDTH-1:0] WR_EN, WR_DATA;
    input [WRITES*ABITS-1:0] WR_ADDR;

    // Words behind the last one are copies of those before, so that the last address bit may turn out not to matter.
    function [(1 << BITS)-1:0] column(input integer place);
        integer i;
        for (i = 0; i < 1 << BITS; i = i + 1)
            column[i] = INIT[(i < SIZE ? i : i - (1 << (BITS - 1))) * WIDTH + place] === 1'b1;
    endfunction

    wire _TECHMAP_FAIL_ = WR_PORTS != 0 || RD_PORTS != 1 || OFFSET != 0 || ABITS < BITS || RESET ||
        RD_INIT_VALUE !== {WIDTH{1'bx}};

    wire [WIDTH-1:0] word;
    genvar b;
    generate
        for (b = 0; b < WIDTH; b = b + 1) begin : bits
            \$__bitwright_rom_bit #(.BITS(BITS), .WORDS(column(b))) rom (.A(RD_ADDR[BITS-1:0]), .Y(word[b]));
        end
        if (RD_CLK_ENABLE)
            \$dffe #(.WIDTH(WIDTH), .CLK_POLARITY(RD_CLK_POLARITY), .EN_POLARITY(1'b1))
                register (.CLK(RD_CLK), .EN(RD_EN), .D(word), .Q(RD_DATA));
        else
            assign RD_DATA = word;
    endgenerate
endmodule

module \$__bitwright_rom_bit (A, Y);
    parameter BITS = 1;
    parameter WORDS = 0;

    input [BITS-1:0] A;
    output Y;

    localparam HALF = 1 << (BITS - 1);
    localparam [2*HALF-1:0] ALL = WORDS;
    localparam [HALF-1:0] LOW = ALL, HIGH = ALL >> HALF;

    generate
        if (LOW == HIGH && BITS == 1)
            assign Y = LOW;
        else if (LOW == {HALF{1'b0}} && HIGH == {HALF{1'b1}})
            assign Y = A[BITS-1];
        else if (LOW == {HALF{1'b1}} && HIGH == {HALF{1'b0}})
            assign Y = ~A[BITS-1];
        else if (LOW == HIGH)
            \$__bitwright_rom_bit #(.BITS(BITS - 1), .WORDS(LOW)) rest (.A(A[BITS-2:0]), .Y(Y));
        else if (BITS <= `WIDEST)
            (* bitwright_rom *) \$lut #(.WIDTH(BITS), .LUT(ALL)) lut (.A(A), .Y(Y));
        else begin
            wire low, high;
            \$__bitwright_rom_bit #(.BITS(BITS - 1), .WORDS(LOW)) rom0 (.A(A[BITS-2:0]), .Y(low));
            \$__bitwright_rom_bit #(.BITS(BITS - 1), .WORDS(HIGH)) rom1 (.A(A[BITS-2:0]), .Y(high));
            assign Y = A[BITS-1] ? high : low;
        end
    endgenerate
endmodule
