"""Accuracy over precisions: trains each network of a topology with several seeds and reports mean and spread."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from bitwright.errors import InputError
from bitwright.models.checkpoint import CheckpointInfo, save_checkpoint
from bitwright.models.create import create
from bitwright.models.data import Dataset, load
from bitwright.models.precision import canonical_precision
from bitwright.models.recipes import recipe
from bitwright.models.training import train

DATA = {"digits": "digits", "tfc": "mnist", "sfc": "mnist", "lfc": "mnist", "cnn": "mnist", "conv1d": "mnist1d"}
"""The data set of each network that has one here."""


@dataclass(frozen=True)
class AccuracyRow:
    """Test and validation accuracy (fractions) of one topology at one precision, one value a seed."""

    topology: str
    precision: str
    seeds: tuple[int, ...]
    test: tuple[float, ...]
    validation: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Mean test accuracy over the seeds."""
        return fmean(self.test)


def data_for(topology: str, folder: str | Path | None = None, verify: bool = True) -> Dataset:
    """The data set that the network `topology` is made for (`folder`: MNIST's IDX files).

    Raises InputError for a network whose data is not here, such as CIFAR-10's.
    """
    name = DATA.get(topology)
    if name is None:
        raise InputError(f"there is no data set for '{topology}' here; networks with data are {', '.join(DATA)}")
    return load("mnist", folder, verify) if name == "mnist" else load(name)


def accuracy_report(
    topology: str,
    precisions: Iterable[str],
    seeds: Sequence[int] = (0, 1, 2),
    data: Dataset | None = None,
    keep: Callable[[str, str, int], Path | None] = lambda topology, precision, seed: None,
) -> tuple[AccuracyRow, ...]:
    """Train `topology` at each precision with each seed by its recipe; one row a precision.

    `keep(topology, precision, seed)` names the file a trained network is saved to, or None. `data` defaults to the
    data set of the topology.
    """
    images = data_for(topology) if data is None else data
    rows = []
    for precision in map(canonical_precision, precisions):
        results = []
        for seed in seeds:
            model = create(topology, precision, seed)
            how = recipe(topology, precision)
            result = train(model, images, how, seed)
            results.append(result)
            path = keep(topology, precision, seed)
            if path is not None:
                accuracies = (result.validation_accuracy, result.test_accuracy)
                save_checkpoint(
                    path, model, CheckpointInfo(topology, precision, seed, how.epochs, *accuracies, images.source)
                )
        rows.append(
            AccuracyRow(
                topology=topology,
                precision=precision,
                seeds=tuple(seeds),
                test=tuple(result.test_accuracy for result in results),
                validation=tuple(result.validation_accuracy for result in results),
            )
        )
    return tuple(rows)


def markdown_table(rows: Iterable[AccuracyRow]) -> str:
    """The rows as a Markdown table, accuracies in percent."""
    lines = ["| network | precision | seeds | test accuracy, mean % | each seed, % |", "|---|---|---|---|---|"]
    for row in rows:
        each = ", ".join(f"{100 * value:.2f}" for value in row.test)
        lines.append(f"| {row.topology} | {row.precision} | {len(row.seeds)} | {100 * row.mean:.2f} | {each} |")
    return "\n".join(lines)
