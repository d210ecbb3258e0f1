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
from bitwright.quantize.plan import FlattenPlan, IndexPlan, InputPlan, LinearPlan, NetworkPlan, Plan, QuantizePlan
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


def snap(name: str, values: Tensor, step: float | NDArray[np.float64], tolerance: float = GRID_TOLERANCE) -> IntArray:
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
    """Integers that PyTorch arrived at, by name of the operation, and the real outputs of linear layers."""

    integers: Mapping[str, IntArray]
    sums: Mapping[str, NDArray[np.float64]]
    returned: tuple[Tensor, ...]


class _Evaluator(fx.Interpreter):
    """Runs a traced module and writes down every integer decision.

    With `exact`, a linear layer takes its input as the integers it stands for, sums exactly, and scales the sum:
    what the layer means, without the rounding of a sum of real products, whose last bit depends on their order.
    """

    def __init__(self, runner: fx.GraphModule, plan: NetworkPlan, exact: bool) -> None:
        super().__init__(runner)
        self.plans: dict[str, list[Plan]] = {}
        for one in plan.plans:
            self.plans.setdefault(one.node, []).append(one)
        self.exact = exact
        self.tolerance = GRID_TOLERANCE if exact else 0.01
        self.integers: dict[str, IntArray] = {}
        self.sums: dict[str, NDArray[np.float64]] = {}

    def run_node(self, n: fx.Node) -> Any:
        plans = self.plans.get(n.name, [])
        linear = next((one for one in plans if isinstance(one, LinearPlan)), None)
        if linear is None:
            result = super().run_node(n)
            if self.exact and isinstance(plans[0] if plans else None, IndexPlan):
                result = self._stable(n, plans[0], result)
            for one in plans:
                self._write(one, result)
            return result
        return self._linear(n, linear, plans)

    def _linear(self, n: fx.Node, linear: LinearPlan, plans: list[Plan]) -> Any:
        layer = self.fetch_attr(str(n.target))
        args, _ = self.fetch_args_kwargs_from_env(n)
        x = args[0]
        position = plans.index(linear)
        for one in plans[:position]:
            # The layer's own input quantizer comes before its sum.
            x = x if isinstance(one, FlattenPlan) else layer.input_quant(x)
            self._write(one, x)
        if not self.exact:
            result = super().run_node(n)
        else:
            integers = snap(linear.name, real_tensor(x), linear.step)
            sums = integers.astype(np.float64) @ linear.weights.T.astype(np.float64)
            self.integers[linear.name] = sums.astype(np.int64)
            result = linear.real(torch.from_numpy(sums))
            self.sums[linear.name] = result.numpy().copy()
            if plans[position + 1 :]:
                result = layer.output_quant(result)
        if not self.exact and not plans[position + 1 :]:
            self.sums[linear.name] = real_tensor(result).detach().double().numpy().copy()
        for one in plans[position + 1 :]:
            self._write(one, result)
        return result

    def _stable(self, n: fx.Node, plan: Plan, result: Any) -> Any:
        """torch.topk leaves open which of equal scores comes first; the integer network says the lower index."""
        if not isinstance(plan, IndexPlan) or plan.k is None:
            return result
        args, keywords = self.fetch_args_kwargs_from_env(n)
        scores = real_tensor(args[0] if args else keywords["input"])
        order = torch.argsort(scores, dim=-1, descending=True, stable=True)[..., : plan.k]
        return torch.return_types.topk((torch.gather(scores, -1, order), order))

    def _write(self, plan: Plan, result: Any) -> None:
        if isinstance(plan, InputPlan | QuantizePlan):
            self.integers[plan.name] = snap(plan.name, real_tensor(result), plan.reading.scale, self.tolerance)
        elif isinstance(plan, IndexPlan):
            indices = result if plan.k is None else result[1]
            self.integers[plan.name] = indices.numpy().astype(np.int64)


def evaluate(runner: fx.GraphModule, plan: NetworkPlan, x: Tensor, exact: bool) -> Decisions:
    """Run the module on `x` (batch, ...) and collect its integer decisions."""
    evaluator = _Evaluator(runner, plan, exact)
    with torch.no_grad():
        returned = evaluator.run(x)
    values = (returned,) if plan.single_output else tuple(returned)
    return Decisions(evaluator.integers, evaluator.sums, tuple(real_tensor(value) for value in values))
