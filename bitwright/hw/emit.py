"""Amaranth to Verilog: one pass of Amaranth to RTLIL, then native Yosys to clean it and write Verilog.

Yosys runs in a process of its own, so that its crash or its output cannot harm the caller's.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from amaranth.back import rtlil
from amaranth.hdl import Elaboratable

from bitwright.errors import SynthesisError
from bitwright.hw.leaf import Emitter, LeafTop
from bitwright.hw.popcount import popcount_library
from bitwright.hw.sources import VerilogSources

ROM_MODULE = (Path(__file__).parent / "rom.sv").read_text()

ROM_STUB = """(* blackbox *) module bitwright_rom #(parameter WIDTH = 8, parameter DEPTH = 2, parameter FILE = "")
(input clk, input enable, input [(DEPTH > 1 ? $clog2(DEPTH) : 1) - 1:0] address, output [WIDTH-1:0] data); endmodule
"""

YOSYS_SCRIPT = """
import sys
from pyosys import libyosys as ys
design = ys.Design()
for command in open("commands.ys").read().splitlines():
    ys.run_pass(command, design)
"""


def popcount_stub(kind: str, bits: int) -> str:
    """The ports of a popcount module, for Yosys to leave its instances alone."""
    if kind == "plain":
        name, inputs = f"popcount_{bits}", f"input [{bits - 1}:0] bits"
    else:
        name, inputs = f"{kind}_popcount_{bits}", f"input [{bits - 1}:0] x, input [{bits - 1}:0] w"
    return f"(* blackbox *) module {name}({inputs}, output [{bits.bit_length() - 1}:0] count); endmodule\n"


def run_yosys(folder: Path, commands: Iterable[str]) -> None:
    """Run Yosys commands in `folder`. Raises SynthesisError with Yosys's last error line."""
    (folder / "commands.ys").write_text("\n".join(commands))
    done = subprocess.run(
        [sys.executable, "-c", YOSYS_SCRIPT], cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    if done.returncode:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        errors = [line for line in lines if "ERROR" in line] or lines[-1:] or [f"exit status {done.returncode}"]
        raise SynthesisError(f"Yosys failed: {errors[-1].strip()}")


@dataclass(frozen=True)
class Emission:
    """A converted design: `text` is its Verilog, without the popcount modules it names in `popcounts`.

    `memories` are the `$readmemh` images by file name. VerilogSources of any popcount fabric are put together from it.
    """

    name: str
    text: str
    popcounts: tuple[tuple[str, int], ...]
    memories: Mapping[str, str]

    def sources(self, fabric: str) -> VerilogSources:
        """Everything a simulator or synthesizer needs, with the popcounts of one fabric."""
        files = {f"{self.name}.v": self.text}
        if self.popcounts:
            files["popcount.sv"] = popcount_library(self.popcounts, fabric)
        if self.memories:
            files["rom.sv"] = ROM_MODULE
        return VerilogSources(self.name, files, self.memories)


def emit(top: Elaboratable, name: str, ports: list[object] | None = None) -> Emission:
    """Convert a design, and each leaf it uses once. Raises SynthesisError."""
    emitter = Emitter()
    texts = [_rtlil(top, name, emitter, ports)]
    done: set[str] = set()
    while pending := [leaf for key, leaf in emitter.leaves.items() if key not in done]:
        for leaf in pending:
            block = LeafTop(leaf, emitter)
            ports_of_leaf = [block.clk, *block.inputs.values(), *block.outputs.values()]
            texts.append(_rtlil(block, leaf.name, emitter, ports_of_leaf))
            done.add(leaf.name)
    popcounts = tuple(sorted(emitter.popcounts))
    memories = {rom.file: rom.text() for _, rom in sorted(emitter.roms.items())}
    return Emission(name, _to_verilog(name, texts, popcounts), popcounts, memories)


def _to_verilog(top: str, texts: list[str], popcounts: Iterable[tuple[str, int]]) -> str:
    stubs = ROM_STUB + "".join(popcount_stub(kind, bits) for kind, bits in popcounts)
    with tempfile.TemporaryDirectory(prefix="bitwright-") as scratch:
        folder = Path(scratch)
        (folder / "stubs.v").write_text(stubs)
        reads = []
        for index, text in enumerate(texts):
            (folder / f"{index}.il").write_text(text)
            reads.append(f"read_rtlil {index}.il")
        run_yosys(
            folder,
            [
                "read_verilog -sv -lib stubs.v",
                *reads,
                f"hierarchy -top {top}",
                "proc",
                "opt -keepdc",
                # Storage is written before it is read; its zeros at start would make the text grow with its depth.
                "delete t:$meminit_v2",
                "memory_collect",
                "clean",
                "write_verilog -noattr -sv out.v",
            ],
        )
        lines = (folder / "out.v").read_text().splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("/* Generated by"))


def _rtlil(top: Elaboratable, name: str, emitter: Emitter, ports: list[object] | None) -> str:
    extra = {} if ports is None else {"ports": ports}
    return str(rtlil.convert(top, name=name, platform=emitter, emit_src=False, **extra))
