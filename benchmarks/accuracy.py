"""Trains the networks of the package anew and reports their accuracy; fails when digits stays below its limits.

`python -m benchmarks.accuracy` prints the table of docs/models.md: digits with three seeds, all others with one.
`--keep FOLDER` saves every trained network, which is how the shipped checkpoints were made.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import torch

from bitwright.models import AccuracyRow, accuracy_report, data_for, markdown_table

PLAN = {
    "digits": (("float", "w8a8", "w4a4", "w2a2", "w1a1"), (0, 1, 2)),
    "tfc": (("float", "w8a8", "w2a2", "w1a1"), (0,)),
    "lfc": (("float", "w8a8", "w2a2", "w1a1"), (0,)),
    "cnn": (("float", "w8a8", "w2a2", "w1a1"), (0,)),
    "conv1d": (("float", "w8a8", "w4a4", "w2a2"), (0,)),
}
"""Precisions and seeds of each topology."""

LIMITS = {"w8a8": 0.97, "w4a4": 0.97, "w2a2": 0.96, "w1a1": 0.94}
"""Least mean test accuracy on digits."""


def measure(topology: str, folder: Path | None = None, keep: Path | None = None) -> tuple[AccuracyRow, ...]:
    """The rows of one topology; `folder` holds MNIST as IDX files, `keep` takes the checkpoints."""
    precisions, seeds = PLAN[topology]

    def place(name: str, precision: str, seed: int) -> Path | None:
        return None if keep is None else keep / f"{name}-{precision}-{seed}.safetensors"

    return accuracy_report(topology, precisions, seeds, data_for(topology, folder), place)


def below(rows: tuple[AccuracyRow, ...]) -> list[str]:
    """What misses its limit, in words."""
    return [
        f"{row.topology} {row.precision}: {row.mean:.4f} < {LIMITS[row.precision]:.4f}"
        for row in rows
        if row.topology == "digits" and row.mean < LIMITS.get(row.precision, 0.0)
    ]


def run() -> dict[str, Any]:
    """Mean test accuracy on digits by precision, its limits, and the seconds it took."""
    start = time.perf_counter()
    rows = measure("digits")
    return {
        "seeds": len(rows[0].seeds),
        **{f"digits_{row.precision}": round(row.mean, 4) for row in rows},
        **{f"digits_{precision}_limit": limit for precision, limit in LIMITS.items()},
        "below_limit": below(rows),
        "seconds": round(time.perf_counter() - start, 1),
    }


def main() -> int:
    """Print the table; 1 when a limit is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("topologies", nargs="*", default=list(PLAN), help=f"any of {', '.join(PLAN)}")
    parser.add_argument("--folder", type=Path, help="the four MNIST IDX files, instead of the 5,000 shipped images")
    parser.add_argument("--keep", type=Path, help="where to save the trained networks")
    parser.add_argument("--threads", type=int, default=1, help="torch threads; the shipped networks were made with 1")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.topologies) - set(PLAN))
    if unknown:
        parser.error(f"unknown {', '.join(unknown)}; choose from {', '.join(PLAN)}")
    torch.set_num_threads(arguments.threads)
    rows: tuple[AccuracyRow, ...] = ()
    for topology in arguments.topologies:
        print(f"{topology}: {data_for(topology, arguments.folder).source}", flush=True)
        rows += measure(topology, arguments.folder, arguments.keep)
    print(markdown_table(rows))
    missed = below(rows)
    for line in missed:
        print(f"below its limit: {line}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
