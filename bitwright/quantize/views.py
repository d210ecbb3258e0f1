"""Reshapes and transpositions: the same elements under other indices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import fx, nn

from bitwright.errors import LoweringError
from bitwright.quantize.layout import Places

RESHAPE: frozenset[Any] = frozenset({torch.flatten, torch.reshape, "view", "reshape", "flatten"})
TRANSPOSE: frozenset[Any] = frozenset(
    {torch.permute, torch.transpose, torch.movedim, torch.moveaxis, torch.swapaxes}
    | {"permute", "transpose", "movedim", "moveaxis", "swapaxes"}
)
SQUEEZE: frozenset[Any] = frozenset({torch.squeeze, torch.unsqueeze, "squeeze", "unsqueeze"})
VIEW_LAYERS = (nn.Flatten, nn.Unflatten)

Call = Callable[..., Any]


def reshaped(shape: tuple[int, ...]) -> Callable[[Places], Places]:
    """The reshape to `shape`, without batch."""
    return lambda places: places.reshape(shape)


def moved(name: str, call: Call, rest: list[Any], keywords: dict[str, Any]) -> Callable[[Places], Places]:
    """What `call(x, *rest, **keywords)` does to the axes behind the batch."""

    def change(places: Places) -> Places:
        frames = torch.from_numpy(np.stack([places, places + places.size]))
        result = call(frames, *rest, **keywords).numpy()
        if len(result) != len(frames) or not np.array_equal(result[0] + places.size, result[1]):
            raise LoweringError(name, "moves the batch axis", "keep the batch of frames in axis 0")
        return np.asarray(result[0])

    return change


def transposition(node: fx.Node, call: Call, axes: int) -> tuple[int, ...] | None:
    """The order of the axes behind the batch after a TRANSPOSE node; None when it is no constant or moves the batch."""
    rest = [*node.args[1:], *node.kwargs.values()]
    if any(isinstance(one, fx.Node) for one in rest):
        return None
    sizes = range(2, axes + 3)
    try:
        shape = tuple(call(torch.empty(*sizes), *node.args[1:], **node.kwargs).shape)
    except (RuntimeError, IndexError, TypeError):
        return None
    order = tuple(sizes.index(size) - 1 for size in shape)
    return order[1:] if order[0] == -1 else None
