"""A serial shell for designs with more ports than the device has pins.

The shell has four pins. Inputs come in through a shift register and are held in a second one; outputs are caught in a
register and leave through a shift register. Every path of the design then begins and ends at a register on the chip,
so that the clock frequency counts all of them. The shell measures a design: it is not a board interface.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bitwright.errors import InputError

SHELL = "bitwright_shell"
"""Name of the shell's module."""

PINS = 4
"""Pins of the shell: clk, load, serial_in, serial_out."""

_CLOCKS = ("aclk", "clk", "clock")


@dataclass(frozen=True)
class Port:
    """One port of a module; `width` in bits."""

    name: str
    is_input: bool
    width: int


def parse_ports(dump: str) -> tuple[Port, ...]:
    """The ports in the text of Yosys' `dump MODULE/x:*`, in their order in the module."""
    found: dict[int, Port] = {}
    for match in re.finditer(r"^\s*wire (.*)$", dump, re.MULTILINE):
        words = match.group(1).split()
        width = int(words[words.index("width") + 1]) if "width" in words else 1
        for direction in ("input", "output"):
            if direction in words:
                position = int(words[words.index(direction) + 1])
                found[position] = Port(words[-1].removeprefix("\\"), direction == "input", width)
    return tuple(found[position] for position in sorted(found))


def pin_count(ports: Sequence[Port]) -> int:
    """Pins that the ports take, one a bit."""
    return sum(port.width for port in ports)


def clock_of(ports: Sequence[Port]) -> str:
    """The name of the clock input. Raises InputError when there is none of the usual names."""
    for name in _CLOCKS:
        if Port(name, True, 1) in ports:
            return name
    raise InputError(f"the top module has no clock input; name it one of {', '.join(_CLOCKS)}")


def _range(width: int) -> str:
    return f"[{width - 1}:0]"


def _shift(register: str, width: int, bit: str) -> str:
    return f"{{{register}[{width - 2}:0], {bit}}}" if width > 1 else bit


def shell_text(top: str, ports: Sequence[Port]) -> str:
    """Verilog of the shell around module `top`, which it declares as a black box.

    The first bit shifted in ends at the highest position: ports follow each other from the lowest bit up in module
    order. `load` high for one cycle hands the shifted bits to the design and takes its outputs of the cycle before.
    """
    clock = clock_of(ports)
    inputs = [port for port in ports if port.is_input and port.name != clock]
    outputs = [port for port in ports if not port.is_input]
    if not inputs or not outputs:
        raise InputError(f"module '{top}' needs an input beside its clock and an output to be wrapped")
    wide_in, wide_out = pin_count(inputs), pin_count(outputs)
    declared = ", ".join(f"{'input' if p.is_input else 'output'} {_range(p.width)} {p.name}" for p in ports)
    connections = [f".{clock}(clk)"]
    for group, net in ((inputs, "held"), (outputs, "out")):
        offset = 0
        for port in group:
            connections.append(f".{port.name}({net}[{offset + port.width - 1}:{offset}])")
            offset += port.width
    return f"""(* blackbox *)
module {top}({declared});
endmodule

module {SHELL}(input clk, input load, input serial_in, output serial_out);
  reg {_range(wide_in)} shift_in, held;
  reg {_range(wide_out)} caught, shift_out;
  wire {_range(wide_out)} out;
  always @(posedge clk) begin
    shift_in <= {_shift("shift_in", wide_in, "serial_in")};
    if (load) held <= shift_in;
    caught <= out;
    shift_out <= load ? caught : {_shift("shift_out", wide_out, "1'b0")};
  end
  assign serial_out = shift_out[{wide_out - 1}];
  {top} core({", ".join(connections)});
endmodule
"""
