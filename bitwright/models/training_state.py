"""The whole state of an interrupted training in one file: weights, Adam's moments, random state, the best epoch."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from bitwright.errors import CheckpointError
from bitwright.models.tensor_file import read_tensor_file, write_tensor_file

_KIND = "bitwright training state"


@dataclass
class Best:
    """The best epoch so far (0 is the first), its validation accuracy alone and smoothed (fractions), its weights."""

    epoch: int
    accuracy: float
    smoothed: float
    weights: dict[str, Tensor]


@dataclass
class TrainingState:
    """What training changes as it goes; `epoch` is the number of epochs done."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    epoch: int = 0
    best: Best | None = None
    history: list[float] = field(default_factory=list)


def save_training_state(path: Path, state: TrainingState, identity: Mapping[str, Any]) -> None:
    """Write `state` to `path`, whole or not at all. `identity` (JSON) says which training it belongs to.

    torch's global random state is part of it. Raises OutputError when the place cannot be written.
    """
    tensors = {f"model.{name}": value.clone() for name, value in state.model.state_dict().items()}
    if state.best is not None:
        tensors |= {f"best.{name}": value.clone() for name, value in state.best.weights.items()}
    for index, moments in state.optimizer.state_dict()["state"].items():
        tensors |= {f"adam.{index}.{name}": torch.as_tensor(value).clone() for name, value in moments.items()}
    tensors["random"] = torch.get_rng_state()
    best = None if state.best is None else [state.best.epoch, state.best.accuracy, state.best.smoothed]
    document = {"identity": dict(identity), "epoch": state.epoch, "best": best, "history": state.history}
    write_tensor_file(path, _KIND, tensors, document)


def load_training_state(
    path: Path,
    state: TrainingState,
    identity: Mapping[str, Any],
    make_optimizer: Callable[[nn.Module], torch.optim.Optimizer],
) -> None:
    """Put the state kept at `path` into `state`, its model and a new optimizer, and torch's global random state.

    Raises CheckpointError when the file is damaged or belongs to a training with another `identity`.
    """
    tensors, document = read_tensor_file(path, _KIND)
    if document["identity"] != json.loads(json.dumps(dict(identity))):
        raise CheckpointError(f"{path} belongs to another training; delete it or choose another state file")
    weights, best, adam = (_below(tensors, prefix) for prefix in ("model.", "best.", "adam."))
    try:
        state.model.load_state_dict(weights)
    except RuntimeError as error:
        raise CheckpointError(f"{path} belongs to another network; delete it or choose another state file") from error
    moments: dict[int, dict[str, Tensor]] = {}
    for name, value in adam.items():
        index, key = name.split(".", 1)
        moments.setdefault(int(index), {})[key] = value
    # Brevitas makes new parameters when weights are loaded; the optimizer must hold those.
    state.optimizer = make_optimizer(state.model)
    state.optimizer.load_state_dict({**state.optimizer.state_dict(), "state": moments})
    state.epoch = int(document["epoch"])
    state.history = list(document["history"])
    if document["best"] is not None:
        epoch, accuracy, smoothed = document["best"]
        state.best = Best(epoch, accuracy, smoothed, best)
    torch.set_rng_state(tensors["random"])


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)}
