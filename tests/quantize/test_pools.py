"""Pools in front of and behind BatchNorm, sign and quantizers, with gamma of either sign and zero."""

from collections.abc import Callable

import brevitas.nn as qnn
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bitwright.quantize import (
    BinaryActivation,
    BinaryConv1d,
    BinaryConv2d,
    BinaryInput,
    TernaryConv2d,
    integer_activation,
    integer_conv2d,
    integer_input,
)
from tests.quantize.test_lowering_conv import check, kinds

ORDERS: dict[str, tuple[Callable[[nn.Module, nn.Module, nn.Module], list[nn.Module]], list[str]]] = {
    "pool first": (lambda pool, norm, act: [pool, norm, act], ["Conv", "MaxPool", "Threshold", "Conv"]),
    "pool behind the norm": (lambda pool, norm, act: [norm, pool, act], ["Conv", "MaxPool", "Threshold", "Conv"]),
    "pool behind the quantizer": (lambda pool, norm, act: [norm, act, pool], ["Conv", "Threshold", "MaxPool", "Conv"]),
}


def _gammas(norm: nn.BatchNorm2d, signs: list[float]) -> None:
    with torch.no_grad():
        norm.weight.copy_(torch.tensor(signs))
        assert norm.running_mean is not None
        norm.running_mean.copy_(torch.linspace(-2, 2, len(signs)))
        norm.bias.copy_(torch.linspace(0.3, -0.3, len(signs)))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("gamma", [[1.5] * 4, [-1.5] * 4, [0.0] * 4, [1.0, -0.7, 0.0, -2.0]])
@pytest.mark.parametrize("bits", [1, 2])
@pytest.mark.parametrize("layer", [BinaryConv2d, TernaryConv2d])
def test_max_pool_around_a_batch_norm(
    order: str, gamma: list[float], bits: int, layer: Callable[..., nn.Module]
) -> None:
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(4)
    _gammas(norm, gamma)
    arrange, expected = ORDERS[order]
    act = BinaryActivation() if bits == 1 else integer_activation(bits, max_value=2.0)
    middle = arrange(nn.MaxPool2d(2), norm, act)
    module = nn.Sequential(BinaryInput(), layer(2, 4, 3, bias=True, padding=1), *middle, BinaryConv2d(4, 3, 2))
    network = check(module, torch.rand(40, 2, 7, 6), random_norms=False)
    assert kinds(network) == expected


def test_a_sum_that_others_read_is_not_negated() -> None:
    """The negated copy is an operation of its own when the sum goes elsewhere too."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.input, self.conv = BinaryInput(), BinaryConv2d(2, 4, 3)
            self.norm, self.act, self.last = nn.BatchNorm2d(4), BinaryActivation(), BinaryConv2d(4, 2, 2)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            x = self.conv(self.input(x))
            return self.last(self.act(F.max_pool2d(-x, 2))), self.last(self.act(x))

    from bitwright.quantize import lower, reference_integers

    module, x = Net().eval(), torch.rand(30, 2, 8, 8)
    network = lower(module, x[:4])
    got, expected = network.run(network.quantize(x.numpy())), reference_integers(module, x, network)
    assert all(np.array_equal(mine, theirs) for mine, theirs in zip(got, expected, strict=True))
    assert "max_pool2d.signs" in [operation.name for operation in network.operations]


def test_the_smallest_of_bits() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.input, self.conv = BinaryInput(), BinaryConv2d(2, 3, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.conv(-F.max_pool2d(-self.input(x), 2))

    network = check(Net(), torch.rand(30, 2, 8, 8))
    assert kinds(network) == ["Threshold", "MaxPool", "Conv"]


MAX_POOLS = {
    "stride": nn.MaxPool2d(3, 2),
    "padding": nn.MaxPool2d(3, 2, padding=1),
    "dilation": nn.MaxPool2d((2, 3), 1, dilation=2),
    "ceil": nn.MaxPool2d(3, 2, ceil_mode=True),
    "ceil and padding": nn.MaxPool2d(2, 3, padding=1, ceil_mode=True),
    "ceil drops": nn.MaxPool2d(2, 4, padding=1, ceil_mode=True),
    "adaptive": nn.AdaptiveMaxPool2d((3, 2)),
    "global": nn.AdaptiveMaxPool2d(1),
}


@pytest.mark.parametrize("pool", MAX_POOLS)
@pytest.mark.parametrize("quantizer", [BinaryInput(), integer_input(4, signed=True, max_value=2.0)])
def test_max_pools(pool: str, quantizer: nn.Module) -> None:
    module = nn.Sequential(quantizer, MAX_POOLS[pool], integer_conv2d(3, 2, 1, 4, per_channel=False))
    network = check(module, torch.randn(25, 3, 9, 8))
    assert kinds(network) == ["MaxPool", "Conv"]


FUNCTIONS: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "max_pool2d": (lambda x: F.max_pool2d(x, 2), "MaxPool"),
    "max_pool2d with options": (lambda x: F.max_pool2d(x, 3, stride=1, padding=1, ceil_mode=True), "MaxPool"),
    "torch.max_pool2d": (lambda x: torch.max_pool2d(x, 2), "MaxPool"),
    "adaptive max": (lambda x: F.adaptive_max_pool2d(x, (2, 4)), "MaxPool"),
    "amax": (lambda x: x.amax((2, 3), keepdim=True), "MaxPool"),
    "avg_pool2d": (lambda x: F.avg_pool2d(x, (2, 3)), "SumPool"),
    "overlapping average": (lambda x: F.avg_pool2d(x, 3, 1), "SumPool"),
    "padded average": (lambda x: F.avg_pool2d(x, 3, 2, 1), "SumPool"),
    "divisor": (lambda x: F.avg_pool2d(x, 2, divisor_override=3), "SumPool"),
    "adaptive average": (lambda x: F.adaptive_avg_pool2d(x, (2, None)), "SumPool"),
    "mean": (lambda x: x.mean((2, 3), keepdim=True), "SumPool"),
    "mean by negative axes": (lambda x: torch.mean(x, dim=(-1, -2), keepdim=True), "SumPool"),
    "sum": (lambda x: x.sum((2, 3), keepdim=True), "SumPool"),
    "ceil without effect": (lambda x: F.avg_pool2d(x, 2, ceil_mode=True), "SumPool"),
}


@pytest.mark.filterwarnings("ignore::bitwright.quantize.RoundingTieWarning")  # sums on the border
@pytest.mark.parametrize("function", FUNCTIONS)
def test_functions(function: str) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.input, self.act = integer_input(4), integer_activation(3, max_value=0.7)
            self.conv = integer_conv2d(3, 2, 1, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.conv(self.act(FUNCTIONS[function][0](self.input(x))))

    network = check(Net(), torch.rand(25, 3, 8, 12))
    assert kinds(network) == [FUNCTIONS[function][1], "Threshold", "Conv"]


@pytest.mark.parametrize("pool", [nn.AvgPool1d(3, 2, padding=1), nn.AdaptiveAvgPool1d(4), nn.MaxPool1d(5, 3)])
def test_signals(pool: nn.Module) -> None:
    module = nn.Sequential(BinaryInput(), BinaryConv1d(2, 4, 3, padding=1), pool, nn.BatchNorm1d(4), BinaryActivation())
    network = check(nn.Sequential(module, BinaryConv1d(4, 2, 1)), torch.rand(25, 2, 20))
    assert len(network.operations) == 4


@pytest.mark.parametrize("pool", [nn.AdaptiveAvgPool2d(1), nn.AvgPool2d(6)])
def test_averages_of_sums_with_a_norm(pool: nn.Module) -> None:
    """A BatchNorm is affine, so its average is that of the sums: gamma of either sign, another offset a channel."""
    module = nn.Sequential(
        integer_input(3), integer_conv2d(3, 5, 3, 3, padding=1, bias=True), nn.BatchNorm2d(5), pool, nn.Flatten()
    )
    network = check(module, torch.rand(40, 3, 6, 6))
    assert kinds(network) == ["Conv", "SumPool", "Flatten"]


@pytest.mark.parametrize("bits", [8, 4, 2])
@pytest.mark.parametrize("adaptive", [False, True])
def test_brevitas_truncating_average(bits: int, adaptive: bool) -> None:
    pool = qnn.TruncAdaptiveAvgPool2d(1, bit_width=bits) if adaptive else qnn.TruncAvgPool2d(4, bit_width=bits)
    module = nn.Sequential(
        integer_input(8),
        integer_conv2d(2, 4, 3, 3),
        qnn.QuantReLU(bit_width=4, return_quant_tensor=True),
        pool,
        integer_conv2d(4, 3, 1, 4),
    )
    module(torch.rand(50, 2, 6, 6))
    network = check(module, torch.rand(30, 2, 6, 6))
    assert kinds(network) == ["Conv", "Threshold", "SumPool", *([] if bits == 8 else ["Threshold"]), "Conv"]
