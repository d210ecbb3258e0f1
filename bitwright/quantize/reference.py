"""What PyTorch itself answers, as integers: the other side of the claim that lowering is exact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, fx

from bitwright.errors import LoweringError
from bitwright.graph import IntArray
from bitwright.quantize.integer_results import integer_result
from bitwright.quantize.layout import Layout
from bitwright.quantize.plan import IndexPlan, InputPlan, NetworkPlan, OperationPlan, Plan, QuantizePlan
from bitwright.quantize.tracing import real_tensor

GRID_TOLERANCE = 2.0**-20
"""How far, in steps of its grid, a value that stands for an integer may be from it."""


class Recorder(fx.Interpreter):
    """Runs a traced module as it is and keeps a copy of every node's value in `values`."""

    def __init__(self, runner: fx.GraphModule) -> None:
        super().__init__(runner, garbage_collect_values=False)
        self.values: dict[str, Any] = {}

    def run_node(self, n: fx.Node) -> Any:
        """The node's value."""
        value = super().run_node(n)
        # Layers that work in place would change what was recorded.
        self.values[n.name] = value.clone() if isinstance(value, Tensor) else value
        return value


def snap(
    name: str,
    values: Tensor,
    step: float | NDArray[np.float64],
    tolerance: float | NDArray[np.float64] = GRID_TOLERANCE,
) -> IntArray:
    """The integers k with values = step * k. Raises LoweringError when a value is farther off the grid."""
    quotient = values.detach().double().numpy() / step
    rounded = np.rint(quotient)
    off = ~(np.abs(quotient - rounded) <= tolerance)
    if np.any(off):
        place = np.argwhere(off)[0]
        raise LoweringError(
            name,
            f"frame {place[0]}: the value {quotient[tuple(place)]:.9g} steps is not on its integer grid",
            "check that the layer before it is quantized, and that weights and inputs are finite",
        )
    return rounded.astype(np.int64)


@dataclass(frozen=True)
class Decisions:
    """What PyTorch arrived at, by name of the tensor, channels last as in the network.

    `integers` are the integers, `sums` the real outputs of layers that sum, `returned` what the module returns.
    """

    integers: Mapping[str, IntArray]
    sums: Mapping[str, NDArray[np.float64]]
    returned: tuple[Tensor, ...]


class _Evaluator(fx.Interpreter):
    """Runs a traced module as it is and writes down every integer decision and every real sum."""

    tolerance = 0.01

    def __init__(self, runner: fx.GraphModule, plan: NetworkPlan) -> None:
        super().__init__(runner)
        self.plan = plan
        self.plans: dict[str, list[Plan]] = {}
        for one in plan.plans:
            self.plans.setdefault(one.node, []).append(one)
        self.integers: dict[str, IntArray] = {}
        self.sums: dict[str, NDArray[np.float64]] = {}

    def run_node(self, n: fx.Node) -> Any:
        """The node's value."""
        plans = self.plans.get(n.name, [])
        before = [one for one in plans if isinstance(one, InputPlan | QuantizePlan) and one.stage == "before"]
        if before:
            inputs = self._arguments(n)
            for quantizer in before:
                inputs[quantizer.argument] = quantizer.reading.function(real_tensor(inputs[quantizer.argument]))
                self.quantized(quantizer, inputs[quantizer.argument])
        result = self.value(n)
        behind = any(isinstance(one, QuantizePlan) and one.stage == "behind" for one in plans)
        for one in plans:
            if isinstance(one, InputPlan | QuantizePlan) and one.stage != "before":
                self.quantized(one, result)
            elif isinstance(one, IndexPlan):
                self.integers[one.name] = _indices(one, result)
            elif isinstance(one, OperationPlan) and one.real is not None and not behind:
                self.sums[one.name] = _channels_last(result, one.layout)
        return result

    def value(self, n: fx.Node) -> Any:
        """What PyTorch computes for the node."""
        return super().run_node(n)

    def _arguments(self, n: fx.Node) -> list[Any]:
        """All arguments, those in lists among them."""
        args, keywords = self.fetch_args_kwargs_from_env(n)
        nested = [one if type(one) in (list, tuple) else [one] for one in (*args, *keywords.values())]
        return [one for several in nested for one in several]

    def quantized(self, plan: InputPlan | QuantizePlan, x: Any) -> None:
        """Write down the integers that `x`, the output of a quantizer, stands for."""
        layout = plan.layout if isinstance(plan, InputPlan) else plan.source.layout
        values = layout.to_network(real_tensor(x))
        self.integers[plan.name] = snap(plan.name, values, plan.reading.scale, self.tolerance)


class _Replay(_Evaluator):
    """Writes down the decisions of a run that a Recorder has kept, without running the layers again."""

    def __init__(self, runner: fx.GraphModule, plan: NetworkPlan, values: Mapping[str, Any]) -> None:
        super().__init__(runner, plan)
        self.values = values

    def value(self, n: fx.Node) -> Any:
        """The recorded value."""
        return self.values[n.name]


class _ExactEvaluator(_Evaluator):
    """Runs a traced module with exact sums.

    A layer that sums takes its input as the integers it stands for, sums exactly, and scales the sum: what the layer
    means, without the rounding of a sum of real products, whose last bit depends on their order.
    """

    tolerance = GRID_TOLERANCE

    def run_node(self, n: fx.Node) -> Any:
        """The node's value; where it sums, from the exact sums."""
        if n.op == "placeholder":
            return self._placeholder(n)
        plans = self.plans.get(n.name, [])
        sums = any(isinstance(one, OperationPlan) and one.real is not None for one in plans)
        result = None if sums else self._as_it_is(n, plans)
        inputs = self._arguments(n)
        for one in plans:
            if isinstance(one, OperationPlan):
                integers = self._operation(one)
                if one.real is not None:
                    real = one.real(torch.from_numpy(integers.astype(np.float64)))
                    self.sums[one.name] = real.numpy().copy()
                    result = one.layout.to_module(real)
                elif not sums:
                    self._check(one, result)
            elif isinstance(one, IndexPlan):
                self.integers[one.name] = _indices(one, result)
            elif one.stage == "before":
                inputs[one.argument] = one.reading.function(real_tensor(inputs[one.argument]))
                self.quantized(one, inputs[one.argument])
            else:
                if sums:
                    result = one.reading.function(real_tensor(result))
                self.quantized(one, result)
        return result

    def _placeholder(self, n: fx.Node) -> Any:
        x = fx.Interpreter.run_node(self, n)
        if not any(isinstance(one, InputPlan) for one in self.plan.plans):
            self.integers["input"] = self.plan.input_layout.to_network(x).numpy().astype(np.int64)
        return x

    def _as_it_is(self, n: fx.Node, plans: list[Plan]) -> Any:
        index = next((one for one in plans if isinstance(one, IndexPlan) and one.k is not None), None)
        return fx.Interpreter.run_node(self, n) if index is None else self._stable(n, index)

    def _stable(self, n: fx.Node, plan: IndexPlan) -> Any:
        """torch.topk leaves open which of equal scores comes first; the integer network says the lower index."""
        scores = real_tensor(self._arguments(n)[0])
        order = torch.argsort(scores, dim=-1, descending=True, stable=True)[..., : plan.k]
        return torch.return_types.topk((torch.gather(scores, -1, order), order))

    def _operation(self, plan: OperationPlan) -> IntArray:
        inputs = [self.integers[tensor] for tensor in plan.operation.inputs]
        self.integers[plan.name] = integer_result(plan.operation, *inputs)
        return self.integers[plan.name]

    def _check(self, plan: OperationPlan, result: Any) -> None:
        """What moves and chooses integers in the network must do so in PyTorch."""
        if plan.step is None:
            return
        found = snap(plan.name, plan.layout.to_network(real_tensor(result)), plan.step)
        if not np.array_equal(found, self.integers[plan.name]):
            raise LoweringError(
                plan.name, "PyTorch gives other values than the operation it stands for", "please report the module"
            )

    def quantized(self, plan: InputPlan | QuantizePlan, x: Any) -> None:
        """As above; the network's input goes by its own name as well."""
        super().quantized(plan, x)
        if isinstance(plan, InputPlan):
            self.integers["input"] = self.integers[plan.name]


def _indices(plan: IndexPlan, result: Any) -> IntArray:
    indices: IntArray = (result if plan.k is None else result[1]).numpy().astype(np.int64)
    return indices


def _channels_last(result: Any, layout: Layout) -> NDArray[np.float64]:
    values: NDArray[np.float64] = layout.to_network(real_tensor(result).detach().double()).numpy().copy()
    return values


def evaluate(runner: fx.GraphModule, plan: NetworkPlan, x: Tensor, exact: bool) -> Decisions:
    """Run the module on `x` (batch, ...) and collect its integer decisions."""
    return _decisions((_ExactEvaluator if exact else _Evaluator)(runner, plan), x)


def replay(recorder: Recorder, plan: NetworkPlan, x: Tensor) -> Decisions:
    """The integer decisions of the run on `x` that `recorder` has kept."""
    runner = recorder.module
    assert isinstance(runner, fx.GraphModule)
    return _decisions(_Replay(runner, plan, recorder.values), x)


def _decisions(evaluator: _Evaluator, x: Tensor) -> Decisions:
    with torch.no_grad():
        returned = evaluator.run(x)
    values = (returned,) if evaluator.plan.single_output else tuple(returned)
    return Decisions(evaluator.integers, evaluator.sums, tuple(real_tensor(value) for value in values))
