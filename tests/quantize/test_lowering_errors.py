"""Whatever has no exact integer form is refused, with the layer, the reason and a way out."""

import math
import warnings
from collections.abc import Callable

import brevitas.nn as qnn
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bitwright.errors import InputError, LoweringError
from bitwright.quantize import (
    BinaryActivation,
    BinaryInput,
    BinaryLinear,
    RoundingTieWarning,
    TernaryLinear,
    integer_input,
    integer_linear,
    lower,
    reference_integers,
)

X = torch.rand(4, 6)


def _after(*layers: nn.Module) -> nn.Module:
    return nn.Sequential(BinaryInput(), BinaryLinear(6, 6), *layers)


def _poisoned(value: float) -> nn.Module:
    module = _after(BinaryActivation(), BinaryLinear(6, 2))
    with torch.no_grad():
        module[3].weight[1, 2] = value  # type: ignore[index, operator]
    return module


class _Forward(nn.Module):
    """Layers under fixed names with any forward function over them."""

    def __init__(self, forward: Callable[["_Forward", Tensor], object]) -> None:
        super().__init__()
        self.quantize, self.fc, self.act, self.fc2 = (
            BinaryInput(),
            BinaryLinear(6, 6),
            BinaryActivation(),
            BinaryLinear(6, 6),
        )
        self.function = forward

    def forward(self, x: Tensor) -> object:
        return self.function(self, x)


def _branch(m: _Forward, x: Tensor) -> Tensor:
    return m.fc(m.quantize(x)) if x.sum() > 0 else m.fc2(m.quantize(x))  # type: ignore[no-any-return]


REFUSED = {
    "float linear": (_after(BinaryActivation(), nn.Linear(6, 2)), "'3'", "post_training_quantize"),
    "unknown layer": (_after(nn.Softmax(-1)), "'2'", "Softmax has no exact integer form"),
    "float convolution": (_after(BinaryActivation(), nn.Unflatten(1, (1, 6)), nn.Conv1d(1, 1, 3)), "'4'", "real"),
    "pool without channels": (_after(nn.MaxPool1d(2)), "'2'", "give it channels"),
    "no quantizer at the input": (nn.Sequential(BinaryLinear(6, 2)), "'0'", "put a quantizer before it"),
    "batch norm at the input": (nn.Sequential(nn.BatchNorm1d(6), BinaryInput()), "'0'", "put a quantizer before it"),
    "unquantized activation": (_after(nn.ReLU(), BinaryLinear(6, 2)), "'3'", "directly before it"),
    "channels of different scale": (
        nn.Sequential(BinaryInput(), BinaryLinear(6, 6, scale="channel"), BinaryLinear(6, 2)),
        "'2'",
        "directly before it",
    ),
    "ends in relu": (_after(nn.ReLU()), "'2'", "leave it out of the module"),
    "not a number": (_poisoned(math.nan), "'3'", "its weight holds NaN or infinity"),
    "infinite": (_poisoned(math.inf), "'3'", "its weight holds NaN or infinity"),
    "negative variance": (_after(nn.BatchNorm1d(6)), "'2'", "running variance below 0"),
    "batch statistics": (_after(nn.BatchNorm1d(6, track_running_stats=False)), "'2'", "track_running_stats"),
    "wide activations": (
        nn.Sequential(integer_input(8), TernaryLinear(6, 6), TernaryLinear(6, 2)),
        "'2'",
        "more than 8",
    ),
    "falling leak": (_after(nn.LeakyReLU(-0.5), BinaryActivation(), BinaryLinear(6, 2)), "'2'", "not monotone"),
    "branch on data": (_Forward(_branch), "'_Forward'", "fixed order"),
    "residual of other scales": (
        _Forward(lambda m, x: m.fc(m.quantize(x)) * 0.3 + m.quantize(x)),
        "'add'",
        "no multiples of a common step",
    ),
    "concatenation": (
        _Forward(lambda m, x: m.fc2(torch.cat([m.fc(m.quantize(x)), m.fc2(m.quantize(x))], 0))),
        "'cat'",
        "along axis 0",
    ),
    "stacked constant": (
        _Forward(lambda m, x: m.fc(m.quantize(x)) + torch.stack([m.fc2(m.quantize(x))])[0]),
        "'stack'",
        "several tensors",
    ),
    "batch size": (_Forward(lambda m, x: m.fc(m.quantize(x)) / x.shape[0]), "'truediv'", "size of a batch"),
    "unknown function": (_Forward(lambda m, x: torch.sin(m.fc(m.quantize(x)))), "'sin'", "sin"),
    "square": (_Forward(lambda m, x: (lambda y: y * y)(m.fc(m.quantize(x)))), "'mul'", "combines 2 tensors"),
    "transpose": (_Forward(lambda m, x: m.fc(m.quantize(x)).t()), "'t'", "no exact integer form"),
    "batch folded in": (_Forward(lambda m, x: m.fc(m.quantize(x)).reshape(-1, 3)), "'reshape'", "batch of frames"),
    "in place": (
        _Forward(lambda m, x: (lambda y: (m.act(y.relu_()), y)[1])(m.fc(m.quantize(x)))),
        "'relu_'",
        "overwrites",
    ),
    "returns a dict": (_Forward(lambda m, x: {"y": m.fc(m.quantize(x))}), "'_Forward'", "return a tensor"),
    "returns the input": (_Forward(lambda m, x: x), "'x'", "quantize it"),
    "only a quantizer": (nn.Sequential(BinaryInput()), "'Sequential'", "add a linear layer"),
    "the same twice": (_Forward(lambda m, x: (lambda y: (y, y * 2))(m.fc(m.quantize(x)))), "'mul'", "once"),
    "random": (_Forward(lambda m, x: torch.rand_like(m.fc(m.quantize(x)))), "'rand_like'", "no exact integer form"),
    "active dropout": (
        _Forward(lambda m, x: nn.functional.dropout(m.fc(m.quantize(x)), 0.5, True)),
        "'dropout'",
        "no exact integer form",
    ),
    "arg-max of unequal scales": (
        _Forward(lambda m, x: (m.fc(m.quantize(x)) * torch.arange(1.0, 7.0)).argmax(1)),
        "'argmax'",
        "different scales",
    ),
    "arg-max over the batch": (_Forward(lambda m, x: m.fc(m.quantize(x)).argmax()), "'argmax'", "last axis"),
    "values of a top-k": (_Forward(lambda m, x: m.fc(m.quantize(x)).topk(2)[0]), "'getitem'", "indices"),
    "weights that Brevitas leaves real": (
        nn.Sequential(BinaryInput(), qnn.QuantLinear(6, 2, weight_quant=None)),
        "'1'",
        "not quantized",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    module, layer, words = REFUSED[case]
    if case == "negative variance":
        module[2].running_var.fill_(-1.0)  # type: ignore[index, operator]
    with pytest.raises(LoweringError) as caught:
        lower(module, X)
    message = str(caught.value)
    assert layer in message
    assert words in message
    assert "\n" not in message
    assert caught.value.fix


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (torch.rand(4, 7), "shape (4, 7)"),
        (torch.rand(6), "give a batch"),
        (torch.rand(0, 6), "give a batch"),
        (torch.zeros(4, 6, dtype=torch.int64), "uint8 or int8"),
        (torch.full((4, 6), math.nan), "NaN or infinity"),
    ],
)
def test_bad_examples(x: Tensor, words: str) -> None:
    with pytest.raises(LoweringError) as caught:
        lower(_after(), x)
    assert words in str(caught.value)


def test_not_a_module() -> None:
    with pytest.raises(LoweringError, match="give lower\\(\\) the module itself"):
        lower("model", X)  # type: ignore[arg-type]


def test_two_inputs() -> None:
    class Two(nn.Module):
        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            return x + y

    with pytest.raises(LoweringError, match="takes 2 inputs"):
        lower(Two(), X)


def test_reference_refuses_another_network() -> None:
    network = lower(_after(), X)
    with pytest.raises(InputError, match="lower it again"):
        reference_integers(nn.Sequential(BinaryInput(), BinaryLinear(5, 2)), torch.rand(4, 5), network)


def test_a_layer_that_is_not_what_it_seems_is_caught() -> None:

    module = _after(BinaryActivation(), BinaryLinear(6, 2))

    def double(_: nn.Module, __: object, out: Tensor) -> Tensor:
        return out * 2

    module[1].register_forward_hook(double)  # type: ignore[index]
    with pytest.raises(LoweringError, match=r"layer '1'.*its integers mean"):
        lower(module, X)


def test_ties_are_reported() -> None:
    """Six inputs of 1/3 and weights of either sign: PyTorch's sum is 0 or a rounding error, sign tells them apart."""
    module = nn.Sequential(integer_input(2), integer_linear(8, 1, 2), BinaryActivation(), BinaryLinear(1, 1))
    with torch.no_grad():
        module[1].weight.copy_(torch.tensor([[1.0, 1, 1, -1, -1, -1, 1, -1]]) * 0.1)  # type: ignore[operator, union-attr]
    torch.manual_seed(0)
    x = torch.randint(0, 4, (2000, 8)) / 3
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        network = lower(module, x)
    ties = [one.message for one in caught if isinstance(one.message, RoundingTieWarning)]
    assert ties
    assert {one.filename for one in caught if one.message in ties} == {__file__}
    assert all(tie.layer == "2" and tie.channel == 0 and tie.frame == min(tie.frames) for tie in ties)
    sums = network.trace(network.quantize(x.numpy()))["1"]
    assert all(int(sums[frame, 0]) == 0 for tie in ties for frame in tie.frames)
    assert np.array_equal(network.trace(network.quantize(x.numpy()))["2"], np.where(sums >= 0, 1, -1))


def test_no_tie_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lower(_after(BinaryActivation(), BinaryLinear(6, 2)), X)


def test_weights_that_float32_rounds_otherwise_are_reported() -> None:
    module = nn.Sequential(integer_input(4), integer_linear(2, 1, 4, per_channel=False))
    weight = module[1].weight  # type: ignore[union-attr]
    rng = np.random.default_rng(0)
    for _ in range(20000):
        top = float(np.float32(rng.uniform(0.5, 1)))
        half = np.float32(np.float32(top) / np.float32(7) * np.float32(2.5))
        if round(float(half) / (top / 7)) != round(float(half / np.float32(np.float32(top) / np.float32(7)))):
            break
    with torch.no_grad():
        weight.copy_(torch.tensor([[top, float(half)]]))  # type: ignore[operator, union-attr]
    with pytest.warns(RoundingTieWarning, match=r"layer '1'.*float32"):
        lower(module, torch.ones(3, 2))
