"""What one process of the campaign does."""

from __future__ import annotations

import traceback

import torch

from tests.fuzz.campaign import check_case, make_case


def one_thread() -> None:
    """Keep PyTorch from taking the other processes' cores."""
    torch.set_num_threads(1)


def run(seed: int, family: str) -> str:
    """Check one case; the traceback when it fails, else nothing."""
    try:
        check_case(make_case(seed, family))
    except Exception:
        return traceback.format_exc()
    return ""
