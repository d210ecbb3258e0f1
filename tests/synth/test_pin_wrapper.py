from pathlib import Path

import pytest

from bitwright.errors import InputError, SynthesisError
from bitwright.synth.pin_wrapper import SHELL, Port, clock_of, parse_ports, pin_count, shell_text
from bitwright.synth.process import Deadline
from bitwright.synth.yosys import run_yosys
from tests.synth.designs import adder

PORTS = (Port("clk", True, 1), Port("a", True, 2), Port("b", True, 1), Port("s", False, 2), Port("p", False, 1))


def test_ports_are_read_in_module_order() -> None:
    dump = """
  attribute \\src "x.v:1"
  wire width 2 input 2 \\a
  wire output 5 \\p
  wire input 1 \\clk
  wire width 2 output 4 \\s
  wire input 3 \\b
  connect \\p 1'1
"""
    assert parse_ports(dump) == PORTS
    assert pin_count(PORTS) == 7


def test_a_design_needs_a_clock_an_input_and_an_output() -> None:
    assert clock_of(PORTS) == "clk"
    with pytest.raises(InputError, match="no clock input; name it one of aclk, clk, clock"):
        clock_of(PORTS[1:])
    with pytest.raises(InputError, match="needs an input beside its clock and an output"):
        shell_text("adder", PORTS[:3])


@pytest.mark.parametrize(("a", "b"), [(0, 0), (1, 1), (2, 1), (3, 0), (3, 1)])
def test_the_shell_carries_inputs_in_and_outputs_out(tmp_path: Path, a: int, b: int) -> None:
    # A solver follows the shell cycle by cycle from an unknown state: only what was shifted through is determined.
    adder().write(tmp_path)
    (tmp_path / "shell.v").write_text(shell_text("adder", PORTS).split("endmodule", 1)[1])  # without the black box
    serial_in = {1: b, 2: a >> 1, 3: a & 1}  # the highest position goes first
    loads = {4, 8}  # now the inputs are complete; now the registered sum has been caught
    drive = " ".join(
        f"-set-at {cycle} serial_in {serial_in.get(cycle, 0)} -set-at {cycle} load {int(cycle in loads)}"
        for cycle in range(1, 12)
    )
    parity, carry, low = (a & 1) ^ (a >> 1), (a + b) >> 1 & 1, (a + b) & 1
    proofs = [
        f"sat -verify -seq {cycle} -prove-skip {cycle - 1} {drive} -prove serial_out 1'b{bit} {SHELL}"
        for cycle, bit in ((9, parity), (10, carry), (11, low))
    ]
    script = [f"read_verilog -sv adder.v shell.v\nhierarchy -top {SHELL}\nproc\nflatten\nopt_clean", *proofs, ""]
    run_yosys("\n".join(script), tmp_path, Deadline(60))
    wrong = proofs[0].replace(f"1'b{parity}", f"1'b{1 - parity}")
    with pytest.raises(SynthesisError, match="proof did fail"):
        run_yosys("\n".join([script[0], wrong, ""]), tmp_path, Deadline(60))
