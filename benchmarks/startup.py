"""Time to start: `import bitwright` and `bitwright --help`, each in a new process, beside Python that does nothing."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from typing import Any

ROUNDS = 7
LIMITS = {"import_s": 0.5, "help_s": 1.0}


def run() -> dict[str, Any]:
    """Medians in seconds, the start of Python included."""
    return {
        "python_s": _seconds("-c", "pass"),
        "import_s": _seconds("-c", "import bitwright"),
        "help_s": _seconds("-m", "bitwright", "--help"),
        "limits": LIMITS,
    }


def _seconds(*words: str) -> float:
    rounds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)
        rounds.append(time.perf_counter() - start)
    return statistics.median(rounds)
