"""What the functions and tensor methods that a forward() calls become."""

from __future__ import annotations

from typing import Any

from torch import fx

from bitwright.errors import LoweringError
from bitwright.quantize import functions, joins, spatial_functions, views
from bitwright.quantize.arrangement import view
from bitwright.quantize.quantizing import plan_indices
from bitwright.quantize.scope import TENSORS, Scope
from bitwright.quantize.value import Constant, IndexValue, IntegerValue, RealInput, TopKPair, Value


def function_value(scope: Scope, node: fx.Node) -> Value:
    """The value behind a function or tensor method. Raises LoweringError for one that has no exact integer form."""
    target, name, planner = node.target, scope.name(node), scope.planner
    keywords = {word: scope.argument(argument) for word, argument in node.kwargs.items()}
    args = [keywords.pop("input")] if "input" in keywords and not node.args else []
    args += [scope.argument(argument) for argument in node.args]
    sources = [scope.values[source] for source in node.all_input_nodes]
    asks_shape = target == "size" or (target is getattr and args[1] == "shape")
    asks_kind = target is getattr and args[1] in ("device", "dtype")
    of_shape = asks_shape or any(isinstance(one, Constant) and one.of_shape for one in sources)
    if asks_shape or asks_kind or not any(isinstance(one, TENSORS) for one in sources):
        return Constant(scope.recorded[node.name], of_shape)
    if target in functions.CONCATENATE:
        return _concatenate(scope, node, name, args, keywords)
    if not args or not isinstance(args[0], TENSORS | Constant | int | float):
        raise LoweringError(name, "combines several tensors", "join branches by + or torch.cat")
    if of_shape and target not in views.RESHAPE:
        raise LoweringError(name, "computes with the size of a batch", "use a constant number")
    first = args[0]
    if target in functions.NOTHING and not keywords.get("training", False):
        return scope.tensor(name, first)
    rest = [one.held if isinstance(one, Constant) else one for one in args[1:]]
    plain = {word: one.held if isinstance(one, Constant) else one for word, one in keywords.items()}
    if target in views.RESHAPE or target in views.SQUEEZE:
        return view(planner, node.name, name, scope.tensor(name, first), views.reshaped(scope.shape(node)))
    if target in views.TRANSPOSE:
        change = views.moved(name, functions.call_of(target), rest, plain)
        return view(planner, node.name, name, scope.tensor(name, first), change)
    if isinstance(first, TopKPair):
        return _pick(node, name, first)
    if target in functions.ARITHMETIC:
        joined = [one for one in args if isinstance(one, IntegerValue)]
        if target in functions.ADD | functions.SUBTRACT and len(joined) == 2 == len(args) and not keywords:
            sign = -1 if target in functions.SUBTRACT else 1
            return joins.add(scope.planner, node.name, name, joined[0], joined[1], sign)
        held = [one if isinstance(one, IntegerValue | RealInput | Constant) else _scalar(name, one) for one in args]
        return functions.after_arithmetic(name, target, tuple(held), keywords)
    if target in spatial_functions.SPATIAL or target in spatial_functions.REDUCE:
        found = scope.tensor(name, first)
        replaceable = scope.alone(node, found)
        return spatial_functions.spatial_function(
            scope.planner, node.name, name, target, found, rest, plain, replaceable
        )
    value = scope.planner.integers(name, scope.tensor(name, first))
    if target in functions.CLIP:
        return functions.after_clip(name, target, value, rest, keywords)
    if target in functions.MONOTONE:
        return value.then_monotone(functions.call_of(target))
    if target in functions.ARGMAX:
        return _arg_max(scope, node, name, value, rest, keywords)
    if target in functions.TOPK:
        return _top_k(scope, node, name, value, rest, keywords)
    raise LoweringError(
        name,
        f"{getattr(target, '__name__', target)}() has no exact integer form here",
        "use layers and the functions in docs/exactness.md, or take it out of the module",
    )


def _scalar(name: str, one: Any) -> Any:
    if isinstance(one, int | float) and not isinstance(one, bool):
        return Constant(one)
    raise LoweringError(name, f"does arithmetic on {_word(one)}", "quantize first, and use constants")


def _word(one: Any) -> str:
    return "the input before its quantizer" if isinstance(one, RealInput) else f"a {type(one).__name__}"


def _concatenate(scope: Scope, node: fx.Node, name: str, args: list[Any], keywords: dict[str, Any]) -> Value:
    tensors = args[0] if args else keywords.get("tensors")
    dim = args[1] if len(args) > 1 else keywords.get("dim", keywords.get("axis", 0))
    if not isinstance(tensors, list | tuple) or not isinstance(dim, int):
        raise LoweringError(name, "joins something other than a list of tensors", "use torch.cat([x, y], 1)")
    values = [scope.planner.integers(name, scope.tensor(name, scope.argument(one))) for one in tensors]
    return joins.concatenate(scope.planner, node.name, name, values, dim)


def _arg_max(
    scope: Scope, node: fx.Node, name: str, value: IntegerValue, rest: list[Any], keywords: dict[str, Any]
) -> IndexValue:
    dim = rest[0] if rest else keywords.get("dim")
    if dim not in (1, -1) or keywords.get("keepdim", rest[1] if len(rest) > 1 else False):
        raise LoweringError(name, "is not over the last axis alone", "use argmax(dim=-1)")
    return plan_indices(scope.planner, node.name, name, value, None)


def _top_k(
    scope: Scope, node: fx.Node, name: str, value: IntegerValue, rest: list[Any], keywords: dict[str, Any]
) -> TopKPair:
    options = {**dict(zip(("k", "dim", "largest", "sorted"), rest, strict=False)), **keywords}
    if options.get("dim", -1) not in (1, -1) or not options.get("largest", True) or not options.get("sorted", True):
        raise LoweringError(name, "is not the sorted largest of the last axis", "use topk(k)")
    return TopKPair(plan_indices(scope.planner, node.name, name, value, int(options["k"])))


def _pick(node: fx.Node, name: str, pair: TopKPair) -> Value:
    if node.args[1] in (1, "indices"):
        return pair.indices
    raise LoweringError(name, "returns the values of a top-k", "return topk(...).indices")
