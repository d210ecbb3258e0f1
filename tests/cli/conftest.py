"""The command line run in this process, and a small network in a file."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bitwright.cli import main
from bitwright.graph import BIPOLAR, Linear, Network, TensorSpec, Threshold
from bitwright.graph.random import random_values


@dataclass(frozen=True)
class Outcome:
    """Exit code, stdout and stderr of one command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)


Run = Callable[..., Outcome]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    """Call the command line with words; gives its outcome."""

    def call(*words: object) -> Outcome:
        capfd.readouterr()
        code = main([str(word) for word in words])
        captured = capfd.readouterr()
        return Outcome(code, captured.out, captured.err)

    return call


def small_network() -> Network:
    """12 bipolar inputs, 8 hidden, 4 scores; the same in every test, so that its simulator is built once."""
    rng = np.random.default_rng(5)
    hidden = Linear(
        name="fc0", inputs=("x",), output="a", weights=rng.choice([-1, 1], (8, 12)), weight_type=BIPOLAR, bias=None
    )
    steps = Threshold(
        name="act0", inputs=("a",), output="h", thresholds=rng.integers(-4, 5, (8, 1)),
        ascending=np.ones(8, dtype=bool), output_type=BIPOLAR,
    )  # fmt: skip
    scores = Linear(
        name="fc1", inputs=("h",), output="y", weights=rng.choice([-1, 1], (4, 8)), weight_type=BIPOLAR, bias=None
    )
    return Network("small", "x", TensorSpec((12,), BIPOLAR), (hidden, steps, scores), ("y",))


@pytest.fixture
def network_file(tmp_path: Path) -> Path:
    return small_network().save(tmp_path / "small net – ü.bwn")


@pytest.fixture
def frames_file(tmp_path: Path) -> Path:
    path = tmp_path / "frames.npy"
    np.save(path, random_values(small_network().input_spec, 10, 1))
    return path
