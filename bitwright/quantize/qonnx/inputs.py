"""The quantizer of the graph's real input."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch

from bitwright.graph import BIPOLAR, InputQuantizer, IntType
from bitwright.quantize.qonnx.builder import Builder
from bitwright.quantize.qonnx.model import Node
from bitwright.quantize.qonnx.ties import FloatTies
from bitwright.quantize.qonnx.value import RealInput, Scaled, on_grid


def quantized_input(
    builder: Builder, node: Node, source: RealInput, step: float, zero: int, ends: tuple[int, int], zero_first: bool
) -> Scaled:
    """Integers [lo, hi] = `ends`, zero point included, of `round((real input) / step)`, to the nearest even.

    `zero_first` when the zero point is added before rounding (Quant), not behind it (QuantizeLinear). The result
    stands for the reals `(integer - zero) * step`.
    """
    if not (math.isfinite(step) and step > 0):
        raise node.error("has a scale that is not above 0", "calibrate or train it")
    shift = source.addend / step
    if source.multiplier <= 0 or shift != round(shift):
        raise node.error(
            "follows arithmetic on the input that no input quantizer can do",
            "give input_type, the integers that the graph is fed with (such as pixels), or move the arithmetic out",
        )
    kept = zero if zero_first else 0
    # A quantizer never falls, so clipping before it is clipping behind it.
    clipped = [min(max(_rounded(one, step, zero, ends), ends[0]), ends[1]) for one in (source.least, source.most)]
    dtype = IntType(clipped[0] - zero + kept, clipped[1] - zero + kept)
    scale = step * source.divisor / source.multiplier
    single = _rounds_once(source, step) and float(np.float32(scale)) == scale
    if not single:
        builder.ties.append(FloatTies(node.name, 0, "integers of inputs on a boundary between two are decided"))
    quantizer = InputQuantizer(
        dtype=dtype,
        scale=scale,
        zero_point=kept + round(shift),
        axes=source.axes,
        precision="float32" if single else "float64",
    )
    builder.set_input(node, dtype, source.shape, quantizer)
    result = on_grid(builder.input_name, source.shape, dtype, np.full(source.shape[-1], step), source.index)
    if kept == 0:
        return result
    factor = torch.tensor(step, dtype=torch.float32)
    offset = np.full(result.channels, -kept * step)
    return replace(result, steps=(lambda integers: (integers - kept).float() * factor,), offset=offset)


def _rounded(real: float, step: float, zero: int, ends: tuple[int, int]) -> int:
    if math.isinf(real):
        return ends[0] if real < 0 else ends[1]
    return int(np.rint(np.float32(np.float32(real) / np.float32(step)) + np.float32(zero)))


def _rounds_once(source: RealInput, step: float) -> bool:
    """Whether float32 arithmetic up to the division by `step` rounds no more than one division would."""
    powers = [math.frexp(one)[0] == 0.5 for one in (source.multiplier, source.divisor, step)]
    return powers[0] and source.addend == 0 and any(powers[1:])


def sign_of_input(builder: Builder, node: Node, source: RealInput, scale: float) -> Scaled:
    """The signs of the real input, +1 at 0, times `scale`."""
    if not (math.isfinite(scale) and scale > 0):
        raise node.error("has a scale that is not above 0", "calibrate or train it")
    if source.least >= 0 or source.most < 0:
        raise node.error("takes the sign of an input that is clipped on one side of 0", "take out the clip")
    if source.multiplier <= 0:
        raise node.error("follows a negation of the input", "give input_type, or move the arithmetic out")
    threshold = 0.0 - source.addend * source.divisor / source.multiplier
    if source.addend and (source.multiplier, source.divisor) != (1.0, 1.0):
        builder.ties.append(FloatTies(node.name, 0, "signs of inputs at the threshold are decided"))
    quantizer = InputQuantizer(dtype=BIPOLAR, kind="bipolar", threshold=threshold, axes=source.axes)
    builder.set_input(node, BIPOLAR, source.shape, quantizer)
    return on_grid(builder.input_name, source.shape, BIPOLAR, np.full(source.shape[-1], scale), source.index)
