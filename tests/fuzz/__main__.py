"""`python -m tests.fuzz [--count N] [--first SEED] [--jobs N] [--family mlp|cnn]`: run the campaign.

Exits with 1 when anything differs.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context

from rich.progress import Progress

from tests.fuzz.worker import one_thread, run

FAMILIES = ("mlp", "cnn")


def main() -> int:
    """Run all cases on several processes and print what differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--count", type=int, default=200, help="how many cases of each family")
    parser.add_argument("--first", type=int, default=0, help="seed of the first case")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--family", choices=FAMILIES, help="multilayer perceptrons or convolutional networks alone")
    options = parser.parse_args()
    families = [options.family] if options.family else list(FAMILIES)
    seeds = range(options.first, options.first + options.count)
    failures: dict[tuple[str, int], str] = {}
    start = time.monotonic()
    with (
        ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn"), initializer=one_thread) as pool,
        Progress(transient=True) as progress,
    ):
        bar = progress.add_task("cases", total=len(seeds) * len(families))
        futures = {pool.submit(run, seed, family): (family, seed) for family in families for seed in seeds}
        for future in as_completed(futures):
            if problem := future.result():
                failures[futures[future]] = problem
                progress.console.print(problem, markup=False)
            progress.advance(bar)
    seconds = time.monotonic() - start
    for family in families:
        wrong = sum(one == family for one, _ in failures)
        print(f"{family}: {len(seeds)} cases (seeds {seeds[0]} to {seeds[-1]}), {wrong} with a difference")
    print(f"{seconds:.0f} s")
    if failures:
        family, seed = min(failures)
        print(f"again one by one: python -m tests.fuzz --count 1 --family {family} --first {seed}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
