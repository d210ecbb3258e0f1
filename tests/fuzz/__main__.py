"""`python -m tests.fuzz [--count N] [--first SEED] [--jobs N]`: run the campaign; exit 1 when anything differs."""

from __future__ import annotations

import argparse
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context

from rich.progress import Progress

from tests.fuzz.worker import one_thread, run


def main() -> int:
    """Run all cases on several processes and print what differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--count", type=int, default=200, help="how many cases")
    parser.add_argument("--first", type=int, default=0, help="seed of the first case")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    options = parser.parse_args()
    seeds = range(options.first, options.first + options.count)
    failures: dict[int, str] = {}
    start = time.monotonic()
    with (
        ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn"), initializer=one_thread) as pool,
        Progress(transient=True) as progress,
    ):
        bar = progress.add_task("cases", total=len(seeds))
        futures = {pool.submit(run, seed): seed for seed in seeds}
        for future in as_completed(futures):
            if problem := future.result():
                failures[futures[future]] = problem
                progress.console.print(problem, markup=False)
            progress.advance(bar)
    seconds = time.monotonic() - start
    print(f"{len(seeds)} cases (seeds {seeds[0]} to {seeds[-1]}), {len(failures)} with a difference, {seconds:.0f} s")
    if failures:
        print(f"again one by one: python -m tests.fuzz --count 1 --first {min(failures)}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
