"""Trained networks on disk: one safetensors file whose header tells topology, precision, seed and accuracy as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from bitwright.errors import CheckpointError, InputError
from bitwright.models.classifier import Classifier
from bitwright.models.create import from_description
from bitwright.models.mlp import TOPOLOGIES
from bitwright.models.precision import canonical_precision
from bitwright.models.tensor_file import read_tensor_file, write_tensor_file
from bitwright.quantize import BinaryConv1d, BinaryConv2d, BinaryLinear

_KIND = "bitwright checkpoint"
_SHIPPED = Path(__file__).parent / "checkpoints"


@dataclass(frozen=True)
class CheckpointInfo:
    """What is known of a trained network.

    `topology` is a name such as "tfc", or anything for a network of one's own; `precision` one such as "w1a1".
    Accuracies are fractions; `data` is the source line of the data set.
    """

    topology: str
    precision: str
    seed: int
    epochs: int
    validation_accuracy: float
    test_accuracy: float
    data: str


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A network in eval mode and what is known of it."""

    model: Classifier
    info: CheckpointInfo


def save_checkpoint(path: str | Path, model: Classifier, info: CheckpointInfo) -> None:
    """Write `model` and `info` to `path`, whole or not at all.

    The weights of binary layers without a scale are kept as packed signs, one bit each: all that inference needs.
    Raises OutputError when the place cannot be written.
    """
    tensors = {name: value.detach().clone() for name, value in model.state_dict().items()}
    packed: dict[str, list[int]] = {}
    for name in _sign_weights(model):
        packed[name] = list(tensors[name].shape)
        tensors[name] = _pack_signs(tensors[name])
    document = {"network": model.description(), "info": asdict(info), "packed": packed}
    write_tensor_file(Path(path), _KIND, tensors, document)


def load_checkpoint(path: str | Path, topology: str | None = None, precision: str | None = None) -> Checkpoint:
    """The network kept at `path`, checked against `topology` and `precision` when these are given.

    Raises CheckpointError naming the file when it is missing, truncated, edited, a pickle, of a newer version, or of
    another topology or precision.
    """
    place = Path(path)
    tensors, document = read_tensor_file(place, _KIND)
    try:
        info = CheckpointInfo(**document["info"])
        model = from_description(document["network"])
        for name, shape in document["packed"].items():
            tensors[name] = _unpack_signs(tensors[name], shape)
    except (KeyError, TypeError, ValueError, InputError) as error:
        raise CheckpointError(f"{place} does not describe a network ({error}); save the checkpoint again") from error
    wanted = None if topology is None else TOPOLOGIES.get(topology)
    if topology is not None and (info.topology != topology or (wanted is not None and wanted != model.sizes)):
        sizes = "-".join(map(str, model.sizes))
        raise CheckpointError(f"{place} holds topology {info.topology} ({sizes}), not {topology}; choose its own file")
    if precision is not None and info.precision != canonical_precision(precision):
        raise CheckpointError(f"{place} holds precision {info.precision}, not {precision}; choose its own file")
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise CheckpointError(f"{place} does not fit its topology ({reason}); save the checkpoint again") from error
    return Checkpoint(model.eval(), info)


def shipped_checkpoints() -> tuple[tuple[str, str], ...]:
    """(topology, precision) of every checkpoint that comes with the package, sorted."""
    names = (path.stem.rsplit("-", 1) for path in _SHIPPED.glob("*.safetensors"))
    return tuple(sorted((topology, precision) for topology, precision in names))


def load_pretrained(topology: str, precision: str) -> Checkpoint:
    """The shipped checkpoint of a topology such as "tfc" at a precision such as "w1a1".

    Raises CheckpointError when none is shipped, InputError when the precision is unknown.
    """
    name = canonical_precision(precision)
    if (topology, name) not in shipped_checkpoints():
        known = ", ".join("-".join(pair) for pair in shipped_checkpoints())
        raise CheckpointError(f"no checkpoint {topology}-{name} is shipped; train it, or choose one of {known}")
    return load_checkpoint(_SHIPPED / f"{topology}-{name}.safetensors", topology, name)


def _sign_weights(model: nn.Module) -> list[str]:
    layers = model.named_modules()
    binary = BinaryLinear | BinaryConv1d | BinaryConv2d
    return [f"{name}.weight" for name, layer in layers if isinstance(layer, binary) and layer.scale is None]


def _pack_signs(weight: Tensor) -> Tensor:
    return torch.from_numpy(np.packbits((weight >= 0).numpy(), axis=None))


def _unpack_signs(bits: Tensor, shape: list[int]) -> Tensor:
    count = int(np.prod(shape))
    if bits.numel() != -(-count // 8):
        raise ValueError(f"{bits.numel()} bytes of signs for {count} weights")
    ones = np.unpackbits(bits.numpy(), count=count).astype(np.float32)
    return torch.from_numpy(2 * ones - 1).reshape(shape)
