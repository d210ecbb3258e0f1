// Read-only memory with a registered output. The image is FILE in the folder named by the plusarg +memories=FOLDER,
// in the current folder without it.
module bitwright_rom #(
    parameter WIDTH = 8,
    parameter DEPTH = 2,
    parameter FILE = "rom.mem"
) (
    input wire clk,
    input wire enable,
    input wire [(DEPTH > 1 ? $clog2(DEPTH) : 1) - 1:0] address,
    output reg [WIDTH-1:0] data
);
    reg [WIDTH-1:0] words[0:DEPTH-1];
`ifdef SYNTHESIS
    initial $readmemh(FILE, words);
`else
    reg [8*1024-1:0] folder;
    initial begin
        if ($value$plusargs("memories=%s", folder)) $readmemh($sformatf("%0s/%0s", folder, FILE), words);
        else $readmemh(FILE, words);
    end
`endif
    generate
        if (DEPTH > 1) begin : many
            always @(posedge clk) if (enable) data <= words[address];
        end else begin : one
            always @(posedge clk) data <= words[0];
        end
    endgenerate
endmodule
