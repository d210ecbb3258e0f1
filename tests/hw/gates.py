"""Verilog as a network of gates, evaluated with NumPy on many vectors at once: a check that shares no code with ours.

Yosys elaborates the text and maps it to single-bit gates; a signal is an array of 64-bit words, one vector a bit.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from graphlib import TopologicalSorter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]

_GATES: dict[str, Callable[..., Words]] = {
    "$_NOT_": lambda a: ~a,
    "$_BUF_": lambda a: a,
    "$_AND_": lambda a, b: a & b,
    "$_OR_": lambda a, b: a | b,
    "$_XOR_": lambda a, b: a ^ b,
    "$_XNOR_": lambda a, b: ~(a ^ b),
    "$_MUX_": lambda a, b, s: (a & ~s) | (b & s),
}


def yosys(commands: list[str], folder: Path) -> None:
    """Run native Yosys in a process of its own."""
    program = "import sys\nfrom pyosys import libyosys as ys\nd = ys.Design()\nfor c in sys.argv[1:]: ys.run_pass(c, d)"
    done = subprocess.run([sys.executable, "-c", program, *commands], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, (done.stdout + done.stderr)[-2000:]


class Gates:
    """The gates of one module, in an order in which they can be evaluated."""

    def __init__(self, netlist: dict[str, object], top: str) -> None:
        module = netlist["modules"][top]  # type: ignore[index]
        self.ports = {name: port["bits"] for name, port in module["ports"].items()}
        gates = {}
        for cell in module["cells"].values():
            nets = cell["connections"]
            gates[nets["Y"][0]] = (cell["type"], [nets[pin][0] for pin in "ABS" if pin in nets])
        order = TopologicalSorter({net: [n for n in inputs if n in gates] for net, (_, inputs) in gates.items()})
        self.gates = [(net, *gates[net]) for net in order.static_order()]

    def __call__(self, **inputs: NDArray[np.uint8]) -> NDArray[np.int64]:
        """The output `count` for input ports given as 0/1 arrays (vectors, bits)."""
        vectors = next(iter(inputs.values())).shape[0]
        words = -(-vectors // 64)
        zero = np.zeros(words, dtype=np.uint64)
        values: dict[object, Words] = {"0": zero, "1": ~zero, "x": zero}
        for name, bits in inputs.items():
            padded = np.zeros((64 * words, bits.shape[1]), dtype=np.uint8)
            padded[:vectors] = bits
            packed = np.ascontiguousarray(np.packbits(padded, axis=0, bitorder="little").T).view(np.uint64)
            values |= dict(zip(self.ports[name], packed, strict=True))
        for net, kind, operands in self.gates:
            values[net] = _GATES[kind](*(values[operand] for operand in operands))
        count = np.zeros(vectors, dtype=np.int64)
        for place, net in enumerate(self.ports["count"]):
            count |= np.unpackbits(values[net].view(np.uint8), bitorder="little")[:vectors].astype(np.int64) << place
        return count


def elaborate(text: str, tops: list[str], folder: Path, library: str = "", options: str = "") -> dict[str, Gates]:
    """The gates of each top module; `library` is a cell library of Yosys to read, `options` those of read_verilog.

    Leaves are mapped before they are flattened, so each only once.
    """
    (folder / "text.sv").write_text(text)
    read = [f"read_verilog -sv {options} text.sv"] + ([f"read_verilog -overwrite +/{library}"] if library else [])
    mapping = ["hierarchy", "proc", "techmap", "techmap", "opt_clean", "setattr -mod -unset keep_hierarchy", "flatten"]
    yosys([*read, *mapping, "write_json -noscopeinfo gates.json"], folder)
    netlist = json.loads((folder / "gates.json").read_text())
    return {top: Gates(netlist, top) for top in tops}
