"""What Brevitas's own example networks are made of, and one of them as a whole."""

import configparser
from importlib.resources import files

import brevitas.nn as qnn
import numpy as np
import pytest
import torch
from brevitas.quant_tensor import QuantTensor
from brevitas_examples.bnn_pynq.models.CNV import cnv
from brevitas_examples.bnn_pynq.models.resnet import QuantBasicBlock
from brevitas_examples.imagenet_classification.models.mobilenetv1 import DwsConvBlock
from torch import Tensor, nn

from bitwright.errors import LoweringError
from bitwright.quantize import (
    BinaryActivation,
    BinaryInput,
    BinaryLinear,
    integer_conv2d,
    integer_input,
    lower,
    reference_integers,
)
from tests.quantize.test_lowering_conv import check, kinds


def test_cnv_of_bnn_pynq() -> None:
    """2 x - 1 before a quantizer of 8 bits, binary weights and activations, a norm over the whole tensor at the end."""
    config = configparser.ConfigParser()
    config.read_string((files("brevitas_examples.bnn_pynq.cfg") / "cnv_1w1a.ini").read_text())
    torch.manual_seed(0)
    module, x = cnv(config), torch.rand(4, 3, 32, 32)
    module.train()
    module(x)
    module.eval()
    network = lower(module, x[:2])
    assert np.array_equal(network.run(network.quantize(x.numpy())), reference_integers(module, x, network))
    assert network.weight_bits == 1_542_848
    assert network.input_quantizer is not None
    assert network.input_quantizer.zero_point == -128
    assert network.input_quantizer.scale == 2.0**-8


def test_a_residual_block_that_asserts_quant_tensors() -> None:
    first = qnn.QuantReLU(bit_width=4, return_quant_tensor=True)
    module = nn.Sequential(
        first,
        nn.Identity(),
        QuantBasicBlock(3, 4, stride=2, act_bit_width=4, weight_bit_width=4),
        QuantBasicBlock(4, 4, shared_quant_act=None, act_bit_width=4, weight_bit_width=4),
    )
    with torch.no_grad():
        module[3].relu2 = module[2].relu_out
    module(torch.rand(20, 3, 6, 6))
    network = check(module, torch.rand(12, 3, 6, 6))
    assert kinds(network).count("Add") == 2


def test_an_assertion_that_fails_is_reported() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.input, self.fc = BinaryInput(), BinaryLinear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            x = self.input(x)
            assert isinstance(x, QuantTensor), "quantize it with Brevitas"
            return self.fc(x)

    with pytest.raises(LoweringError, match=r"cannot be traced.*quantize it with Brevitas"):
        lower(Net(), torch.rand(2, 4))


@pytest.mark.filterwarnings("ignore::bitwright.quantize.RoundingTieWarning")
def test_a_scale_for_each_channel_before_a_depthwise_convolution() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(
        integer_input(8),
        integer_conv2d(2, 6, 3, 4),
        nn.BatchNorm2d(6),
        qnn.QuantReLU(
            bit_width=4,
            scaling_per_output_channel=True,
            per_channel_broadcastable_shape=(1, 6, 1, 1),
            scaling_stats_permute_dims=(1, 0, 2, 3),
            return_quant_tensor=True,
        ),
        DwsConvBlock(6, 4, 1, act_bit_width=4, weight_bit_width=4),
    )
    module(torch.rand(40, 2, 7, 7))
    check(module, torch.rand(20, 2, 7, 7))
    with pytest.raises(LoweringError, match="one scale for all channels"):
        lower(nn.Sequential(*module[:4], integer_conv2d(6, 4, 1, 4)), torch.rand(2, 2, 7, 7))


@pytest.mark.parametrize("quantizer", [BinaryInput(0.3), BinaryActivation()])
def test_arithmetic_before_a_sign(quantizer: nn.Module) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.input, self.fc = quantizer, BinaryLinear(10, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(self.input((x - 0.4751) / 0.2301))

    x = torch.rand(200, 10)
    network = check(Net(), x)
    assert network.input_quantizer is not None
    threshold = network.input_quantizer.threshold
    for edge in (threshold, np.nextafter(threshold, -1.0)):
        real = torch.full((1, 10), edge, dtype=torch.float64)
        expected = quantizer((real - 0.4751) / 0.2301).numpy()
        assert np.array_equal(network.quantize(real.numpy()), expected)


def test_arithmetic_before_a_quantizer() -> None:
    class Net(nn.Module):
        def __init__(self, shift: float) -> None:
            super().__init__()
            self.input, self.fc = integer_input(4, signed=True, max_value=3.5), BinaryLinear(10, 3)
            self.shift = shift

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(self.input(-(self.shift - x * 4)))

    network = check(Net(2.0), torch.rand(100, 10) * 2)
    assert network.input_quantizer is not None
    assert (network.input_quantizer.scale, network.input_quantizer.zero_point) == (0.125, -4)
    with pytest.raises(LoweringError, match=r"moves the input by -0.3, no multiple of its scale 0.5"):
        lower(Net(0.3), torch.rand(2, 10))


def test_arithmetic_that_turns_the_input_around() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.input, self.fc = BinaryInput(), BinaryLinear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(self.input(1 - x))

    with pytest.raises(LoweringError, match=r"'input'.*turned around"):
        lower(Net(), torch.rand(2, 4))
