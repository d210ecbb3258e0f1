"""Branches that meet, and tensors that change their shape: residual blocks, concatenation, upsampling, permutations."""

from collections.abc import Callable

import brevitas.nn as qnn
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bitwright.quantize import (
    BinaryActivation,
    BinaryConv2d,
    BinaryInput,
    BinaryLinear,
    TernaryConv2d,
    TernaryLinear,
    ThermometerInput,
    integer_activation,
    integer_conv1d,
    integer_conv2d,
    integer_input,
    integer_linear,
    lower,
    reference_integers,
)
from tests.quantize.test_lowering_conv import check, kinds

JOINS: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], list[int]]] = {
    "plus": (lambda x, y: x + y, [1, 1]),
    "torch.add": (lambda x, y: torch.add(x, y), [1, 1]),
    "minus": (lambda x, y: x - y, [1, -1]),
    "method": (lambda x, y: x.sub(y), [1, -1]),
    "times two": (lambda x, y: x * 2 + y, [2, 1]),
    "halves": (lambda x, y: x * 0.5 - y * 0.75, [2, -3]),
    "constants": (lambda x, y: (x + 1.5) + (y - 0.25), [1, 1]),
}


class _Residual(nn.Module):
    """The residual block of Brevitas: one quantizer at the end of both branches."""

    def __init__(self, join: Callable[[Tensor, Tensor], Tensor], signed: bool = True) -> None:
        super().__init__()
        self.input = integer_input(8)
        self.conv0, self.norm0 = integer_conv2d(3, 6, 3, 4, padding=1), nn.BatchNorm2d(6)
        self.conv1, self.norm1 = integer_conv2d(6, 6, 3, 4, padding=1, groups=2), nn.BatchNorm2d(6)
        self.act = integer_activation(4, max_value=3.0)
        self.share = integer_activation(4, signed, max_value=3.0)
        self.behind = integer_activation(4, max_value=4.0)
        self.last = integer_linear(6, 4, 4)
        self.join = join

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.norm0(self.conv0(self.input(x))))
        y = self.share(self.norm1(self.conv1(x)))
        x = F.relu(self.join(self.share(x), y))
        return self.last(self.behind(x).amax((2, 3)))


@pytest.mark.parametrize("join", JOINS)
def test_residual_blocks(join: str) -> None:
    torch.manual_seed(0)
    function, multipliers = JOINS[join]
    network = check(_Residual(function), torch.rand(30, 3, 5, 6))
    added = next(operation for operation in network.operations if operation.kind == "Add")
    assert added.attributes()["multipliers"].tolist() == multipliers


def test_in_place_addition() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.input, self.conv = BinaryInput(), BinaryConv2d(2, 2, 3, padding=1)
            self.act, self.last = BinaryActivation(), BinaryConv2d(2, 2, 1)

        def forward(self, x: Tensor) -> Tensor:
            x = self.act(self.conv(self.input(x)))
            y = self.act(self.conv(x))
            y += x
            return self.last(y)

    assert "Add" in kinds(check(Net(), torch.rand(20, 2, 4, 4)))


def test_a_tensor_added_to_itself() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.input, self.last = integer_input(3), integer_conv2d(2, 2, 2, 3)

        def forward(self, x: Tensor) -> Tensor:
            x = self.input(x)
            return self.last(x + x)

    check(Net(), torch.rand(20, 2, 4, 4))


@pytest.mark.parametrize("inner", [True, False])
@pytest.mark.parametrize("outer", [True, False])
def test_brevitas_eltwise_add(inner: bool, outer: bool) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            options = ({"input_bit_width": 6} if inner else {"input_quant": None}) | (
                {} if outer else {"output_quant": None}
            )
            self.input = qnn.QuantIdentity(return_quant_tensor=True)
            self.conv = qnn.QuantConv2d(2, 2, 3, padding=1, bias=False)
            self.act = qnn.QuantReLU(bit_width=4, return_quant_tensor=True)
            self.share = qnn.QuantIdentity(bit_width=6, return_quant_tensor=True)
            self.add = qnn.QuantEltwiseAdd(return_quant_tensor=True, **options)
            self.last = qnn.QuantConv2d(2, 3, 1, bias=False)

        def forward(self, x: Tensor) -> Tensor:
            x = self.input(x)
            return self.last(self.add(self.share(self.act(self.conv(x))), self.share(x)))

    torch.manual_seed(0)
    module = Net().train()
    module(torch.randn(100, 2, 5, 5))
    assert "Add" in kinds(check(module.eval(), torch.randn(30, 2, 5, 5)))


@pytest.mark.parametrize("function", [lambda x: torch.cat([x, x], 1), lambda x: torch.cat([x, -x, x], 1)])
def test_a_tensor_beside_itself(function: Callable[[Tensor], Tensor]) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.input, self.conv, self.act = integer_input(3), integer_conv2d(2, 3, 2, 3), BinaryActivation()

        def forward(self, x: Tensor) -> Tensor:
            return self.act(function(self.conv(self.input(x)) - 0.3))

    check(Net(), torch.rand(20, 2, 4, 4))


class _Cat(nn.Module):
    def __init__(self, behind_norm: bool) -> None:
        super().__init__()
        self.input = BinaryInput()
        self.left, self.right = BinaryConv2d(2, 3, 3, padding=1), TernaryConv2d(2, 4, 1, scale="channel")
        self.norms = nn.ModuleList([nn.BatchNorm2d(3), nn.BatchNorm2d(4)])
        self.act, self.last = BinaryActivation(), BinaryConv2d(7, 2, 2)
        self.behind_norm = behind_norm

    def forward(self, x: Tensor) -> Tensor:
        x = self.input(x)
        x, y = self.norms[0](self.left(x)), self.norms[1](self.right(x))
        if self.behind_norm:
            return self.last(self.act(torch.cat([x, y], 1)))
        return self.last(torch.cat((self.act(x), self.act(y)), dim=-3))


@pytest.mark.parametrize("behind_norm", [True, False])
def test_channels_side_by_side(behind_norm: bool) -> None:
    assert "Concat" in kinds(check(_Cat(behind_norm), torch.rand(25, 2, 5, 4)))


def test_flat_tensors_side_by_side() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.input, self.conv = BinaryInput(), BinaryConv2d(2, 3, 2)
            self.act, self.last, self.out = BinaryActivation(), TernaryLinear(36 + 5, 4), TernaryLinear(36, 5)

        def forward(self, x: Tensor) -> Tensor:
            x = self.act(self.conv(self.input(x))).flatten(1)
            return self.last(torch.cat([x, self.act(self.out(x))], 1))

    network = check(Net(), torch.rand(25, 2, 4, 5))
    assert "Permute" not in kinds(network)


UPSAMPLES = {
    "layer": nn.Upsample(scale_factor=2),
    "factors": nn.Upsample(scale_factor=(3, 1)),
    "size": nn.Upsample(size=(8, 15)),
    "brevitas": qnn.QuantUpsample(scale_factor=2),
}


@pytest.mark.parametrize("layer", UPSAMPLES)
def test_upsampling(layer: str) -> None:
    first = qnn.QuantIdentity(return_quant_tensor=True)
    module = nn.Sequential(first, UPSAMPLES[layer], integer_conv2d(3, 2, 3, 4, padding=1))
    module(torch.randn(100, 3, 4, 5))
    assert kinds(check(module, torch.randn(20, 3, 4, 5))) == ["Upsample", "Conv"]


class _Through(nn.Module):
    """A convolution, any rearrangement, and a layer behind it."""

    def __init__(self, function: Callable[[Tensor], Tensor], last: nn.Module) -> None:
        super().__init__()
        self.input, self.conv = BinaryInput(), BinaryConv2d(2, 4, 3)
        self.act, self.last, self.function = BinaryActivation(), last, function

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.function(self.act(self.conv(self.input(x)))))


VIEWS: dict[str, tuple[Callable[[Tensor], Tensor], nn.Module, list[str]]] = {
    "flatten": (lambda x: x.flatten(1), BinaryLinear(24, 3), ["Flatten", "Linear"]),
    "view": (lambda x: x.view(x.size(0), -1), BinaryLinear(24, 3), ["Flatten", "Linear"]),
    "channels last": (lambda x: x.permute(0, 2, 3, 1), BinaryLinear(4, 3), ["Linear"]),
    "channels last and flat": (lambda x: x.permute(0, 2, 3, 1).flatten(1), BinaryLinear(24, 3), ["Flatten", "Linear"]),
    "there and back": (lambda x: x.transpose(1, 3).transpose(1, 3), BinaryConv2d(4, 2, 2), ["Conv"]),
    "rows and columns swapped": (
        lambda x: x.transpose(2, 3), BinaryConv2d(4, 2, 2), ["Flatten", "Permute", "Reshape", "Conv"]
    ),
    "channels out of pixels": (
        lambda x: x.reshape(-1, 6, 2, 2), BinaryConv2d(6, 2, 2), ["Flatten", "Permute", "Reshape", "Conv"]
    ),
    "a signal of all pixels": (lambda x: x.flatten(2), integer_conv1d(4, 2, 3, 2), ["Reshape", "Conv"]),
    "one more axis and back": (lambda x: x.unsqueeze(1).squeeze(1), BinaryConv2d(4, 2, 2), ["Conv"]),
    "linear over columns": (lambda x: x, BinaryLinear(3, 5), ["Flatten", "Permute", "Reshape", "Linear"]),
}  # fmt: skip


@pytest.mark.parametrize("view", VIEWS)
def test_views(view: str) -> None:
    torch.manual_seed(0)
    function, last, expected = VIEWS[view]
    network = check(_Through(function, last), torch.rand(30, 2, 4, 5))
    assert kinds(network) == ["Conv", "Threshold", *expected]


def test_a_norm_and_scores_on_a_flattened_image() -> None:
    """Everything that reads single elements of the flat tensor finds them in PyTorch's order."""
    module = nn.Sequential(
        BinaryInput(), BinaryConv2d(2, 3, 2), nn.Flatten(), nn.BatchNorm1d(36), BinaryActivation(), BinaryLinear(36, 4)
    )
    assert kinds(check(module, torch.rand(40, 2, 4, 5))) == ["Conv", "Flatten", "Threshold", "Linear"]


@pytest.mark.parametrize("behind", [[nn.BatchNorm2d(3), nn.Flatten()], [nn.Flatten(), nn.BatchNorm1d(36)]])
def test_a_flattened_image_as_output(behind: list[nn.Module]) -> None:
    module = nn.Sequential(BinaryInput(), BinaryConv2d(2, 3, 2), *behind)
    x = torch.rand(40, 2, 4, 5)
    network = check(module, x)
    assert kinds(network) == ["Conv", "Flatten", "Permute"]
    with torch.no_grad():
        difference = np.abs(network.predict(x.numpy()) - module.double()(x.double()).numpy())
    assert difference.max() < 1e-12


def test_arg_max_over_a_flattened_image() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.input, self.conv = BinaryInput(), BinaryConv2d(2, 3, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.conv(self.input(x)).flatten(1).argmax(1)

    check(Net(), torch.rand(60, 2, 4, 5))


def test_flat_pixels_made_an_image() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.input, self.conv = BinaryInput(), BinaryConv2d(1, 3, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.conv(self.input(x).view(-1, 1, 4, 5))

    network = check(Net(), torch.rand(20, 20))
    assert network.input_spec.shape == (20,)
    assert kinds(network) == ["Reshape", "Conv"]


@pytest.mark.parametrize(
    "permute", [lambda x: x.permute(0, 3, 1, 2), lambda x: x.movedim(-1, 1), lambda x: torch.permute(x, (0, 3, 1, 2))]
)
def test_images_that_come_channels_last(permute: Callable[[Tensor], Tensor]) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.input, self.conv = BinaryInput(), BinaryConv2d(2, 3, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.conv(permute(self.input(x)))

    network = check(Net(), torch.rand(20, 4, 5, 2))
    assert network.input_quantizer is not None
    assert network.input_quantizer.axes is None
    assert kinds(network) == ["Conv"]


PADS: dict[str, tuple[Callable[[Tensor], Tensor], int]] = {
    "zeros": (lambda x: F.pad(x, (1, 2, 0, 1)), 0),
    "minus one": (lambda x: F.pad(x, (1, 1), value=-1.0), -1),
    "twice": (lambda x: F.pad(F.pad(x, (1, 0)), (0, 0, 2, 1)), 0),
    "layer": (nn.ZeroPad2d((1, 0, 2, 1)), 0),
    "constant": (nn.ConstantPad2d(1, 1.0), 1),
}


@pytest.mark.parametrize("pads", PADS)
def test_padding_before_a_convolution(pads: str) -> None:
    function, value = PADS[pads]
    module = _Through(function, BinaryConv2d(4, 3, 2))
    network = check(module, torch.rand(25, 2, 5, 5))
    assert kinds(network) == ["Conv", "Threshold", "Conv"]
    assert network.operations[-1].attributes()["pad_value"] == value


def test_padding_before_a_pool() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.input, self.act = integer_input(4), integer_activation(4, max_value=0.9)
            self.last = integer_conv2d(2, 2, 1, 3)

        def forward(self, x: Tensor) -> Tensor:
            x = F.max_pool2d(F.pad(self.input(x), (1, 1, 1, 0)), 2)
            return self.last(self.act(F.avg_pool2d(F.pad(x, (0, 1)), 2, 1)))

    assert kinds(check(Net(), torch.rand(25, 2, 5, 5))) == ["MaxPool", "SumPool", "Threshold", "Conv"]


@pytest.mark.parametrize("levels", [1, 3, 8])
@pytest.mark.parametrize("first", [[], [integer_input(6)]])
def test_thermometer(levels: int, first: list[nn.Module]) -> None:
    module = nn.Sequential(*first, ThermometerInput(levels), BinaryConv2d(2 * levels, 3, 2))
    network = check(module, torch.rand(25, 2, 5, 4))
    assert kinds(network) == ([] if levels == 1 else ["Duplicate"]) + ["Threshold", "Conv"]


def test_thermometer_levels_are_those_of_the_paper() -> None:
    x = torch.arange(256.0)[:, None]
    bits = ThermometerInput(32, max_value=255)(x)
    lit = (bits > 0).sum(1)
    assert torch.equal(lit, torch.floor(x[:, 0] * 32 / 255 + 0.5).long())
    assert torch.equal(bits, torch.where(torch.arange(32) < lit[:, None], 1.0, -1.0))


def test_thermometer_on_uint8_pixels() -> None:
    module = nn.Sequential(ThermometerInput(4, max_value=255), nn.Flatten(), BinaryLinear(48, 3)).eval()
    x = torch.randint(0, 256, (30, 3, 2, 2), dtype=torch.uint8)
    network = lower(module, x[:8])
    integers = np.moveaxis(x.numpy(), 1, -1).astype(np.int16)
    assert np.array_equal(network.run(integers), reference_integers(module, integers, network))
