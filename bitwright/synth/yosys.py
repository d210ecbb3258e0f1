"""Yosys, native and inside its own process: a script goes in, netlist files and cell counts come out."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bitwright.errors import InputError, SynthesisError, ToolMissingError
from bitwright.hw.sources import VerilogSources
from bitwright.synth.process import Deadline, error_line, run_python

_CODE = """
from pyosys import libyosys
libyosys.run_pass("script run.ys", libyosys.Design())
"""

LOG = "yosys.log"


def yosys_version() -> str:
    """The version of the installed pyosys. Raises ToolMissingError."""
    if importlib.util.find_spec("pyosys") is None:
        raise ToolMissingError("Yosys was not found; run pip install pyosys==0.70")
    return importlib.metadata.version("pyosys")


def run_yosys(script: str, folder: Path, deadline: Deadline) -> str:
    """Run a Yosys script in `folder`, which holds its sources (relative names); the log's text.

    Raises SynthesisError with Yosys' own last error line, ToolMissingError, and SynthesisError at the time limit.
    """
    yosys_version()
    (folder / "run.ys").write_text(script, encoding="utf-8")
    log = folder / LOG
    status = run_python(_CODE, [], tool="Yosys", folder=folder, log=log, deadline=deadline)
    if status:
        raise SynthesisError(f"Yosys failed: {error_line(log)}")
    return log.read_text(errors="replace")


def read_command(sources: VerilogSources) -> str:
    """The script line that reads all Verilog texts of a design. Raises InputError on names that cannot be files."""
    for name in (*sources.sources, *sources.memories):
        if "/" in name or '"' in name or "\n" in name or name.startswith("."):
            raise InputError(f"'{name}' cannot be a Verilog file name; use letters, digits, '_' and one extension")
    return "read_verilog -sv -defer " + " ".join(f'"{name}"' for name in sorted(sources.sources))


def cell_counts(stat: Path) -> Mapping[str, int]:
    """Cells by type in a flat netlist, from the file that `tee -o FILE stat -json` wrote."""
    found: dict[str, Any] = json.loads(stat.read_text())
    cells: dict[str, int] = found["design"]["num_cells_by_type"]
    return {kind: count for kind, count in cells.items() if not kind.startswith("$scopeinfo")}
