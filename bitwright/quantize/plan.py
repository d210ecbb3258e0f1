"""What lowering decided for each layer: operations to come, still with the real functions they stand for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from bitwright.graph import InputQuantizer, IntArray, IntType
from bitwright.quantize.value import IndexValue, IntegerValue, RealFunction, Reals


@dataclass(frozen=True)
class LinearReading:
    """An integer linear layer: int64 weights (out, in), their type, and what PyTorch makes of the exact sums.

    `real(sums, input_step)` takes sums of integers (..., out) to the layer's real output; `slope` and `bias` (out,)
    say the same as numbers: real = slope * input_step * sum + bias.
    """

    weights: IntArray
    weight_type: IntType
    slope: Reals
    bias: Reals
    real: Callable[[Tensor, float], Tensor]


@dataclass(frozen=True)
class QuantizerReading:
    """A quantizer: a monotone real function whose values are scale * integer, integers of `dtype`.

    `scale` is () or (channels,).
    """

    dtype: IntType
    scale: Reals
    function: RealFunction


@dataclass(frozen=True)
class LinearPlan:
    """One Linear operation, `name`, from tensor `source.tensor` to tensor `name`.

    `step` is the real value of one step of its input, `slope` (out,) that of one step of its sums; `real` takes sums
    (..., out) to the layer's real output.
    """

    name: str
    node: str
    source: IntegerValue
    step: float
    weights: IntArray
    weight_type: IntType
    slope: Reals
    real: RealFunction


@dataclass(frozen=True)
class InputPlan:
    """The quantizer of the network's input, and where PyTorch applies it."""

    name: str
    node: str
    shape: tuple[int, ...]
    quantizer: InputQuantizer
    reading: QuantizerReading
    flattened: bool


@dataclass(frozen=True)
class QuantizePlan:
    """One Threshold or Requant operation, `name`: the chain of real functions behind `source`, then a quantizer."""

    name: str
    node: str
    source: IntegerValue
    reading: QuantizerReading


@dataclass(frozen=True)
class FlattenPlan:
    """One Flatten operation."""

    name: str
    node: str
    source: str


@dataclass(frozen=True)
class IndexPlan:
    """An ArgMax (`k` is None) or TopK operation on the scores `source`."""

    name: str
    node: str
    source: IntegerValue
    k: int | None


Plan = LinearPlan | InputPlan | QuantizePlan | FlattenPlan | IndexPlan


@dataclass(frozen=True)
class NetworkPlan:
    """All plans in topological order, the input's shape and type, and what the module returns."""

    input_shape: tuple[int, ...]
    input_type: IntType
    plans: tuple[Plan, ...]
    outputs: tuple[IntegerValue | IndexValue, ...]
    single_output: bool
