"""Resource estimates beside what Yosys reports, on designs the estimates were not fitted to.

`run` synthesizes the held-out designs of `resource_designs` for three families and compares. `python -m
benchmarks.resources --fit FAMILY ...` synthesizes the training designs and writes new coefficients: the least squares
of relative errors over non-negative LUTs a term, each drawn a little to the value that the circuit suggests
(`EXPECTED`), which settles terms that the designs do not tell apart. Netlists are kept: each design is mapped once.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.resource_designs import Trial, held_out, training
from bitwright.errors import SynthesisError
from bitwright.hw import cost
from bitwright.hw.cost import FAMILIES, Family, estimate
from bitwright.hw.cost.coefficients import FILE
from bitwright.hw.cost.estimate import tallies
from bitwright.hw.cost.tally import EXACT
from bitwright.synth.cells import CellSummary
from bitwright.synth.devices import find_device
from bitwright.synth.netlist import map_design
from bitwright.synth.process import Deadline

DEVICES: dict[Family, str] = {"ecp5": "ecp5-85k", "ice40": "ice40-up5k", "xilinx7": "xc7z020"}
LIMIT_S = 300
GOAL = 0.15
"""Relative error of LUTs."""

EXPECTED: dict[str, float] = {
    "accumulator": 1.0, "buffer": 8.0, "clip": 1.0, "compare": 0.8, "compare constant": 0.3, "constant compare": 1.0,
    "constant product": 0.4, "constant sum": 0.6, "counter": 3.0, "few-valued product": 0.8, "full adder": 2.2,
    "level": 4.0, "narrow counter": 1.5, "narrow level": 2.0, "negation": 0.1, "ports": 5.0, "queue": 6.0,
    "rom 5": 2.3, "rom 6": 6.0, "rom 7": 14.0, "rom 8": 27.0, "rom 9": 54.0, "rom 10": 110.0, "stage": 5.0,
    "table compare": 0.4, "table mux": 0.3, "threshold count": 0.5, "two-valued product": 0.5,
}  # fmt: skip
"""LUTs of a term as its circuit suggests; 1 for the others."""

EXPECTED_LUT6: dict[str, float] = {
    **{term: luts for term, luts in EXPECTED.items() if term != "accumulator" and not term.startswith("rom ")},
    "compare": 0.6, "counter": 1.0, "full adder": 1.0, "level": 1.5, "memory mux": 0.5, "narrow counter": 1.0,
    "negation": 0.3, "queue": 4.0, "register mux": 1.0, "select": 0.4, "stage": 4.0,
}  # fmt: skip

CERTAIN = {"accumulator"}
"""Terms whose expected value holds: a LUT clears each bit where a sum starts, before the adder."""

PULL = 0.1
SURE_PULL = 1.0
SMALL = 100
"""LUTs added to a design's own when errors are weighed, so that the smallest do not decide."""


def measured(trial: Trial, family: Family) -> CellSummary:
    """What Yosys makes of a design. Raises SynthesisError."""
    device = find_device(DEVICES[family])
    return map_design(trial.accelerator.verilog(device.fabric), device, trial.dsp, Deadline(LIMIT_S)).cells


@dataclass(frozen=True)
class Comparison:
    """One design, measured and estimated."""

    name: str
    luts: int
    estimated_luts: int
    brams: int
    estimated_brams: int
    dsps: int
    estimated_dsps: int

    @property
    def error(self) -> float:
        """Of the LUTs, relative."""
        return self.estimated_luts / self.luts - 1

    @property
    def exact(self) -> bool:
        """Whether block RAMs and DSP blocks agree."""
        return (self.brams, self.dsps) == (self.estimated_brams, self.estimated_dsps)


def compared(trial: Trial, family: Family) -> Comparison:
    """One design, measured and estimated."""
    cells, found = measured(trial, family), estimate(trial.accelerator, family, dsp=trial.dsp)
    return Comparison(trial.name, cells.luts, found.luts, cells.brams, found.brams, cells.dsps, found.dsps)


def run(every: bool = False) -> dict[str, Any]:
    """{family: figures}: errors of LUTs over the held-out designs, and how many block RAM and DSP counts are off.

    `every` takes the larger networks and more random ones, which need about half an hour the first time.
    """
    result: dict[str, Any] = {"goal": GOAL}
    trials = list(held_out(every))
    for family in FAMILIES:
        rows: list[Comparison] = []
        late: list[str] = []
        for trial in trials:
            try:
                rows.append(compared(trial, family))
            except SynthesisError:
                late.append(trial.name)
        errors = np.abs([row.error for row in rows])
        result[family] = {
            "designs": len(rows),
            "median_error": float(np.median(errors)),
            "error_of_nine_in_ten": float(np.quantile(errors, 0.9)),
            "worst_error": float(errors.max()),
            "worst_design": rows[int(errors.argmax())].name,
            "within_goal": int((errors <= GOAL).sum()),
            "block_rams_off": sum(row.brams != row.estimated_brams for row in rows),
            "dsps_off": sum(row.dsps != row.estimated_dsps for row in rows),
            "not_mapped_in_time": late,
            "luts": {row.name: {"measured": row.luts, "estimated": row.estimated_luts} for row in rows},
        }
    return result


def fit(family: Family, trials: Iterable[Trial]) -> dict[str, float]:
    """LUTs of each term, from the designs that Yosys maps in time."""
    counts, luts = [], []
    for trial in trials:
        try:
            luts.append(float(measured(trial, family).luts))
        except SynthesisError as error:
            print(f"{trial.name}: {error}", file=sys.stderr)
            continue
        terms: dict[str, float] = {}
        for _, tally in tallies(trial.accelerator, family, trial.dsp):
            for term, amount in tally.terms.items():
                terms[term] = terms.get(term, 0.0) + amount
        counts.append(terms)
    likely = EXPECTED_LUT6 if family == "xilinx7" else EXPECTED
    names = sorted({term for one in counts for term in one}.union(likely) - {EXACT})
    matrix = np.array([[one.get(name, 0.0) for name in names] for one in counts])
    wanted = np.array(luts) - np.array([one.get(EXACT, 0.0) for one in counts])
    weights = 1 / (np.array(luts) + SMALL)
    expected = np.array([likely.get(name, 1.0) for name in names])
    pull = np.array([SURE_PULL if name in CERTAIN else PULL for name in names])
    left = np.vstack([matrix * weights[:, None], np.diag(pull / expected)])
    solution = non_negative(left, np.concatenate([wanted * weights, pull]))
    return {name: round(float(value), 3) for name, value in zip(names, solution, strict=True) if value > 5e-4}


def non_negative(left: NDArray[np.float64], right: NDArray[np.float64], rounds: int = 20_000) -> NDArray[np.float64]:
    """The non-negative x with the least |left @ x - right|, one coordinate after the other."""
    gram, goal = left.T @ left, left.T @ right
    x = np.zeros(len(goal))
    for _ in range(rounds):
        before = x.copy()
        for index in range(len(x)):
            rest = goal[index] - gram[index] @ x + gram[index, index] * x[index]
            x[index] = max(0.0, rest / gram[index, index])
        if np.abs(x - before).max() < 1e-9:
            break
    return x


def main() -> None:
    """Print the figures as JSON, or fit."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.resources")
    parser.add_argument("--fit", nargs="+", choices=FAMILIES, help="families to fit anew")
    parser.add_argument("--every", action="store_true", help="try the larger networks and more random ones too")
    arguments = parser.parse_args()
    if not arguments.fit:
        print(json.dumps(run(arguments.every), indent=2))
        return
    path = Path(cost.__file__).parent / FILE
    found = json.loads(path.read_text())
    for family in arguments.fit:
        found["luts"][family] = fit(family, training(family))
        found["fitted_with"][family] = {"pyosys": importlib.metadata.version("pyosys")}
        path.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
