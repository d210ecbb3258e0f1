"""What lowering decided for each layer: operations to come, still with the real functions they stand for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from bitwright.graph import InputQuantizer, IntArray, IntType, Operation
from bitwright.quantize.layout import Layout
from bitwright.quantize.value import IndexValue, IntegerValue, RealFunction, Reals
from bitwright.quantize.window import Window

Stage = Literal["node", "before", "behind"]
"""Whether a quantizer is all that a layer does, or stands before an `argument` of it, or behind what it does."""


@dataclass(frozen=True)
class SumsReading:
    """An integer linear layer or convolution: int64 weights, their type, and what PyTorch makes of the exact sums.

    `weights` are (out, in) for a linear layer, (out, *kernel, in / groups) for a convolution, whose `window` tells
    where the kernel lies. `real(sums, input_step)` takes sums of integers (..., out) to the layer's real output, with
    one step for all or one for each output; `slope` and `bias` (out,) say the same as numbers: real = slope *
    input_step * sum + bias.
    """

    weights: IntArray
    weight_type: IntType
    slope: Reals
    bias: Reals
    real: Callable[[Tensor, float | Tensor], Tensor]
    window: Window | None = None


@dataclass(frozen=True)
class QuantizerReading:
    """A quantizer: a monotone real function whose values are scale * integer, integers of `dtype`.

    `scale` is () or (channels,); the channels are on axis `scale_axis` of the module's tensor, counted from its end.
    """

    dtype: IntType
    scale: Reals
    function: RealFunction
    scale_axis: int = -1


@dataclass(frozen=True)
class OperationPlan:
    """One operation that computes integers from integers: sums, pools, joins, rearrangements.

    `operation` names tensors as the plans do; `layout` is that of its output. `real` takes its integers (..., channels)
    to what PyTorch means by them, and `slope` (channels,) is the real value of one step; both are None when PyTorch
    gets there without rounding. `step`, where given, is the grid of the real values then.
    """

    name: str
    node: str
    operation: Operation
    layout: Layout
    real: RealFunction | None = None
    slope: Reals | None = None
    step: float | None = None


@dataclass(frozen=True)
class InputPlan:
    """The quantizer of the network's input, and where PyTorch applies it.

    `layout` is that of the real input where the quantizer sees it.
    """

    name: str
    node: str
    quantizer: InputQuantizer
    reading: QuantizerReading
    layout: Layout
    stage: Stage
    argument: int = 0


@dataclass(frozen=True)
class QuantizePlan:
    """One Threshold or Requant operation, `name`: the chain of real functions behind `source`, then a quantizer."""

    name: str
    node: str
    source: IntegerValue
    reading: QuantizerReading
    stage: Stage
    argument: int = 0


@dataclass(frozen=True)
class IndexPlan:
    """An ArgMax (`k` is None) or TopK operation on the scores `source`."""

    name: str
    node: str
    source: IntegerValue
    k: int | None


Plan = OperationPlan | InputPlan | QuantizePlan | IndexPlan


@dataclass(frozen=True)
class NetworkPlan:
    """All plans in topological order, the input's layout and type, and what the module returns."""

    input_layout: Layout
    input_type: IntType
    plans: tuple[Plan, ...]
    outputs: tuple[IntegerValue | IndexValue, ...]
    single_output: bool
