"""A cocotb simulation as cocotb's own Verilator runner builds it, every signal visible; only its paths are ours."""

from __future__ import annotations

from pathlib import Path

import cocotb_tools.runner

from bitwright.hw.sources import VerilogSources
from bitwright.sim.cocotb_runner import PortsOnlyVerilator


class DefaultVerilator(PortsOnlyVerilator):
    """cocotb's own build command."""

    def _build_command(self) -> list[list[str]]:
        return list(cocotb_tools.runner.Verilator._build_command(self))


def build_default(sources: VerilogSources, folder: Path) -> Path:
    """`folder` with the simulation built in it."""
    VerilogSources(sources.top, sources.sources).write(folder)
    DefaultVerilator().build(
        sources=[cocotb_tools.runner.Verilog(folder / name) for name in sorted(sources.sources)],
        hdl_toplevel=sources.top,
        build_args=["-Wno-fatal", f"-I{folder}"],
        build_dir=folder,
        timescale=("1ns", "1ps"),
    )
    return folder
