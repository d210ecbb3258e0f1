"""nextpnr (the PyPI build, WebAssembly): place and route of a netlist, and what its report tells."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bitwright.cache import cached_build, content_key
from bitwright.errors import SynthesisError, ToolMissingError
from bitwright.native import processor
from bitwright.synth.devices import Family
from bitwright.synth.process import Deadline, error_line, run_python

LOG = "nextpnr.log"
REPORT = "report.json"


@dataclass(frozen=True)
class CriticalPath:
    """The slowest register-to-register path: cells at its ends, its delay in ns, and how many routed wires it takes.

    A step along a carry chain takes no routed wire.
    """

    start: str
    end: str
    logic_ns: float
    routing_ns: float
    hops: int


@dataclass(frozen=True)
class Placement:
    """What nextpnr reported: used and available sites by nextpnr's own names, and the slowest clock."""

    sites: Mapping[str, tuple[int, int]]
    fmax_mhz: float | None
    critical_path: CriticalPath | None


class PlacementError(SynthesisError):
    """nextpnr failed; `sites` is what it had counted by then."""

    def __init__(self, message: str, sites: Mapping[str, tuple[int, int]]) -> None:
        """`sites`: used and available by nextpnr's own names."""
        super().__init__(message)
        self.sites = sites


def _package(family: Family) -> str:
    return f"yowasp_nextpnr_{family}"


def nextpnr_version(family: Family) -> str:
    """The version of the installed nextpnr package of the family. Raises ToolMissingError."""
    name = _package(family)
    if importlib.util.find_spec(name) is None:
        package = name.replace("_", "-")
        raise ToolMissingError(f"nextpnr for {family} was not found; run pip install {package}==0.11.1.0.post826")
    return importlib.metadata.version(name)


def _code(family: Family) -> str:
    return f"from {_package(family)} import run_nextpnr_{family} as run\nsys.exit(run(sys.argv[1:]))\n"


def prepare_nextpnr(family: Family, deadline: Deadline) -> Path:
    """The folder of nextpnr's machine code for this processor, compiled on the first use (some seconds)."""
    key = content_key(nextpnr_version(family), importlib.metadata.version("wasmtime"), processor())

    def build(folder: Path) -> None:
        from rich.console import Console

        log = folder / LOG
        with Console(stderr=True).status(f"preparing nextpnr-{family} for this machine, once"):
            status = run_python(
                _code(family),
                ["--version"],
                tool="preparing nextpnr",
                folder=folder,
                log=log,
                deadline=deadline,
                environment={"YOWASP_CACHE_DIR": "."},
            )
        if "nextpnr" not in log.read_text(errors="replace"):
            raise SynthesisError(f"nextpnr-{family} cannot run (status {status}): {error_line(log)}")

    return cached_build("nextpnr", key, build)


def run_nextpnr(family: Family, options: Sequence[str], folder: Path, code_folder: Path, deadline: Deadline) -> None:
    """Place and route `netlist.json` of `folder` to `report.json`. Raises SynthesisError.

    Only relative names are used: the WebAssembly build maps absolute ones elsewhere.
    """
    log = folder / LOG
    arguments = ["--json", "netlist.json", "--report", REPORT, "--timing-allow-fail", *options]
    status = run_python(
        _code(family),
        arguments,
        tool=f"nextpnr-{family}",
        folder=folder,
        log=log,
        deadline=deadline,
        environment={"YOWASP_CACHE_DIR": str(code_folder)},
    )
    if status:
        sites = parse_utilisation(log.read_text(errors="replace"))
        raise PlacementError(f"nextpnr-{family} failed: {error_line(log)}", sites)


def parse_utilisation(log: str) -> dict[str, tuple[int, int]]:
    """Used and available sites in the table of a nextpnr log; empty where there is none yet."""
    rows = re.findall(r"^Info:\s+(\w+):\s*(\d+)/\s*(\d+)\s+\d+%", log, re.MULTILINE)
    return {name: (int(used), int(available)) for name, used, available in rows}


def read_placement(folder: Path) -> Placement:
    """The report that `run_nextpnr` left in `folder`."""
    report: dict[str, Any] = json.loads((folder / REPORT).read_text())
    sites = {name: (row["used"], row["available"]) for name, row in report["utilization"].items()}
    achieved = [row["achieved"] for row in report["fmax"].values()]
    return Placement(sites, min(achieved) if achieved else None, _slowest(report["critical_paths"]))


def _slowest(paths: Sequence[Mapping[str, Any]]) -> CriticalPath | None:
    inside = [p for p in paths if p["from"] == p["to"] and p["path"]]
    if not inside:
        return None
    steps = max((p["path"] for p in inside), key=lambda path: sum(step["delay"] for step in path))
    routing = sum(step["delay"] for step in steps if step["type"] == "routing")
    return CriticalPath(
        start=steps[0]["from"]["cell"],
        end=steps[-1]["to"]["cell"],
        logic_ns=round(sum(step["delay"] for step in steps) - routing, 3),
        routing_ns=round(routing, 3),
        hops=sum(step["type"] == "routing" and step["delay"] > 0 for step in steps),
    )
