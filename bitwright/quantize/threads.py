"""How many threads PyTorch takes while bitwright calls it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch


@contextlib.contextmanager
def torch_threads(most: int) -> Iterator[None]:
    """PyTorch with at most `most` threads, and at least one."""
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, min(before, most)))
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def leave_one_core() -> Iterator[None]:
    """PyTorch with one thread less than it would take.

    Its threads wait for each other at every small step, so one that shares its core with another program, such as the
    simulator, holds all of them up.
    """
    with torch_threads(torch.get_num_threads() - 1):
        yield
