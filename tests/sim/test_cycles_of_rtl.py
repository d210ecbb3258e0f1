"""The cycle model against the RTL: each beat at the ports in the same cycle, difference 0."""

from __future__ import annotations

import numpy as np
import pytest

from bitwright.errors import InputError
from bitwright.graph.random import random_values
from bitwright.sim import Stalls, cycles, simulate
from tests.sim.accelerators import as_tuple, random_accelerator

FRAMES = 7


@pytest.mark.parametrize("seed", range(40, 44))
def test_rtl_and_cycle_model_agree(seed: int) -> None:
    accelerator = random_accelerator(seed, max_width=12)
    x = random_values(accelerator.network.input_spec, FRAMES, seed)
    for gaps in ((0.0, 0.0), (2.0, 0.0), (0.0, 3.0), (0.7, 0.7), (9.0, 9.0)):
        stalls = Stalls(seed, *gaps) if any(gaps) else None
        measured = simulate(accelerator, x, stalls)
        report = cycles(accelerator, FRAMES, stalls)
        assert np.array_equal(report.input_cycles, measured.input_cycles)
        pairs = zip(as_tuple(report.output_cycles), as_tuple(measured.output_cycles), strict=True)
        assert all(np.array_equal(model, rtl) for model, rtl in pairs)
        assert report.total == measured.cycles


def test_latency_interval_and_stages() -> None:
    accelerator = random_accelerator(41, max_width=12)
    frames = 30
    measured = simulate(accelerator, random_values(accelerator.network.input_spec, frames, 1))
    report = cycles(accelerator, frames)
    last = np.max([times.reshape(frames, -1)[:, -1] for times in as_tuple(measured.output_cycles)], axis=0)
    assert report.latency == min(times[0] for times in as_tuple(measured.output_cycles))
    assert report.interval == last[-1] - last[-2]
    assert cycles(accelerator, 1).interval == report.interval
    assert all(stage.busy + stage.stalled + stage.starved == report.total for stage in report.stages)
    firings = {actor.name: actor.firings for actor in accelerator.timing.actors}
    assert {stage.name: stage.busy for stage in report.stages} == {name: frames * n for name, n in firings.items()}


def test_no_frames() -> None:
    with pytest.raises(InputError, match="at least 1 frame"):
        cycles(random_accelerator(41, max_width=12), 0)
