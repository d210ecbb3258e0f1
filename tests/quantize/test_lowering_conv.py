"""Convolutional networks: every layer's integers are PyTorch's, images are channels last in the network."""

import warnings
from collections.abc import Callable
from typing import Any

import brevitas.nn as qnn
import numpy as np
import pytest
import torch
from brevitas.quant import Int8ActPerTensorFloat, Int8Bias
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from bitwright.graph import BIPOLAR, TERNARY, IntType, Network
from bitwright.quantize import (
    BinaryActivation,
    BinaryConv1d,
    BinaryConv2d,
    BinaryInput,
    BinaryLinear,
    RoundingTieWarning,
    TernaryConv1d,
    TernaryConv2d,
    integer_activation,
    integer_conv1d,
    integer_conv2d,
    integer_input,
    lower,
    reference_integers,
)
from tests.quantize.random_conv_modules import random_conv_net
from tests.quantize.random_modules import randomize_batch_norms_


def check(module: nn.Module, x: Tensor, random_norms: bool = True) -> Network:
    """Lower on a few frames and compare the integers of all frames with PyTorch's."""
    if random_norms:
        randomize_batch_norms_(module, np.random.default_rng(3))
    module.eval()
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
    assert network.module_input_shape == (3, 6, 5)
    for form in (x.double().numpy(), x.numpy(), integers):
        assert np.array_equal(network.quantize(form), integers)
    expected = reference_integers(module, integers, network)
    assert np.array_equal(reference_integers(module, x, network), expected)
    assert np.array_equal(network.run(integers), expected)
    assert np.array_equal(reference_integers(module, x.double(), network), expected)
    with torch.no_grad():
        assert np.array_equal(network.predict(x.double().numpy()), module.double()(x.double()).numpy())


@pytest.mark.parametrize("bits", range(1, 9))
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("groups", [1, 4])
def test_brevitas_convolutions_of_each_width(bits: int, per_channel: bool, groups: int) -> None:
    """Depthwise (groups = 4) as well; learned scales, real biases."""
    torch.manual_seed(bits)
    options: dict[str, Any] = {"per_channel": per_channel, "bias": True}
    module = nn.Sequential(
        integer_input(bits, signed=bits > 1),
        integer_conv2d(4, 4, 3, bits, groups=groups, padding=1, **options),
        nn.BatchNorm2d(4),
        integer_activation(bits, max_value=2.0),
        integer_conv2d(4, 5, 2, 9 - bits, stride=2, **options),
    )
    network = check(module, torch.randn(15, 4, 6, 5))
    expected = BIPOLAR if bits == 1 else TERNARY if bits == 2 else IntType.signed_bits(bits)
    assert network.operations[0].attributes()["weight_type"] == expected
    assert network.operations[0].attributes()["groups"] == groups
    assert network.spec("3").dtype.width == bits


@pytest.mark.parametrize("padding", [0, 2, "same", "valid"])
@pytest.mark.parametrize("dilation", [1, 2])
def test_brevitas_signals(padding: int | str, dilation: int) -> None:
    module = nn.Sequential(
        integer_input(8),
        integer_conv1d(2, 6, 4, 4, padding=padding, dilation=dilation),
        nn.BatchNorm1d(6),
        qnn.QuantReLU(bit_width=3),
        integer_conv1d(6, 6, 3, 3, groups=3, stride=2),
    )
    module(torch.rand(30, 2, 20))
    check(module, torch.rand(20, 2, 20))


@pytest.mark.parametrize("per_channel", [False, True])
def test_quantizers_inside_a_convolution(per_channel: bool) -> None:
    """Input, output and bias quantizers, and activations with a scale for each channel of an image."""
    act = (
        {
            "scaling_per_output_channel": True,
            "per_channel_broadcastable_shape": (1, 4, 1, 1),
            "scaling_stats_permute_dims": (1, 0, 2, 3),
        }
        if per_channel
        else {}
    )
    module = nn.Sequential(
        qnn.QuantConv2d(
            2,
            4,
            3,
            input_quant=Int8ActPerTensorFloat,
            output_quant=Int8ActPerTensorFloat,
            bias_quant=Int8Bias,
            weight_bit_width=4,
            return_quant_tensor=True,
        ),
        nn.BatchNorm2d(4),
        qnn.QuantReLU(bit_width=4, **act),
    )
    if not per_channel:
        module.append(qnn.QuantConv2d(4, 3, 2, bias=False, weight_bit_width=3))
    module(torch.randn(60, 2, 6, 5))
    network = check(module, torch.randn(25, 2, 6, 5))
    assert np.ndim(network.output_scales[network.outputs[0]].scale) == int(per_channel)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_random_networks_equal_pytorch(seed: int) -> None:
    try:
        drawn = random_conv_net(seed)
    except (RuntimeError, ValueError):
        assume(False)  # A pool that is larger than what is left of the image.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RoundingTieWarning)
        network = lower(drawn.module, drawn.x[:3])
        expected = reference_integers(drawn.module, drawn.x, network)
    integers = network.quantize(drawn.x.numpy())
    assert np.array_equal(network.run(integers), expected)
