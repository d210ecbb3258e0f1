"""Training: Adam on a cosine, the best epoch kept by a held-out part of the training set, resumable to the last bit."""

from __future__ import annotations

import copy
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from bitwright.errors import InputError
from bitwright.models.augmentation import Augmentation, augment
from bitwright.models.classifier import Classifier
from bitwright.models.data import Dataset, stratified_split
from bitwright.models.data.dataset import FloatArray, LabelArray
from bitwright.models.exact_scores import make_scores_exact_
from bitwright.models.progress import TrainingProgress
from bitwright.models.training_state import Best, TrainingState, load_training_state, save_training_state
from bitwright.quantize import clip_latent_weights_

_VALIDATION_SEED = 1

_SMOOTHING = 10
"""Epochs whose mean validation accuracy chooses the best: of one epoch alone, a small held-out part picks the luckiest
(one-bit digits, four folds of the training set: 0.936 by single epochs, 0.947 at the end of training)."""


@dataclass(frozen=True)
class Recipe:
    """How to train. `learning_rate` falls to zero along half a cosine over all steps.

    `validation` is the fraction of the training images that is held out to choose the best epoch: the last epoch at
    which the mean validation accuracy of ten epochs was highest.
    """

    epochs: int
    batch_size: int = 64
    learning_rate: float = 1e-2
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    validation: float = 0.1
    augmentation: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 2 or not self.learning_rate > 0:
            raise InputError("a recipe needs epochs >= 1, batch_size >= 2 and learning_rate > 0; correct the recipe")


@dataclass(frozen=True)
class TrainingResult:
    """What training did. Accuracies are fractions; `history` is the validation accuracy of each epoch."""

    best_epoch: int
    validation_accuracy: float
    test_accuracy: float
    history: tuple[float, ...]


@torch.no_grad()
def predict_classes(model: nn.Module, x: FloatArray, batch: int = 1000) -> LabelArray:
    """The class of each row of `x` (images, features), by `model` in eval mode: int64 (images,)."""
    was_training = model.training
    model.eval()
    parts = [model(torch.from_numpy(x[start : start + batch])).argmax(1) for start in range(0, len(x), batch)]
    model.train(was_training)
    return np.asarray(torch.cat(parts).numpy())


def accuracy(model: nn.Module, x: FloatArray, y: LabelArray) -> float:
    """The fraction of the images `x` (images, features) whose class `model` gets right."""
    return float((predict_classes(model, x) == y).mean())


def train(
    model: Classifier,
    data: Dataset,
    recipe: Recipe,
    seed: int = 0,
    state_path: Path | None = None,
    stop_after: int | None = None,
    progress: bool = True,
) -> TrainingResult:
    """Train `model` in place and leave it in eval mode with the weights of the best validation epoch, scores exact
    (`make_scores_exact_`).

    The same model, data, recipe and seed give the same weights on the same machine with the same number of torch
    threads. With `state_path` the whole state is written there after each epoch; a later call with the same arguments
    goes on from it, bit for bit as if never interrupted. `stop_after` ends the call after that epoch. The test images
    take no part in training or selection. Raises CheckpointError when the state belongs to another training,
    InputError when the data does not fit the model.
    """
    if data.train_x.shape[1] != model.sizes[0]:
        raise InputError(
            f"{data.name} has {data.train_x.shape[1]} pixels, the network {model.sizes[0]} inputs; choose another one"
        )
    train_rows, held_rows = stratified_split(data.train_y, recipe.validation, _VALIDATION_SEED)
    x, y = torch.from_numpy(data.train_x[train_rows]), torch.from_numpy(data.train_y[train_rows])
    held_x, held_y = data.train_x[held_rows], data.train_y[held_rows]

    def make_optimizer(network: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.Adam(network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)

    identity = {"recipe": asdict(recipe), "seed": seed, "data": data.source, "sizes": list(model.sizes)}

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        state = TrainingState(model, make_optimizer(model))
        if state_path is not None and state_path.exists():
            load_training_state(state_path, state, identity, make_optimizer)
        last = recipe.epochs if stop_after is None else min(stop_after, recipe.epochs)
        with TrainingProgress(recipe.epochs, enabled=progress) as bar:
            for epoch in range(state.epoch, last):
                _run_epoch(model, state.optimizer, x, y, recipe, data.image_shape, epoch)
                correct = accuracy(model, held_x, held_y)
                state.history.append(correct)
                smoothed = float(np.mean(state.history[-_SMOOTHING:]))
                if state.best is None or smoothed >= state.best.smoothed:
                    state.best = Best(epoch, correct, smoothed, copy.deepcopy(model.state_dict()))
                state.epoch = epoch + 1
                if state_path is not None:
                    save_training_state(state_path, state, identity)
                bar.update(epoch + 1, correct)
    assert state.best is not None
    model.load_state_dict(state.best.weights)
    make_scores_exact_(model).eval()
    return TrainingResult(
        best_epoch=state.best.epoch,
        validation_accuracy=state.best.accuracy,
        test_accuracy=accuracy(model, data.test_x, data.test_y),
        history=tuple(state.history),
    )


def _run_epoch(
    model: Classifier,
    optimizer: torch.optim.Optimizer,
    x: Tensor,
    y: Tensor,
    recipe: Recipe,
    image_shape: tuple[int, int],
    epoch: int,
) -> None:
    model.train()
    batches = max(1, len(x) // recipe.batch_size)
    order = torch.randperm(len(x))
    for step in range(batches):
        rows = order[step * recipe.batch_size : (step + 1) * recipe.batch_size]
        done = (epoch * batches + step) / (recipe.epochs * batches)
        for group in optimizer.param_groups:
            group["lr"] = recipe.learning_rate * (1 + math.cos(math.pi * done)) / 2
        inputs = augment(x[rows], image_shape, recipe.augmentation) if recipe.augmentation.active else x[rows]
        loss = nn.functional.cross_entropy(
            model(inputs) * model.logit_scale, y[rows], label_smoothing=recipe.label_smoothing
        )
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        clip_latent_weights_(model)
