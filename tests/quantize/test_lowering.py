"""What becomes of each kind of layer, in a user's own classes."""

import subprocess
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bitwright.graph import BIPOLAR, TERNARY, IntType, Network
from bitwright.quantize import (
    BinaryActivation,
    BinaryInput,
    BinaryLinear,
    TernaryLinear,
    integer_activation,
    integer_input,
    integer_linear,
    lower,
    reference_integers,
)
from tests.quantize.random_modules import random_batch_norm


def _check(module: nn.Module, x: Tensor) -> Network:
    network = lower(module, x[:8])
    expected = reference_integers(module, x, network)
    got = network.run(network.quantize(x.numpy()))
    assert np.array_equal(got, expected)  # type: ignore[arg-type]
    return network


def _kinds(network: Network) -> list[tuple[str, str]]:
    return [(operation.name, operation.kind) for operation in network.operations]


class _Block(nn.Module):
    def __init__(self, fan_in: int, fan_out: int, seed: int) -> None:
        super().__init__()
        self.linear = BinaryLinear(fan_in, fan_out, bias=True, scale="channel")
        self.norm = random_batch_norm(fan_out, np.random.default_rng(seed))
        self.act = BinaryActivation()

    def forward(self, x: Tensor) -> Tensor:
        x = F.dropout(self.norm(self.linear(x)), 0.5, self.training)
        return self.act(x)


class _OwnNet(nn.Module):
    """Nested own modules, a list of them, a view by size, and arithmetic on the scores."""

    def __init__(self) -> None:
        super().__init__()
        self.quantize = BinaryInput(0.5)
        self.blocks = nn.ModuleList([_Block(36, 20, 1), _Block(20, 12, 2)])
        self.drop = nn.Dropout(0.3)
        self.last = TernaryLinear(12, 5)
        self.gain = nn.Parameter(torch.tensor(0.7))

    def forward(self, x: Tensor) -> Tensor:
        x = self.quantize(x.view(x.size(0), -1))
        for block in self.blocks:
            x = block(x)
        return self.last(self.drop(x)) * self.gain - 0.25


def test_a_users_own_class() -> None:
    torch.manual_seed(0)
    x = torch.rand(200, 1, 6, 6)
    network = _check(_OwnNet(), x)
    assert _kinds(network) == [
        ("flatten", "Flatten"),
        ("blocks.0.linear", "Linear"),
        ("blocks.0.act", "Threshold"),
        ("blocks.1.linear", "Linear"),
        ("blocks.1.act", "Threshold"),
        ("last", "Linear"),
    ]
    assert network.input_spec.shape == (1, 6, 6)
    assert network.input_spec.dtype == BIPOLAR
    scale = network.output_scales["last"]
    assert scale.scale == float(torch.tensor(0.7))
    assert scale.offset == -0.25
    golden = network.golden
    assert golden is not None
    assert len(golden.inputs) == 8
    assert np.array_equal(network.run(golden.inputs), golden.outputs[0])  # type: ignore[arg-type]


@pytest.mark.parametrize("gamma", [1.5, -1.5, 0.0])
@pytest.mark.parametrize("activation_bits", [1, 2, 6])
def test_batch_norm_with_any_gamma(gamma: float, activation_bits: int) -> None:
    torch.manual_seed(1)
    norm = random_batch_norm(9, np.random.default_rng(5))
    with torch.no_grad():
        norm.weight.fill_(gamma)
    activation = BinaryActivation() if activation_bits == 1 else integer_activation(activation_bits, max_value=2.0)
    module = nn.Sequential(BinaryInput(0.0), BinaryLinear(15, 9), norm, activation, TernaryLinear(9, 4))
    network = _check(module, torch.randn(300, 15))
    step = network.operations[1]
    tensors = network.trace(network.quantize(torch.randn(300, 15).numpy()))
    if gamma == 0:
        assert all(len(np.unique(tensors[step.output][:, channel])) == 1 for channel in range(9))
    else:
        assert len(np.unique(tensors[step.output])) > 1
    if step.kind == "Threshold":
        assert bool(np.all(step.attributes()["ascending"])) == (gamma >= 0)


@pytest.mark.parametrize("bits", range(1, 9))
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("per_channel", [False, True])
def test_weights_and_activations_of_each_width(bits: int, signed: bool, per_channel: bool) -> None:
    torch.manual_seed(bits)
    module = nn.Sequential(
        integer_input(bits, signed=signed),
        integer_linear(20, 12, bits, per_channel=per_channel, bias=True),
        random_batch_norm(12, np.random.default_rng(bits)),
        integer_activation(bits, signed, max_value=2.0),
        integer_linear(12, 6, 9 - bits, per_channel=per_channel, bias=True),
    ).eval()
    network = _check(module, torch.rand(100, 20) * 2 - 0.7)
    expected = BIPOLAR if bits == 1 else TERNARY if bits == 2 else IntType.signed_bits(bits)
    assert network.operations[0].attributes()["weight_type"] == expected
    assert network.operations[1].kind == ("Threshold" if bits <= 4 else "Requant")
    assert network.spec("3").dtype.width == bits
    assert np.ndim(network.output_scales["4"].offset) == 1
    assert np.ndim(network.output_scales["4"].scale) == int(per_channel)


@pytest.mark.parametrize(
    "function", [F.relu, torch.relu, F.hardtanh, lambda x: x.clamp(-0.5, 0.9), torch.tanh, F.relu6]
)
def test_functions_between(function: object) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.input = integer_input(4)
            self.fc1 = integer_linear(10, 8, 4, bias=True)
            self.act = integer_activation(3, signed=True, max_value=1.0)
            self.fc2 = BinaryLinear(8, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc2(self.act(function(self.fc1(self.input(x)))))  # type: ignore[operator]

    torch.manual_seed(0)
    network = _check(Net(), torch.rand(100, 10))
    assert _kinds(network) == [("fc1", "Linear"), ("act", "Threshold"), ("fc2", "Linear")]


@pytest.mark.parametrize(
    "reshape",
    [
        lambda x: x.view(x.size(0), -1),
        lambda x: x.reshape((x.shape[0], 12)),
        lambda x: x.flatten(1),
        lambda x: torch.flatten(x, start_dim=1),
        lambda x: x.view(-1, 12),
        lambda x: x.view(x.size(0), x.size(1) * x.size(2)),
    ],
)
def test_ways_to_flatten(reshape: object) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.quantize, self.fc = BinaryInput(), BinaryLinear(12, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(reshape(self.quantize(x)))  # type: ignore[operator]

    network = _check(Net(), torch.rand(20, 3, 4))
    assert [kind for _, kind in _kinds(network)] == ["Flatten", "Linear"]


def test_uint8_pixels_as_they_are() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Flatten(), BinaryLinear(16, 8), nn.BatchNorm1d(8), BinaryActivation(), BinaryLinear(8, 3))
    x = torch.randint(0, 256, (100, 4, 4), dtype=torch.uint8)
    network = _check(module, x)
    assert network.input_quantizer is None
    assert network.input_spec.dtype == IntType.unsigned(8)


def test_uint8_pixels_that_forward_scales_and_quantizes_need_no_operation() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.quantize = integer_input(8)
            self.fc = TernaryLinear(16, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(self.quantize(x.flatten(1) / 255))

    network = _check(Net(), torch.randint(0, 256, (64, 4, 4), dtype=torch.uint8))
    assert _kinds(network) == [("flatten", "Flatten"), ("fc", "Linear")]


def test_int8_inputs() -> None:
    x = torch.randint(-128, 128, (50, 6), dtype=torch.int8)
    assert _check(nn.Sequential(TernaryLinear(6, 3, bias=True)), x).input_spec.dtype == IntType.signed_bits(8)


def test_a_single_layer_and_its_name() -> None:
    network = lower(BinaryLinear(6, 3), torch.zeros(2, 6, dtype=torch.uint8), name="tiny")
    assert network.name == "tiny"
    assert _kinds(network) == [("layer", "Linear")]


def test_a_layer_used_twice_gets_two_names() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.act, self.fc = BinaryActivation(), BinaryLinear(7, 7)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(self.act(self.fc(self.act(x))))

    network = _check(Twice(), torch.randn(50, 7))
    assert [name for name, _ in _kinds(network)] == ["fc", "act_1", "fc_1"]


def test_several_outputs() -> None:
    class Heads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.quantize, self.body = BinaryInput(), BinaryLinear(8, 6)
            self.act, self.one, self.two = BinaryActivation(), BinaryLinear(6, 2), TernaryLinear(6, 3)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            h = self.act(self.body(self.quantize(x)))
            return self.one(h), self.two(h), h

    torch.manual_seed(0)
    x = torch.rand(40, 8)
    module = Heads()
    network = lower(module, x)
    got, expected = network.run(network.quantize(x.numpy())), reference_integers(module, x, network)
    assert len(got) == 3
    assert all(np.array_equal(mine, theirs) for mine, theirs in zip(got, expected, strict=True))


class _Scorer(nn.Module):
    """Scores with one scale and a real bias, in front of arg-max or top-k."""

    def __init__(self, pick: str, bias: list[float] | None, gain: float) -> None:
        super().__init__()
        self.quantize, self.fc = BinaryInput(), BinaryLinear(9, 5, bias=bias is not None)
        self.pick, self.gain = pick, gain
        if bias is not None:
            with torch.no_grad():
                assert self.fc.bias is not None
                self.fc.bias.copy_(torch.tensor(bias))

    def forward(self, x: Tensor) -> Tensor:
        scores = self.fc(self.quantize(x)) * self.gain
        return scores.argmax(-1) if self.pick == "argmax" else torch.topk(scores, 3).indices


@pytest.mark.filterwarnings("ignore::bitwright.quantize.RoundingTieWarning")  # torch.topk orders equal scores freely
@pytest.mark.parametrize("pick", ["argmax", "topk"])
@pytest.mark.parametrize("gain", [0.3, -2.0])
@pytest.mark.parametrize("bias", [None, [0.0, 0.5, 0.5, -1.0, 2.25], [1.0, 1.0, -3.0, 1.0, 2.0]])
def test_arg_max_and_top_k_on_integers(pick: str, gain: float, bias: list[float] | None) -> None:
    torch.manual_seed(2)
    module, x = _Scorer(pick, bias, gain).eval(), torch.rand(400, 9)
    network = _check(module, x)
    assert network.operations[-1].kind == ("ArgMax" if pick == "argmax" else "TopK")
    assert (bias is None and gain > 0) == (len(network.operations) == 2)
    if pick == "argmax":
        with torch.no_grad():
            assert np.array_equal(network.predict(x.numpy()), module.double()(x.double()).numpy())


def test_a_trained_net_keeps_its_answers() -> None:
    torch.manual_seed(0)
    x = torch.rand(600, 12)
    target = (x[:, :6].sum(1) > x[:, 6:].sum(1)).long()
    module = nn.Sequential(
        integer_input(4),
        integer_linear(12, 24, 3),
        nn.BatchNorm1d(24),
        integer_activation(2, max_value=2.0),
        integer_linear(24, 2, 3, per_channel=False),
    )
    optimizer = torch.optim.Adam(module.parameters(), lr=0.02)
    for _ in range(80):
        optimizer.zero_grad()
        nn.functional.cross_entropy(module(x), target).backward()
        optimizer.step()
    network = _check(module, x)
    answers = np.asarray(network.predict(x.numpy())).argmax(1)
    assert (answers == target.numpy()).mean() > 0.85
    with torch.no_grad():
        assert np.array_equal(answers, module.eval().double()(x.double()).argmax(1).numpy())


def test_binary_networks_do_not_import_brevitas() -> None:
    code = (
        "import sys, torch; from bitwright.quantize import *\n"
        "m = torch.nn.Sequential(BinaryInput(), BinaryLinear(4, 3), BinaryActivation(), TernaryLinear(3, 2))\n"
        "lower(m, torch.rand(2, 4)); assert not any(name.startswith('brevitas') for name in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
