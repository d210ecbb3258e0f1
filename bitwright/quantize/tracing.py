"""A user's module as a graph of layers: float64, eval mode, torch.fx with whole layers as leaves."""

from __future__ import annotations

import copy
import inspect
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn

from bitwright.errors import LoweringError

LEAF_PACKAGES = ("torch.nn.", "brevitas.", "bitwright.quantize.")


def is_layer(module: nn.Module) -> bool:
    """Whether `module` is a layer of torch.nn, Brevitas or bitwright, so that tracing stops in front of it."""
    containers = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
    return type(module).__module__.startswith(LEAF_PACKAGES) and not isinstance(module, containers)


SCALE_KEEPING = (nn.Identity, nn.Dropout, nn.MaxPool1d, nn.MaxPool2d, nn.Flatten, nn.Upsample)
"""Layers of torch.nn that give a Brevitas QuantTensor for a QuantTensor."""


class _QuantTensorProxy(fx.Proxy):
    """Stands for what a Brevitas layer returns with its scale, and says so when forward() asks by isinstance."""

    @property
    def __class__(self) -> Any:
        from brevitas.quant_tensor import QuantTensor

        return QuantTensor

    @__class__.setter
    def __class__(self, _: Any) -> None:
        raise TypeError("a proxy stays what it stands for")


class _LayerTracer(fx.Tracer):
    """torch.fx with layers as leaves; a user's own modules are traced through, however deep."""

    def proxy(self, node: fx.Node) -> fx.Proxy:
        """The proxy of a node, of the kind of tensor that it will be."""
        return _QuantTensorProxy(node, self) if self._keeps_scale(node) else super().proxy(node)

    def _keeps_scale(self, node: fx.Node) -> bool:
        if node.op != "call_module":
            return False
        layer = self.root.get_submodule(str(node.target))
        if hasattr(layer, "return_quant_tensor"):
            return bool(layer.return_quant_tensor)
        source = node.args[0] if node.args else None
        return isinstance(layer, SCALE_KEEPING) and isinstance(source, fx.Node) and self._keeps_scale(source)

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return is_layer(m)


@dataclass(frozen=True)
class TracedModule:
    """`module` is the float64 eval copy, `graph` its layers, `runner` both together as a callable GraphModule."""

    module: nn.Module
    graph: fx.Graph
    runner: fx.GraphModule

    def layer(self, node: fx.Node) -> nn.Module:
        """The layer that a call_module node calls."""
        return self.module.get_submodule(str(node.target))

    def to_float32_(self) -> fx.GraphModule:
        """Turn the copy to float32 in place, when nothing needs it in float64 any more; the runner."""
        self.module.float()
        return self.runner


def trace(module: nn.Module) -> TracedModule:
    """Copy `module` (the original is left alone), turn it to float64 and eval mode, and trace it.

    Raises LoweringError for something that is no module, for control flow that depends on data, and for NaN or
    infinite weights.
    """
    if not isinstance(module, nn.Module):
        raise LoweringError(type(module).__name__, "is no torch.nn.Module", "give lower() the module itself")
    double = _evaluation_copy(module).double()
    _check_finite(double)
    name = type(module).__name__
    try:
        graph = _LayerTracer().trace(double)
    except (fx.proxy.TraceError, TypeError, ValueError, AttributeError, RuntimeError, AssertionError) as error:
        raise LoweringError(
            name,
            f"its forward() cannot be traced ({_first_line(error)})",
            "let forward() call layers in a fixed order, with no branch or loop that depends on the data",
        ) from error
    runner = fx.GraphModule(double, graph)
    graph = runner.graph
    _check_in_place(double, graph)
    graph.eliminate_dead_code()
    runner.recompile()
    placeholders = [node for node in graph.nodes if node.op == "placeholder"]
    if len(placeholders) != 1:
        raise LoweringError(
            name, f"its forward() takes {len(placeholders)} inputs", "wrap it in a module that takes one tensor"
        )
    return TracedModule(double, graph, runner)


def _evaluation_copy(module: nn.Module) -> nn.Module:
    duplicate = copy.deepcopy(module).eval().requires_grad_(False)
    if is_layer(duplicate):
        # A single layer has nothing inside to trace: it becomes the only layer of a network.
        return nn.Sequential(OrderedDict(layer=duplicate)).eval()
    return duplicate


def _check_finite(module: nn.Module) -> None:
    tensors: list[tuple[str, Tensor]] = [*module.named_parameters(), *module.named_buffers()]
    for path, tensor in tensors:
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            layer, _, field = path.rpartition(".")
            raise LoweringError(
                layer or type(module).__name__, f"its {field} holds NaN or infinity", "train again or repair it"
            )


def _check_in_place(module: nn.Module, graph: fx.Graph) -> None:
    """A tensor that is overwritten must not be used under its old name: a graph of values cannot tell the two apart."""
    for node in graph.nodes:
        layer = module.get_submodule(str(node.target)) if node.op == "call_module" else None
        writes = (
            bool(getattr(layer, "inplace", False) or node.kwargs.get("inplace", False))
            or (isinstance(node.target, str) and node.op == "call_method" and node.target.endswith("_"))
            or (node.op == "call_function" and getattr(node.target, "__name__", "").endswith("_"))
        )
        shared = not node.users or any(len(source.users) > 1 for source in node.all_input_nodes[:1])
        if writes and shared:
            raise LoweringError(
                str(node.target) if layer is not None else node.name,
                "overwrites a tensor that is used elsewhere",
                "use the form that does not work in place",
            )


def _first_line(error: Exception) -> str:
    return inspect.cleandoc(str(error)).splitlines()[0] if str(error) else type(error).__name__


def real_tensor(value: object) -> Tensor:
    """The plain tensor in `value`, which is one already or a Brevitas QuantTensor."""
    held = value if isinstance(value, Tensor) else getattr(value, "value", None)
    if not isinstance(held, Tensor):
        raise TypeError(f"expected a tensor, not {type(value).__name__}")
    return held
