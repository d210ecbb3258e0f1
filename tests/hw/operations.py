"""Random operations for the tests of cores."""

from __future__ import annotations

import numpy as np

from bitwright.graph import IntType, Linear, Requant, Threshold
from bitwright.graph.types import BIPOLAR


def random_linear(
    weight_type: IntType, inputs: int, outputs: int, *, seed: int = 0, bias: bool = False, source: str = "x"
) -> Linear:
    """A layer "fc" from `source` to "a"."""
    rng = np.random.default_rng(seed)
    if weight_type == BIPOLAR:
        weights = rng.choice(np.array([-1, 1]), (outputs, inputs))
    else:
        weights = rng.integers(weight_type.lo, weight_type.hi + 1, (outputs, inputs))
        weights[0], weights[-1] = weight_type.lo, weight_type.hi
    return Linear(
        name="fc",
        inputs=(source,),
        output="a",
        weights=weights,
        weight_type=weight_type,
        bias=rng.integers(-9, 10, outputs) if bias else None,
    )


def random_threshold(
    output: IntType, channels: int, reach: int, *, seed: int = 0, descending: bool = True, source: str = "a"
) -> Threshold:
    """Thresholds "act" from `source` to "h", spread over [-reach, reach] and a little beyond."""
    rng = np.random.default_rng(seed)
    steps = 1 if output == BIPOLAR else output.hi - output.lo
    thresholds = np.sort(rng.integers(-reach - 2, reach + 3, (channels, steps)), axis=1)
    thresholds[0, :] = np.iinfo(np.int64).max
    thresholds[-1, 0] = np.iinfo(np.int64).min
    ascending = rng.random(channels) < 0.6 if descending else np.ones(channels, dtype=bool)
    return Threshold(
        name="act", inputs=(source,), output="h", thresholds=thresholds, ascending=ascending, output_type=output
    )


def random_requant(output: IntType, channels: int, *, shift: int = 7, seed: int = 0, source: str = "a") -> Requant:
    """A requantization "act" from `source` to "h" with positive and negative multipliers."""
    rng = np.random.default_rng(seed)
    return Requant(
        name="act",
        inputs=(source,),
        output="h",
        multiplier=rng.integers(-60, 61, channels),
        offset=rng.integers(-2000, 2001, channels),
        shift=shift,
        output_type=output,
    )
