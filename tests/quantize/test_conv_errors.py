"""What has no exact integer form in a convolutional network is refused, with the layer, the reason and a way out."""

from collections.abc import Callable

import brevitas.nn as qnn
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bitwright.errors import InputError, LoweringError
from bitwright.quantize import (
    BinaryActivation,
    BinaryConv1d,
    BinaryConv2d,
    BinaryInput,
    TernaryConv2d,
    ThermometerInput,
    integer_activation,
    integer_conv1d,
    integer_conv2d,
    integer_input,
    lower,
)


def _after(*layers: nn.Module) -> nn.Module:
    return nn.Sequential(BinaryInput(), BinaryConv2d(2, 4, 3), *layers)


class _Forward(nn.Module):
    def __init__(self, forward: Callable[["_Forward", Tensor], Tensor]) -> None:
        super().__init__()
        self.quantize, self.conv, self.act = BinaryInput(), BinaryConv2d(2, 4, 3), BinaryActivation()
        self.small, self.large = integer_activation(3, max_value=1.0), integer_activation(3, max_value=1.1)
        self.next, self.function = BinaryConv2d(4, 4, 3, padding=1), forward

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self, self.conv(self.quantize(x)))


REFUSED: dict[str, tuple[nn.Module, str, str]] = {
    "float convolution": (_after(BinaryActivation(), nn.Conv2d(4, 2, 3)), "'3'", "post_training_quantize"),
    "transposed convolution": (_after(BinaryActivation(), nn.ConvTranspose2d(4, 2, 3)), "'3'", "no exact integer form"),
    "unquantized input": (_after(nn.ReLU(), BinaryConv2d(4, 2, 3)), "'3'", "directly before it"),
    "average of an activation": (_after(nn.ReLU(), nn.AvgPool2d(2)), "'3'", "put a quantizer before it"),
    "average without the border": (
        _after(nn.AvgPool2d(3, padding=1, count_include_pad=False)),
        "'2'",
        "use count_include_pad=True",
    ),
    "average with ceil_mode": (_after(nn.AvgPool2d(3, ceil_mode=True)), "'2'", "leave ceil_mode out"),
    "padded average of an offset": (_Forward(lambda m, x: F.avg_pool2d(x + 1, 3, 1, 1)), "'avg_pool2d'", "offset"),
    "adaptive average": (_after(nn.AdaptiveAvgPool2d(3)), "'2'", "use an output size that divides"),
    "adaptive maximum": (_after(nn.AdaptiveMaxPool2d((2, 5))), "'2'", "use an output size that divides"),
    "pool with indices": (_after(nn.MaxPool2d(2, return_indices=True)), "'2'", "leave out return_indices"),
    "pool over a flat tensor": (_after(nn.Flatten(), nn.MaxPool1d(2)), "'3'", "give it channels and 1 axes"),
    "power pool": (_after(nn.LPPool2d(2, 2)), "'2'", "no exact integer form"),
    "norm over groups": (_after(nn.GroupNorm(2, 4)), "'2'", "no exact integer form"),
    "norm of statistics": (_after(nn.BatchNorm2d(4, track_running_stats=False)), "'2'", "track_running_stats"),
    "mirrored padding": (
        _after(BinaryActivation(), qnn.QuantConv2d(4, 2, 3, padding=1, padding_mode="reflect")),
        "'3'",
        'use padding_mode="zeros"',
    ),
    "padding that depends on the size": (
        _after(BinaryActivation(), qnn.QuantConv2d(4, 2, 3, padding="same", stride=2)),
        "'3'",
        "give the padding as numbers",
    ),
    "padding between steps": (
        _after(integer_activation(3, max_value=2.1), nn.ConstantPad2d(1, 0.5), integer_conv2d(4, 2, 3, 3)),
        "'4'",
        "pad with 0 or a multiple",
    ),
    "padding before a norm": (_after(nn.ZeroPad2d(1), nn.BatchNorm2d(4)), "'3'", "pad directly before"),
    "padding before a maximum": (_after(nn.ZeroPad2d(1), nn.MaxPool2d(2)), "'3'", "pad in the pool itself"),
    "padding as output": (_after(nn.ZeroPad2d(1)), "'2'", "something other than scores"),
    "the input padded": (nn.Sequential(nn.ZeroPad2d(1), BinaryInput(), BinaryConv2d(2, 2, 3)), "'0'", "quantizer"),
    "two paddings of two values": (
        _after(BinaryActivation(), nn.ConstantPad2d(1, -1.0), BinaryConv2d(4, 2, 3, padding=1)),
        "'4'",
        "pad once",
    ),
    "cropping": (_after(BinaryActivation(), nn.ZeroPad2d(-1), BinaryConv2d(4, 2, 1)), "'3'", "by 0 or more"),
    "mirror": (_Forward(lambda m, x: m.next(F.pad(m.act(x), (1, 1, 1, 1), "reflect"))), "'pad'", "pad with a constant"),
    "bilinear": (_after(nn.Upsample(scale_factor=2, mode="bilinear")), "'2'", 'use mode="nearest"'),
    "a half more": (_after(nn.Upsample(scale_factor=1.5)), "'2'", "use whole factors"),
    "mean over channels": (_Forward(lambda m, x: x.mean(1)), "'mean'", "use mean((2, 3))"),
    "scales that differ": (_Forward(lambda m, x: m.small(x) + m.large(x)), "'add'", "let one quantizer"),
    "an activation added": (_Forward(lambda m, x: x.relu() + m.small(x)), "'add'", "neither affine nor quantized"),
    "other shapes added": (_Forward(lambda m, x: m.act(x) + m.act(x)[:, :, :1]), "'getitem'", "no exact integer form"),
    "norms that differ": (
        _Forward(lambda m, x: x * torch.tensor([1.0, 2, 3, 4])[:, None, None] + m.next(m.act(x))),
        "'add'",
        "no multiples of a common step",
    ),
    "columns side by side": (_Forward(lambda m, x: torch.cat([m.act(x), m.small(x)], 3)), "'cat'", "dim=1"),
    "a constant for each pixel": (_Forward(lambda m, x: x + torch.ones(4, 4)[:, :1]), "'add'", "channels"),
    "batch moved": (_Forward(lambda m, x: m.act(x).permute(1, 0, 2, 3)), "'permute'", "axis 0"),
    "too many bits": (
        nn.Sequential(integer_input(8), nn.AvgPool2d(2), integer_conv2d(2, 2, 1, 4)),
        "'2'",
        "more than 8",
    ),
    "kernel larger than the image": (_after(BinaryActivation(), BinaryConv2d(4, 2, 7)), "'3'", ""),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    module, layer, words = REFUSED[case]
    if case == "kernel larger than the image":
        layer = "'Sequential'"
    with pytest.raises(LoweringError) as caught:
        lower(module, torch.rand(3, 2, 6, 6))
    message = str(caught.value)
    assert layer in message
    assert words in message
    assert "\n" not in message
    assert caught.value.fix


MISTAKES: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "padding value": (lambda: BinaryConv2d(2, 2, 3, padding_value=1), "pads with 0 or -1"),
    "scale": (lambda: BinaryConv1d(2, 2, 3, scale="tensor"), "has no scale 'tensor'"),  # type: ignore[arg-type]
    "ternary scale": (lambda: TernaryConv2d(2, 2, 3, scale="row"), "has no scale 'row'"),  # type: ignore[arg-type]
    "groups": (lambda: TernaryConv2d(3, 4, 3, groups=2), "choose a divisor"),
    "strided same": (lambda: BinaryConv2d(2, 2, 3, stride=2, padding="same"), "needs stride 1"),
    "kernel of three axes": (lambda: BinaryConv2d(2, 2, (3, 3, 3)), "one for each of 2 axes"),
    "empty kernel": (lambda: BinaryConv2d(2, 2, 0), "at least 1"),
    "negative padding": (lambda: BinaryConv2d(2, 2, 3, padding=-1), "0 or more"),
    "bits": (lambda: integer_conv2d(2, 2, 3, 9), "1 to 8 bits"),
    "bits of a signal": (lambda: integer_conv1d(2, 2, 3, 0), "1 to 8 bits"),
    "levels": (lambda: ThermometerInput(0), "1 to 255 levels"),
    "more levels than pixels": (lambda: ThermometerInput(4, bits=1), "1 to 1 levels"),
    "largest pixel": (lambda: ThermometerInput(4, max_value=0.0), "positive, finite"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_mistakes(case: str) -> None:
    make, words = MISTAKES[case]
    with pytest.raises(InputError, match=words):
        make()
