"""What holds for every test: one thread a process, so that tests that run side by side do not wait for each other."""

from __future__ import annotations

import os
import signal

import pytest

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts background jobs deaf to Ctrl-C, and the programs that the tests interrupt would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)

SLOW = (
    "tests/cli/test_commands.py",
    "tests/cli/test_demo.py",
    "tests/fuzz",
    "tests/hw",
    "tests/sim",
    "tests/synth",
    "tests/test_design.py",
    "tests/test_docs.py",
    "tests/test_examples.py",
)
"""What builds simulators, synthesizes or trains; `make test-fast` leaves it out."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the tests of SLOW."""
    for item in items:
        if item.path.relative_to(config.rootpath).as_posix().startswith(SLOW):
            item.add_marker(pytest.mark.slow)
