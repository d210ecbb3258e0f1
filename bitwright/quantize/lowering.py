"""lower(): a quantized PyTorch module becomes an integer network that computes exactly the same."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bitwright.errors import InputError, LoweringError
from bitwright.graph import Golden, InputQuantizer, IntArray, IntType, Network, OutputScale, TensorSpec
from bitwright.quantize.emit import Emitted, emit
from bitwright.quantize.layout import Layout
from bitwright.quantize.plan import InputPlan, NetworkPlan
from bitwright.quantize.reference import GRID_TOLERANCE, Decisions, Recorder, evaluate, replay, snap
from bitwright.quantize.threads import leave_one_core
from bitwright.quantize.ties import RoundingTieWarning, find_ties
from bitwright.quantize.tracing import TracedModule, trace
from bitwright.quantize.value import IndexValue
from bitwright.quantize.walk import plan_network

INTEGER_INPUTS = {
    torch.uint8: IntType.unsigned(8),
    torch.int8: IntType.signed_bits(8),
    torch.bool: IntType.unsigned(1),
}
"""Integer inputs of a module that takes integers as they are, such as pixels 0 to 255."""

ROUNDING = 2.0**-50
"""Relative error of a real output, with room for a few roundings."""

MOST_NOISE = 0.1
"""Steps of rounding beyond which a real output does not tell its integer."""


@leave_one_core()
def lower(module: nn.Module, example_input: Tensor | NDArray[Any], *, name: str | None = None) -> Network:
    """The integer network that equals `module` in eval mode and float64.

    `example_input` is a batch (batch, ...) as the module takes it: real numbers when its first layer is a quantizer
    (`integer_input`, `BinaryInput`, a Brevitas QuantIdentity), or uint8 or int8 when it takes integers as they are.
    The network is compared with PyTorch on these frames, layer by layer, and keeps them as `golden`; a few dozen real
    frames are a good choice. Operations are named after the layers ("fc1", "net.act2").

    The module is copied, never changed. Raises LoweringError (layer, reason, fix) for whatever has no exact integer
    form. Warns with RoundingTieWarning where float32 or float64 rounding decides an integer.
    """
    traced = trace(module)
    x = _example(module, example_input)
    recorder, plan = _plan(traced, x)
    emitted = emit(plan)
    exact = evaluate(traced.runner, plan, x.double(), exact=True)
    outputs = _integer_outputs(plan, exact)
    inputs = exact.integers["input"].astype(plan.input_type.numpy)
    network = Network(
        name=name or type(module).__name__,
        input_name="input",
        input_spec=TensorSpec(plan.input_layout.shape, plan.input_type),
        operations=emitted.operations,
        outputs=tuple(emitted.tensors[value.tensor] for value in plan.outputs),
        input_quantizer=_input_quantizer(plan),
        output_scales=_output_scales(plan, emitted),
        golden=Golden(inputs, outputs),
    )
    _compare(network, plan, emitted, exact, inputs)
    _compare_inputs(network, plan, x, inputs)
    in_double = _check_trace(traced, recorder, plan, x, exact)
    single = evaluate(traced.to_float32_(), plan, x.float(), exact=False)
    for tie in (in_double, find_ties(plan, exact, single, "float32")):
        if tie is not None:
            warnings.warn(tie, stacklevel=3)
    return network


@leave_one_core()
def reference_integers(
    module: nn.Module, x: Tensor | NDArray[Any], network: Network
) -> IntArray | tuple[IntArray, ...]:
    """What PyTorch answers for `x`, as integers on the grid of the network's outputs.

    The module runs in float64 and eval mode; the sums of its linear layers are exact. `x` is a batch as the module
    takes it; integers for a module with an input quantizer are taken as quantized already. The result has the form of
    `network.run`. Raises LoweringError when a value is farther than 2^-20 of a step from its grid, and InputError
    when `network` was not lowered from such a module. Warns with RoundingTieWarning as `lower` does.
    """
    given = torch.as_tensor(x)
    traced = trace(module)
    example = _example(module, _as_module_takes_it(given, network))
    recorder, plan = _plan(traced, example)
    if len(plan.outputs) != len(network.outputs) or plan.input_layout.shape != network.input_spec.shape:
        raise InputError(f"network '{network.name}' was not lowered from this module; lower it again")
    exact = evaluate(traced.runner, plan, example.double(), exact=True)
    tie = _check_trace(traced, recorder, plan, example, exact)
    if tie is not None:
        warnings.warn(tie, stacklevel=3)
    outputs = _integer_outputs(plan, exact)
    return outputs[0] if len(outputs) == 1 else outputs


def _as_module_takes_it(given: Tensor, network: Network) -> Tensor:
    """A batch for the module from one in the form that the network's `quantize` takes."""
    quantizer = network.input_quantizer
    if quantizer is None:
        return given
    as_integers = [dtype for dtype, known in INTEGER_INPUTS.items() if known == quantizer.dtype]
    takes_them = quantizer.scale == 1.0 and bool(as_integers)
    if given.is_floating_point() and not takes_them:
        return given
    integers = torch.from_numpy(np.ascontiguousarray(network.quantize(given.numpy())))
    if quantizer.axes is not None:
        integers = integers.permute(0, *(int(axis) + 1 for axis in np.argsort(quantizer.axes)))
    if takes_them:
        return integers.to(as_integers[0])
    return (integers.double() - quantizer.zero_point) * quantizer.scale + (
        quantizer.threshold if quantizer.kind == "bipolar" else 0.0
    )


def _example(module: nn.Module, example_input: Tensor | NDArray[Any]) -> Tensor:
    where = type(module).__name__
    x = torch.as_tensor(example_input).detach().cpu()
    if x.ndim < 2 or 0 in x.shape:
        raise LoweringError(where, f"example_input has shape {tuple(x.shape)}", "give a batch (frames, ...) of inputs")
    if not x.is_floating_point() and x.dtype not in INTEGER_INPUTS:
        raise LoweringError(
            where, f"example_input is {x.dtype}", "give real numbers, or uint8 or int8 for a module that takes integers"
        )
    if x.is_floating_point() and not bool(torch.isfinite(x).all()):
        raise LoweringError(where, "example_input holds NaN or infinity", "give clean data")
    return x


def _plan(traced: TracedModule, x: Tensor) -> tuple[Recorder, NetworkPlan]:
    recorder = Recorder(traced.runner)
    try:
        with torch.no_grad():
            recorder.run(x.double())
    except (RuntimeError, ValueError, TypeError, IndexError, AssertionError) as error:
        raise LoweringError(
            type(traced.module).__name__,
            f"does not take example_input of shape {tuple(x.shape)} in float64 ({str(error).splitlines()[0]})",
            "give a batch shaped as in training, and leave dtype conversions out of forward()",
        ) from error
    return recorder, plan_network(traced, recorder.values, INTEGER_INPUTS.get(x.dtype))


def _input_quantizer(plan: NetworkPlan) -> InputQuantizer | None:
    """The first quantizer; for integer images one that moves the axes of integers given as real numbers."""
    axes = plan.input_layout.axes
    if axes is None or axes == tuple(range(len(axes))):
        axes = None
    found = next((one.quantizer for one in plan.plans if isinstance(one, InputPlan)), None)
    if found is not None:
        return replace(found, axes=axes)
    return None if axes is None else InputQuantizer(dtype=plan.input_type, axes=axes)


def _integer_outputs(plan: NetworkPlan, exact: Decisions) -> tuple[IntArray, ...]:
    results = []
    for value, returned in zip(plan.outputs, exact.returned, strict=True):
        if isinstance(value, IndexValue):
            results.append(exact.integers[value.tensor])
            continue
        assert value.slope is not None
        assert value.offset is not None
        values = value.layout.to_network(returned.double())
        # Channels that a batch norm with gamma = 0 made constant tell nothing of their integers, and those of a gamma
        # near 0 what is left after rounding.
        slope = np.where(value.slope == 0, 1.0, value.slope)
        noise = np.where(value.slope == 0, 1.0, ROUNDING * np.abs(value.offset / slope))
        silent = noise > MOST_NOISE
        reals = np.where(silent, 0.0, values.numpy() - value.offset)
        told = snap(value.tensor, torch.from_numpy(reals), slope, np.maximum(GRID_TOLERANCE, noise))
        results.append(np.where(silent, exact.integers.get(value.tensor, told), told))
    return tuple(results)


def _output_scales(plan: NetworkPlan, emitted: Emitted) -> dict[str, OutputScale]:
    scales = {}
    for value in plan.outputs:
        if not isinstance(value, IndexValue):
            assert value.slope is not None
            assert value.offset is not None
            scales[emitted.tensors[value.tensor]] = OutputScale(
                _scalar(value.slope), _scalar(value.offset), _output_axes(value.layout)
            )
    return scales


def _output_axes(layout: Layout) -> tuple[int, ...] | None:
    axes = layout.axes
    assert axes is not None
    back = tuple(int(axis) for axis in np.argsort(axes))
    return None if back == tuple(range(len(back))) else back


def _scalar(values: NDArray[np.float64]) -> float | NDArray[np.float64]:
    return float(values[0]) if np.all(values == values[0]) else np.array(values)


def _compare_inputs(network: Network, plan: NetworkPlan, x: Tensor, inputs: IntArray) -> None:
    where = next((one.name for one in plan.plans if isinstance(one, InputPlan)), network.name)
    if network.input_quantizer is not None:
        _compare_tensor(where, inputs, network.quantize(x.double().numpy()))


def _compare(network: Network, plan: NetworkPlan, emitted: Emitted, exact: Decisions, inputs: IntArray) -> None:
    """Raise LoweringError at the first layer whose integers differ from PyTorch's."""
    trace_ = network.trace(inputs)
    for one in plan.plans:
        if one.name in exact.integers and not isinstance(one, InputPlan):
            _compare_tensor(one.name, exact.integers[one.name], trace_[emitted.tensors[one.name]])
    assert network.golden is not None
    for value, expected in zip(plan.outputs, network.golden.outputs, strict=True):
        _compare_tensor(value.tensor, expected, trace_[emitted.tensors[value.tensor]])


def _compare_tensor(name: str, expected: IntArray, got: IntArray) -> None:
    if not np.array_equal(expected, got):
        place = tuple(int(index) for index in np.argwhere(expected != got)[0])
        raise LoweringError(
            name,
            f"frame {place[0]}, channel {place[-1]}: PyTorch gives {expected[place]}, the integers {got[place]}",
            "please report the module; it is not lowered",
        )


def _check_trace(
    traced: TracedModule, recorder: Recorder, plan: NetworkPlan, x: Tensor, exact: Decisions
) -> RoundingTieWarning | None:
    """Compare with the untouched module in float64: it gives the same values as its trace, apart from ties."""
    plain = replay(recorder, plan, x.double())
    with torch.no_grad():
        returned = traced.module(x.double())
    direct = (returned,) if plan.single_output else tuple(returned)
    for mine, theirs in zip(plain.returned, direct, strict=True):
        if not torch.equal(mine, getattr(theirs, "value", theirs)):
            raise LoweringError(
                type(traced.module).__name__,
                "its forward() gives another result when called again",
                "remove randomness and state from forward() in eval mode",
            )
    return find_ties(plan, exact, plain, "float64")
