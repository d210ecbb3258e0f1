"""Convolutional networks: every layer's integers are PyTorch's, images are channels last in the network."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bitwright.graph import BIPOLAR, IntType, Network
from bitwright.quantize import (
    BinaryActivation,
    BinaryConv1d,
    BinaryConv2d,
    BinaryInput,
    BinaryLinear,
    TernaryConv1d,
    TernaryConv2d,
    integer_activation,
    integer_input,
    lower,
    reference_integers,
)
from tests.quantize.random_modules import randomize_batch_norms_


def check(module: nn.Module, x: Tensor) -> Network:
    """Lower on a few frames, and compare all frames with PyTorch: integers, and real numbers in the module's layout."""
    randomize_batch_norms_(module, np.random.default_rng(3)).eval()
    network = lower(module, x[:6])
    integers = network.quantize(x.double().numpy()) if network.input_quantizer is not None else x.numpy()
    assert np.array_equal(network.run(integers), reference_integers(module, x, network))
    assert np.array_equal(network.run(integers), network.trace(integers)[network.outputs[0]])
    return network


def kinds(network: Network) -> list[str]:
    """The kinds of the operations, in order."""
    return [operation.kind for operation in network.operations]


def test_a_binary_network() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(
        BinaryInput(),
        BinaryConv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        BinaryActivation(),
        nn.MaxPool2d(2),
        BinaryConv2d(8, 12, 3, padding=1, padding_value=-1),
        nn.MaxPool2d(2),
        nn.BatchNorm2d(12),
        BinaryActivation(),
        nn.Flatten(),
        BinaryLinear(48, 10),
    )
    x = torch.rand(60, 3, 8, 8)
    network = check(module, x)
    assert kinds(network) == [
        "Conv", "Threshold", "MaxPool", "Conv", "MaxPool", "Threshold", "Flatten", "Linear",
    ]  # fmt: skip
    assert network.input_spec.shape == (8, 8, 3)
    assert network.input_spec.dtype == BIPOLAR
    assert network.operations[0].attributes()["pad_value"] == 0
    assert network.operations[3].attributes()["pad_value"] == -1
    with torch.no_grad():
        assert np.array_equal(network.predict(x.numpy()), module.double()(x.double()).numpy())


LAYERS: dict[str, Callable[..., nn.Module]] = {
    "binary": lambda **o: BinaryConv2d(4, 6, 3, **o),
    "binary scaled": lambda **o: BinaryConv2d(4, 6, (3, 2), bias=True, scale="channel", **o),
    "ternary": lambda **o: TernaryConv2d(4, 6, (2, 3), **o),
    "ternary scaled": lambda **o: TernaryConv2d(4, 6, 3, scale="tensor", **o),
    "ternary by channel": lambda **o: TernaryConv2d(4, 6, 3, bias=True, scale="channel", **o),
}
OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "padded": {"padding": 1},
    "padded by -1": {"padding": (2, 1), "padding_value": -1},
    "strided": {"stride": (2, 1), "padding": (0, 2)},
    "dilated": {"dilation": 2, "padding": 2},
    "grouped": {"groups": 2, "padding": 1},
    "same": {"padding": "same"},
}


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("layer", LAYERS)
def test_binary_and_ternary_convolutions(layer: str, option: str) -> None:
    torch.manual_seed(1)
    module = nn.Sequential(
        BinaryInput(),
        LAYERS[layer](**OPTIONS[option]),
        nn.BatchNorm2d(6),
        integer_activation(2, max_value=1.5),
        TernaryConv2d(6, 3, 2),
    )
    network = check(module, torch.rand(20, 4, 7, 9))
    assert kinds(network) == ["Conv", "Threshold", "Conv"]
    assert network.output_scales["4"].axes == (2, 0, 1)


@pytest.mark.parametrize("padding_value", [0, -1])
def test_signals(padding_value: int) -> None:
    module = nn.Sequential(
        BinaryInput(),
        BinaryConv1d(2, 6, 5, stride=2, padding=3, padding_value=padding_value),
        nn.BatchNorm1d(6),
        BinaryActivation(),
        nn.MaxPool1d(3, 2, padding=1),
        TernaryConv1d(6, 4, 3, scale="channel"),
        nn.BatchNorm1d(4),
        BinaryActivation(),
        nn.Flatten(),
        BinaryLinear(4 * 6, 5),
    )
    network = check(module, torch.rand(30, 2, 30))
    assert network.input_spec.shape == (30, 2)


def test_a_first_layer_on_eight_bit_images() -> None:
    module = nn.Sequential(
        integer_input(8),
        TernaryConv2d(3, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        BinaryActivation(),
        BinaryConv2d(4, 2, 3),
    )
    x = torch.rand(10, 3, 6, 5)
    network = check(module, x)
    assert network.input_quantizer is not None
    assert network.input_quantizer.axes == (1, 2, 0)
    assert network.quantize(x.numpy()).shape == (10, 6, 5, 3)


def test_uint8_images_as_they_are() -> None:
    module = nn.Sequential(
        TernaryConv2d(3, 4, 3), nn.BatchNorm2d(4), BinaryActivation(), nn.Flatten(), BinaryLinear(48, 3)
    )
    randomize_batch_norms_(module, np.random.default_rng(0)).eval()
    x = torch.randint(0, 256, (20, 3, 6, 5), dtype=torch.uint8)
    network = lower(module, x[:5])
    assert network.input_spec.shape == (6, 5, 3)
    assert network.input_spec.dtype == IntType.unsigned(8)
    integers = np.moveaxis(x.numpy(), 1, -1).astype(np.int16)
    assert np.array_equal(network.quantize(x.double().numpy()), integers)
    expected = reference_integers(module, integers, network)
    assert np.array_equal(network.run(integers), expected)
    assert np.array_equal(reference_integers(module, x.double(), network), expected)
    with torch.no_grad():
        assert np.array_equal(network.predict(x.double().numpy()), module.double()(x.double()).numpy())
