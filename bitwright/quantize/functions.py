"""Functions and tensor methods that a forward() calls by itself: arithmetic with constants, clips, reshapes."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from bitwright.errors import LoweringError
from bitwright.quantize.value import Constant, IntegerValue, RealInput, Reals

ADD: frozenset[Any] = frozenset({operator.add, operator.iadd, torch.add, "add", "add_"})
SUBTRACT: frozenset[Any] = frozenset({operator.sub, operator.isub, torch.sub, "sub", "sub_"})
MULTIPLY: frozenset[Any] = frozenset({operator.mul, operator.imul, torch.mul, "mul", "mul_"})
DIVIDE: frozenset[Any] = frozenset({operator.truediv, operator.itruediv, torch.div, "div", "div_"})
NEGATE: frozenset[Any] = frozenset({operator.neg, torch.neg, "neg"})
ARITHMETIC = ADD | SUBTRACT | MULTIPLY | DIVIDE | NEGATE

CLIP: frozenset[Any] = frozenset(
    {functional.relu, functional.relu6, functional.hardtanh, torch.relu, torch.clamp, torch.clip}
    | {"relu", "relu_", "clamp", "clamp_", "clip"}
)
MONOTONE: frozenset[Any] = frozenset({torch.sigmoid, torch.tanh, "sigmoid", "tanh"})
NOTHING: frozenset[Any] = frozenset({functional.dropout, functional.alpha_dropout, "contiguous", "detach", "clone"})
CONCATENATE: frozenset[Any] = frozenset({torch.cat, torch.concat, torch.concatenate})
ARGMAX: frozenset[Any] = frozenset({torch.argmax, "argmax"})
TOPK: frozenset[Any] = frozenset({torch.topk, "topk"})

Call = Callable[..., Any]


def call_of(target: Any) -> Call:
    """The function for an fx target, which is one already or the name of a tensor method."""
    if isinstance(target, str):
        return lambda first, *rest, **keywords: getattr(first, target)(*rest, **keywords)
    function: Call = target
    return function


def after_arithmetic(
    name: str, target: Any, args: tuple[Any, ...], keywords: dict[str, Any]
) -> IntegerValue | RealInput:
    """A value after +, -, *, / or negation with constants: numbers, or one for each channel behind the quantizer."""
    values = [argument for argument in args if isinstance(argument, IntegerValue | RealInput)]
    if len(values) != 1 or keywords:
        raise LoweringError(name, f"combines {len(values)} tensors", "use arithmetic with one tensor and constants")
    value = values[0]
    first = isinstance(args[0], IntegerValue | RealInput)
    held = [argument.held if isinstance(argument, Constant) else argument for argument in args]
    place = 0 if first else 1
    call = call_of(target)

    def step(x: Tensor) -> Tensor:
        result: Tensor = call(*held[:place], x, *held[place + 1 :])
        return result

    constant = np.zeros(1) if target in NEGATE else _reals(name, held[1 - place], value)
    if target in DIVIDE and not first:
        raise LoweringError(name, "divides by a tensor", "divide by a constant")
    if target in DIVIDE and np.any(constant == 0):
        raise LoweringError(name, "divides by 0", "use another constant")
    slope, offset = _line(target, constant, first)
    if isinstance(value, RealInput):
        return value.then_affine(step, float(slope.reshape(-1)[0]), float(offset.reshape(-1)[0]))
    return value.then_affine(step, slope, offset)


def _line(target: Any, constant: Reals, first: bool) -> tuple[Reals, Reals]:
    """Slope and offset of an operation with `constant`; `first` when the constant comes second."""
    ones, zeros = np.ones_like(constant), np.zeros_like(constant)
    if target in NEGATE:
        return -ones, zeros
    if target in ADD:
        return ones, constant
    if target in SUBTRACT:
        return (ones, -constant) if first else (-ones, constant)
    if target in MULTIPLY:
        return constant, zeros
    return 1.0 / constant, zeros


def _reals(name: str, constant: object, value: IntegerValue | RealInput) -> Reals:
    """The constant for each channel of the module; one value before the input's quantizer."""
    if isinstance(constant, Tensor):
        found = constant.detach().double().numpy()
    elif isinstance(constant, int | float) and not isinstance(constant, bool):
        found = np.array(float(constant))
    else:
        raise LoweringError(name, f"does arithmetic with {type(constant).__name__}", "use numbers or tensors")
    if isinstance(value, RealInput):
        if found.size != 1 or not np.all(np.isfinite(found)):
            raise LoweringError(name, "changes the input channel by channel before its quantizer", "use one number")
        return found.reshape(1)
    channels, axis, shape = value.channels, value.layout.channel_axis, value.layout.module_shape
    wanted = () if found.size == 1 else _aligned(found.shape, len(shape))
    if found.size != 1 and (axis is None or wanted != tuple(channels if i == axis else 1 for i in range(len(shape)))):
        raise LoweringError(
            name, f"its constant has shape {found.shape}", f"use one number, or one for each of {channels} channels"
        )
    if not np.all(np.isfinite(found)):
        raise LoweringError(name, "its constant is NaN or infinite", "repair it")
    return np.array(np.broadcast_to(found.reshape(-1), (channels,)))


def _aligned(shape: tuple[int, ...], axes: int) -> tuple[int, ...]:
    """A constant's shape against that of a tensor of `axes` axes and a batch, as PyTorch broadcasts them."""
    if len(shape) == axes + 1 and shape[0] == 1:
        shape = shape[1:]
    return (*(1,) * (axes - len(shape)), *shape)


def after_clip(name: str, target: Any, value: IntegerValue, rest: list[Any], keywords: dict[str, Any]) -> IntegerValue:
    """An IntegerValue after relu, relu6, hardtanh or clamp with numbers."""
    for bound in (*rest, *keywords.values()):
        if bound is not None and not isinstance(bound, int | float):
            raise LoweringError(name, "clamps between tensors", "clamp between numbers")
    call = call_of(target)
    options = {word: option for word, option in keywords.items() if word != "inplace"}

    def step(x: Tensor) -> Tensor:
        # A copy, since methods such as relu_ write into their argument.
        result: Tensor = call(x.clone(), *rest, **options)
        return result

    return value.then_clip(step)
