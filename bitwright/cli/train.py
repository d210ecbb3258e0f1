"""`bitwright train`: a network of the family, from data to a checkpoint."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from bitwright.cli.answer import JsonFlag, answer, say
from bitwright.cli.options import DataFolder, Seed

Topology = Annotated[str, typer.Argument(metavar="TOPOLOGY", help="digits, tfc, sfc, lfc, cnn or conv1d.")]
Precision = Annotated[
    str, typer.Argument(metavar="PRECISION", help="float, w8a8 (or int8), w4a4, w2a2, ternary or w1a1.")
]
Out = Annotated[
    Path | None, typer.Option("--output", "-o", help="The checkpoint. [default: TOPOLOGY-PRECISION.safetensors]")
]
Epochs = Annotated[int | None, typer.Option("--epochs", help="How many epochs. [default: the recipe's]")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on from an interrupted training of the same command.")]


def train(
    topology: Topology,
    precision: Precision,
    output: Out = None,
    seed: Seed = 0,
    epochs: Epochs = None,
    resume: Resume = False,
    mnist: DataFolder = None,
    as_json: JsonFlag = False,
) -> None:
    """Train a network by its recipe; the best epoch on held-out training images is kept."""
    from bitwright.models import canonical_precision, create, data_for, recipe, save_checkpoint
    from bitwright.models import train as train_model
    from bitwright.models.checkpoint import CheckpointInfo

    name = canonical_precision(precision)
    model = create(topology, name, seed)
    path = Path(f"{topology}-{name}.safetensors") if output is None else output
    state = path.with_name(path.name + ".training")
    if not resume:
        state.unlink(missing_ok=True)
    data = data_for(topology, mnist)
    how = recipe(topology, name)
    how = how if epochs is None else replace(how, epochs=epochs)
    say(f"{data.source}; {how.epochs} epochs")
    result = train_model(model, data, how, seed, state_path=state)
    info = CheckpointInfo(
        topology, name, seed, how.epochs, result.validation_accuracy, result.test_accuracy, data.source
    )
    save_checkpoint(path, model, info)
    state.unlink(missing_ok=True)
    document = {
        "checkpoint": str(path),
        "topology": topology,
        "precision": name,
        "seed": seed,
        "epochs": how.epochs,
        "best_epoch": result.best_epoch + 1,
        "validation_accuracy": result.validation_accuracy,
        "test_accuracy": result.test_accuracy,
        "data": data.source,
    }
    text = f"{path}: test accuracy {100 * result.test_accuracy:.2f} %, best epoch {result.best_epoch + 1}"
    answer(document, f"{text} ({data.source})", as_json)
