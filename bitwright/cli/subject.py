"""What a command works on: a network, with the PyTorch module and the data it came from where they are known."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bitwright.cli.answer import say
from bitwright.cli.onnx_options import OnnxOptions
from bitwright.errors import InputError
from bitwright.graph import Network
from bitwright.graph.types import IntArray

if TYPE_CHECKING:
    from torch import nn

    from bitwright.models import Classifier, Dataset

DATA_BY_PIXELS = {40: "mnist1d", 64: "digits", 784: "mnist"}
"""The data set whose images or signals have as many elements as a network has inputs."""

GOLDEN_FRAMES = 32
"""Test images on which a network is lowered and which it keeps with PyTorch's answers."""


SYNTHETIC_FRAMES = 8
"""Frames of a network with random weights."""


@dataclass(frozen=True, eq=False)
class Subject:
    """A network by its name; `module` when it came from a checkpoint; `mnist` is a folder of IDX files.

    `synthetic` is the network of `bitwright.models` that this is one of, with random weights; its frames are synthetic.
    """

    name: str
    network: Network
    module: nn.Module | None
    mnist: Path | None
    synthetic: str | None = None

    def data(self) -> Dataset:
        """The test data that fits the network's input. Raises InputError when none does."""
        name = DATA_BY_PIXELS.get(self.network.input_spec.size)
        if name is None:
            raise InputError(
                f"{self.name} takes {self.network.input_spec}, for which there is no data set; give frames by --input"
            )
        return load_images(name, self.mnist)

    def real_frames(self, count: int | None) -> tuple[NDArray[Any], NDArray[Any] | None, str]:
        """The first `count` test images as the module takes them, labels where known, and where they come from."""
        if self.synthetic is not None:
            from bitwright.models import synthetic_inputs

            frames = synthetic_inputs(self.synthetic, SYNTHETIC_FRAMES if count is None else count, seed=1)
            return frames.numpy(), None, "synthetic frames, random weights"
        data = self.data()
        if count is not None and not 1 <= count <= len(data.test_x):
            raise InputError(f"--frames must be 1 to {len(data.test_x)}, not {count}")
        shaped = data.test_x[:count].reshape(-1, *self.network.module_input_shape)
        return shaped, data.test_y[:count], data.source

    def frames(self, count: int | None, file: Path | None) -> tuple[IntArray, NDArray[Any] | None, str]:
        """Integer frames from a .npy file, or the test images; labels where known, and where they come from."""
        if file is None:
            x, labels, source = self.real_frames(count)
            return self.network.quantize(x), labels, source
        try:
            values = np.load(file, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise InputError(f"{file} is no .npy file of integers ({error}); write one by numpy.save") from error
        self.network.input_spec.check(values, str(file))
        return values[:count], None, str(file)

    def accuracy(self, outputs: Any, labels: NDArray[Any]) -> float:
        """The fraction of frames whose largest score, or first index, is the label."""
        return float((classes(self.network, outputs) == labels).mean())


def classes(network: Network, outputs: Any) -> NDArray[Any]:
    """The class of each frame: the index that ArgMax or TopK gives, else the largest real score, lowest on ties."""
    first = outputs[0] if isinstance(outputs, tuple) else outputs
    maker = network.producer(network.outputs[0])
    if maker is not None and maker.kind == "ArgMax":
        return np.asarray(first)
    if maker is not None and maker.kind == "TopK":
        return np.asarray(first[:, 0])
    scores = network.dequantize(outputs)
    return np.asarray((scores[0] if isinstance(scores, tuple) else scores).argmax(axis=-1))


def read_subject(given: str, mnist: Path | None = None, onnx: OnnxOptions | None = None) -> Subject:
    """The network of a network file, a quantized ONNX file, a checkpoint file (.safetensors), or a shipped checkpoint.

    A shipped checkpoint is a name such as tfc-w1a1. Networks whose data is not here, such as cnv-w1a1, have random
    weights, which is said. Raises NetworkFormatError, CheckpointError, LoweringError, and InputError for `onnx` options
    that say something of another kind of file.
    """
    path = Path(given)
    onnx = onnx or OnnxOptions()
    if path.suffix == ".onnx":
        network = _read_onnx(path, onnx)
        return Subject(network.name, network, None, mnist)
    if onnx != OnnxOptions():
        raise InputError(f"--input-shape, --input-type and --drop-softmax are for .onnx files; {given} is none")
    if path.suffix == ".safetensors":
        from bitwright.models import load_checkpoint

        return lowered(path.stem, load_checkpoint(path).model, mnist)
    topology, dash, precision = given.rpartition("-")
    if path.exists() or path.suffix or not dash:
        network = Network.load(path)
        return Subject(network.name, network, None, mnist)
    from bitwright.models import CONV_TOPOLOGIES, DATA, load_pretrained

    if topology in (*CONV_TOPOLOGIES, "resnet8") and topology not in DATA:
        return _with_random_weights(given, topology, precision)
    return lowered(given, load_pretrained(topology, precision).model, mnist)


def _with_random_weights(name: str, topology: str, precision: str) -> Subject:
    from bitwright.models import random_network, synthetic_inputs
    from bitwright.quantize import lower

    say(f"{name}: random weights, since the data it is made for is not here; it shows size and speed, no accuracy")
    model = random_network(topology, precision)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        network = lower(model, synthetic_inputs(topology, SYNTHETIC_FRAMES), name=name)
    for one in caught:
        say(f"{name}: {one.message}")
    return Subject(name, network, model, None, topology)


def _read_onnx(path: Path, options: OnnxOptions) -> Network:
    """The network of an ONNX file; warnings are said on stderr, a line each."""
    from bitwright.quantize.qonnx import finn_type, read_qonnx

    dtype = None if options.input_type is None else finn_type(options.input_type.upper())
    if options.input_type is not None and dtype is None:
        raise InputError(f"--input-type {options.input_type} is no integer type; use uint8, int4, bipolar, ternary ...")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        network = read_qonnx(path, input_shape=options.input_shape, input_type=dtype, drop_softmax=options.drop_softmax)
    for one in caught:
        say(f"{path}: {one.message}")
    return network


def lowered(name: str, model: Classifier, mnist: Path | None) -> Subject:
    """A trained model as a subject; lowered on the first test images of the data it is made for."""
    from bitwright.quantize import lower

    data = DATA_BY_PIXELS.get(model.sizes[0])
    if data is None:
        raise InputError(f"{name} takes {model.sizes[0]} inputs, for which there is no data set; lower it in Python")
    images = load_images(data, mnist).test_x[:GOLDEN_FRAMES].reshape(-1, *model.input_shape)
    return Subject(name, lower(model, images, name=name), model, mnist)


def load_images(name: str, mnist: Path | None) -> Dataset:
    """The data set; `mnist` is a folder of IDX files, for MNIST alone."""
    from bitwright.models import load

    return load(name, mnist if name == "mnist" else None)
