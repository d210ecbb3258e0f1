"""CXXRTL, Yosys's own simulator, behind the same harness as Verilator: a second opinion on the same Verilog.

Yosys reads the `$readmemh` images while it builds, so here a build belongs to one set of weights.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import sys
from pathlib import Path

from bitwright.cache import cached_build, content_key
from bitwright.errors import SimulationError, ToolMissingError
from bitwright.hw.sources import VerilogSources
from bitwright.native import compiler, processor
from bitwright.sim.bulk import HARNESS, PROGRAM, Simulator
from bitwright.sim.interface import Interface
from bitwright.sim.process import first_error, progress_bar, run_all, run_program
from bitwright.sim.templates import fill

OPTIMIZE = ("-O2", "-march=native", "-std=c++17", "-w")
BUILD_LIMIT_SECONDS = 900.0

_PASSES = """\
import json, sys
from pyosys import libyosys
design = libyosys.Design()
for command in json.loads(sys.argv[1]):
    libyosys.run_pass(command, design)
"""

_TEMPLATE = """\
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "design.cc"

struct Model {
    static constexpr int INPUT_BYTES = @input_bytes@;
    static constexpr int OUTPUTS = @outputs@;
    static constexpr int OUTPUT_BYTES[] = {@output_bytes@};
    static constexpr int WEIGHTS = @weights@;
    static constexpr int WEIGHT_BYTES[] = {@weight_bytes@};
    static constexpr int TAPS = 0;
    static constexpr int TAP_BYTES[] = {0};
    template <int I> using Index = std::integral_constant<int, I>;

    cxxrtl_design::@top@ top;

    Model(int, char**) {}
    // A port that is a register shows its present value apart from the next one.
    template <std::size_t B> static const cxxrtl::value<B>& now(const cxxrtl::value<B>& port) { return port; }
    template <std::size_t B> static const cxxrtl::value<B>& now(const cxxrtl::wire<B>& port) { return port.curr; }

    void reset(bool active) { top.p_aresetn.set<bool>(!active); }
    void input(const uint8_t* beat) { std::memcpy(top.@input@__tdata.data, beat, INPUT_BYTES); }
    void input_valid(bool valid) { top.@input@__tvalid.set<bool>(valid); }
    bool input_ready() const { return now(top.@input@__tready).template get<bool>(); }
@output_methods@@weight_methods@
    void settle() {}
    // CXXRTL's step() stops as soon as nothing is fed back, with outputs still computed from the registers before the
    // edge. So: let the pins settle, rise, and settle again.
    void step() {
        top.step();
        top.p_aclk.set<bool>(true);
        top.step();
        top.p_aclk.set<bool>(false);
        top.step();
    }
    bool tap_valid(int) const { return false; }
    bool tap_ready(int) const { return false; }
    void tap(int, uint8_t*) const {}
    void finish() {}
};
"""

_OUTPUT = """\
    bool output_valid(Index<@i@>) const { return now(top.@port@__tvalid).template get<bool>(); }
    void output_ready(Index<@i@>, bool ready) { top.@port@__tready.set<bool>(ready); }
    void output(Index<@i@>, uint8_t* beat) const { std::memcpy(beat, now(top.@port@__tdata).data, OUTPUT_BYTES[@i@]); }
"""

_WEIGHTS = """\
    bool weights_ready(Index<@i@>) const { return now(top.@port@__tready).template get<bool>(); }
    void weights_valid(Index<@i@>, bool valid) { top.@port@__tvalid.set<bool>(valid); }
    void weights(Index<@i@>, const uint8_t* beat) { std::memcpy(top.@port@__tdata.data, beat, WEIGHT_BYTES[@i@]); }
"""


def version() -> str:
    """The version of the installed pyosys. Raises ToolMissingError."""
    try:
        return importlib.metadata.version("pyosys")
    except importlib.metadata.PackageNotFoundError as error:
        raise ToolMissingError("Yosys was not found; install it with: pip install pyosys==0.70") from error


def _headers() -> Path:
    version()
    spec = importlib.util.find_spec("pyosys")
    folders = [Path(path) for path in (spec.submodule_search_locations or [])] if spec else []
    for folder in folders:
        headers = folder / "share" / "include" / "backends" / "cxxrtl" / "runtime"
        if headers.is_dir():
            return headers
    raise ToolMissingError("Yosys has no CXXRTL headers; reinstall it with: pip install --force-reinstall pyosys==0.70")


def _mangle(name: str) -> str:
    return "p_" + name.replace("_", "__")


def _model_header(top: str, interface: Interface) -> str:
    return fill(
        _TEMPLATE,
        top=_mangle(top),
        input=_mangle(interface.input_name),
        input_bytes=interface.input_bytes,
        outputs=len(interface.output_names),
        output_bytes=", ".join(map(str, interface.output_bytes)),
        output_methods="".join(fill(_OUTPUT, i=i, port=_mangle(name)) for i, name in enumerate(interface.output_names)),
        weights=len(interface.weight_names),
        weight_bytes=", ".join(map(str, interface.weight_bytes)) or "0",
        weight_methods="".join(
            fill(_WEIGHTS, i=i, port=_mangle(name)) for i, name in enumerate(interface.weight_names)
        ),
    )


def _passes(sources: VerilogSources) -> list[str]:
    return [
        f"read_verilog -sv -defer -DSYNTHESIS {' '.join(sorted(sources.sources))}",
        f"hierarchy -check -top {sources.top}",
        "proc",
        "flatten",
        # $countones becomes a chain of comparisons and sums; this leaves the sums.
        "opt_expr",
        "opt_clean",
        "memory_collect",
        "write_cxxrtl -g0 design.cc",
    ]


def build_cxxrtl(sources: VerilogSources, interface: Interface) -> Simulator:
    """The design, weights included, as a program; from the build cache where it is there.

    Raises SimulationError or ToolMissingError.
    """
    model = _model_header(sources.top, interface)
    passes = _passes(sources)
    key = content_key(sources.key(), model, *passes, HARNESS.read_text(), " ".join(OPTIMIZE), version(), processor())

    def build(folder: Path) -> None:
        sources.write(folder)
        (folder / "model.h").write_text(model)
        with progress_bar("Yosys (CXXRTL)") as bar:
            finished = run_program(
                [sys.executable, "-c", _PASSES, json.dumps(passes)],
                limit=BUILD_LIMIT_SECONDS,
                what="Yosys",
                cwd=folder,
                env=dict(os.environ),
                tick=bar.update,
            )
        if finished.status:
            raise SimulationError(f"Yosys rejects module {sources.top}: {first_error(finished)}")
        command = [compiler(), *OPTIMIZE, "-I.", f"-I{_headers()}", "-o", PROGRAM, str(HARNESS)]
        run_all([command], limit=BUILD_LIMIT_SECONDS, what="g++ (CXXRTL)", cwd=folder)

    return Simulator(cached_build("cxxrtl", key, build) / PROGRAM, interface)
