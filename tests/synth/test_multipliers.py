import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from bitwright.errors import SynthesisError
from bitwright.synth.devices import find_device
from bitwright.synth.flow import map_for
from bitwright.synth.netlist import map_design
from bitwright.synth.process import Deadline
from bitwright.synth.yosys import run_yosys
from tests.synth.designs import multipliers


def test_too_many_multipliers_go_to_luts() -> None:
    small = replace(find_device("ice40-up5k"), dsps=1)
    netlist, notes = map_for(multipliers(2, 9, 2), small, Deadline(300))
    assert netlist.cells.dsps == 0
    assert netlist.cells.luts > 10
    assert notes == ["multipliers are in LUTs: they would take 2 DSP blocks, ice40-up5k has 1"]


@pytest.mark.parametrize("signed", [False, True])
def test_multipliers_in_ice40_dsp_blocks_compute_the_products(tmp_path: Path, signed: bool) -> None:
    # Both products end in one register: with the pass ice40_dsp one of the two blocks would be lost.
    netlist = map_design(multipliers(2, 9, 2, signed), find_device("ice40-up5k"), True, Deadline(300))
    assert netlist.cells.dsps == 2
    shutil.copyfile(netlist.folder / "netlist.il", tmp_path / "netlist.il")
    low = (-256, -2) if signed else (0, 0)
    instances = ""
    for index, offsets in enumerate([((0, 0), (511, 3)), ((300, 3), (0, 1)), ((77, 2), (500, 1))]):
        pairs = [(low[0] + a, low[1] + b) for a, b in offsets]
        packed = {
            "a": (9, [a for a, _ in pairs]),
            "b": (2, [b for _, b in pairs]),
            "y": (11, [a * b for a, b in pairs]),
        }
        code = {name: sum(v % (1 << w) << w * i for i, v in enumerate(values)) for name, (w, values) in packed.items()}
        instances += f"""
  wire [21:0] y{index};
  multipliers dut{index}(.clk(clk), .a(18'd{code["a"]}), .b(4'd{code["b"]}), .y(y{index}));
  always @(posedge clk) if (cycle == 5) assert (y{index} == 22'd{code["y"]});"""
    bench = f"""module bench(input clk);
  reg [2:0] cycle = 0;
  always @(posedge clk) cycle <= cycle + 1;{instances}
endmodule
"""
    (tmp_path / "bench.v").write_text(bench)
    script = """read_rtlil netlist.il
delete =A:blackbox =A:whitebox
read_verilog -sv -formal -defer -D ICE40_U bench.v +/ice40/cells_sim.v
hierarchy -top bench
proc
flatten
async2sync
chformal -lower
sim -clock clk -n 8 -assert
"""
    run_yosys(script, tmp_path, Deadline(60))
    (tmp_path / "bench.v").write_text(bench.replace(".b(4'd", ".b(~4'd"))
    with pytest.raises(SynthesisError, match=r"ssert"):
        run_yosys(script, tmp_path, Deadline(60))
