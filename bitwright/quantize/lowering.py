"""lower(): a quantized PyTorch module becomes an integer network that computes exactly the same."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bitwright.errors import InputError, LoweringError
from bitwright.graph import Golden, IntArray, IntType, Network, OutputScale, TensorSpec
from bitwright.quantize.emit import Emitted, emit
from bitwright.quantize.plan import InputPlan, NetworkPlan
from bitwright.quantize.reference import Decisions, Recorder, evaluate, snap
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
    plan = _plan(traced, x)
    emitted = emit(plan)
    exact = evaluate(traced.runner, plan, x.double(), exact=True)
    outputs = _integer_outputs(plan, exact)
    inputs = _integer_inputs(plan, exact, x)
    network = Network(
        name=name or type(module).__name__,
        input_name="input",
        input_spec=TensorSpec(plan.input_shape, plan.input_type),
        operations=emitted.operations,
        outputs=tuple(emitted.tensors[value.tensor] for value in plan.outputs),
        input_quantizer=next((one.quantizer for one in plan.plans if isinstance(one, InputPlan)), None),
        output_scales=_output_scales(plan, emitted),
        golden=Golden(inputs, outputs),
    )
    _compare(network, plan, emitted, exact, inputs, network.quantize(_as_numpy(x)))
    in_double = _check_trace(traced, plan, x, exact)
    single = evaluate(traced.to_float32_(), plan, x.float(), exact=False)
    for tie in (in_double, find_ties(plan, exact, single, "float32")):
        if tie is not None:
            warnings.warn(tie, stacklevel=2)
    return network


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
    quantizer = network.input_quantizer
    if quantizer is not None and not given.is_floating_point():
        given = given.double() * quantizer.scale + (quantizer.threshold if quantizer.kind == "bipolar" else 0.0)
    traced = trace(module)
    example = _example(module, given)
    plan = _plan(traced, example)
    if len(plan.outputs) != len(network.outputs) or plan.input_shape != network.input_spec.shape:
        raise InputError(f"network '{network.name}' was not lowered from this module; lower it again")
    exact = evaluate(traced.runner, plan, example.double(), exact=True)
    tie = _check_trace(traced, plan, example, exact)
    if tie is not None:
        warnings.warn(tie, stacklevel=2)
    outputs = _integer_outputs(plan, exact)
    return outputs[0] if len(outputs) == 1 else outputs


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


def _plan(traced: TracedModule, x: Tensor) -> NetworkPlan:
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
    return plan_network(traced, recorder.values, INTEGER_INPUTS.get(x.dtype))


def _as_numpy(x: Tensor) -> NDArray[Any]:
    if x.is_floating_point():
        return x.double().numpy()
    return x.to(torch.int16).numpy()


def _integer_inputs(plan: NetworkPlan, exact: Decisions, x: Tensor) -> IntArray:
    quantizer = next((one for one in plan.plans if isinstance(one, InputPlan)), None)
    integers = _as_numpy(x) if quantizer is None else exact.integers[quantizer.name]
    return integers.reshape(len(x), *plan.input_shape).astype(plan.input_type.numpy)


def _integer_outputs(plan: NetworkPlan, exact: Decisions) -> tuple[IntArray, ...]:
    results = []
    for value, returned in zip(plan.outputs, exact.returned, strict=True):
        if isinstance(value, IndexValue):
            results.append(exact.integers[value.tensor])
            continue
        assert value.slope is not None
        assert value.offset is not None
        # Channels that a batch norm with gamma = 0 made constant tell nothing of their integers.
        slope = np.where(value.slope == 0, 1.0, value.slope)
        told = snap(value.tensor, (returned.double() - torch.from_numpy(np.array(value.offset))), slope)
        held = exact.integers.get(value.tensor, told)
        results.append(np.where(value.slope == 0, held, told))
    return tuple(results)


def _output_scales(plan: NetworkPlan, emitted: Emitted) -> dict[str, OutputScale]:
    scales = {}
    for value in plan.outputs:
        if not isinstance(value, IndexValue):
            assert value.slope is not None
            assert value.offset is not None
            scales[emitted.tensors[value.tensor]] = OutputScale(_scalar(value.slope), _scalar(value.offset))
    return scales


def _scalar(values: NDArray[np.float64]) -> float | NDArray[np.float64]:
    return float(values[0]) if np.all(values == values[0]) else np.array(values)


def _compare(
    network: Network, plan: NetworkPlan, emitted: Emitted, exact: Decisions, inputs: IntArray, quantized: IntArray
) -> None:
    """Raise LoweringError at the first layer whose integers differ from PyTorch's."""
    where = next((one.name for one in plan.plans if isinstance(one, InputPlan)), network.name)
    pairs = [(where, inputs, quantized)]
    trace_ = network.trace(inputs)
    for one in plan.plans:
        if one.name in exact.integers and not isinstance(one, InputPlan):
            pairs.append((one.name, exact.integers[one.name], trace_[emitted.tensors[one.name]]))
    assert network.golden is not None
    for value, expected in zip(plan.outputs, network.golden.outputs, strict=True):
        pairs.append((value.tensor, expected, trace_[emitted.tensors[value.tensor]]))
    for name, expected, got in pairs:
        if not np.array_equal(expected, got):
            place = tuple(int(index) for index in np.argwhere(expected != got)[0])
            raise LoweringError(
                name,
                f"frame {place[0]}, channel {place[-1]}: PyTorch gives {expected[place]}, the integers {got[place]}",
                "please report the module; it is not lowered",
            )


def _check_trace(traced: TracedModule, plan: NetworkPlan, x: Tensor, exact: Decisions) -> RoundingTieWarning | None:
    """Compare with the untouched module in float64: it gives the same values as its trace, apart from ties."""
    plain = evaluate(traced.runner, plan, x.double(), exact=False)
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
