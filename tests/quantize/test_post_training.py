import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bitwright.errors import InputError, LoweringError
from bitwright.quantize import lower, post_training_quantize, reference_integers
from tests.quantize.random_modules import random_batch_norm, randomize_batch_norms_


class _FloatNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(20, 16)
        self.norm = random_batch_norm(16, np.random.default_rng(0))
        self.hidden = nn.Linear(16, 12, bias=False)
        self.last = nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.norm(self.first(x.flatten(1))))
        return self.last(torch.tanh(self.hidden(x)))


@pytest.mark.parametrize(
    ("weight_bits", "activation_bits", "per_channel"),
    [(8, 8, True), (8, 8, False), (4, 4, True), (2, 3, True), (1, 1, True)],
)
def test_quantized_copy_lowers_exactly(weight_bits: int, activation_bits: int, per_channel: bool) -> None:
    torch.manual_seed(3)
    model, x = _FloatNet().eval(), torch.rand(128, 4, 5)
    quantized = post_training_quantize(model, x, weight_bits, activation_bits, per_channel)
    network = lower(quantized, x[:16])
    assert np.array_equal(network.run(network.quantize(x.numpy())), reference_integers(quantized, x, network))
    assert type(model.first) is nn.Linear
    if weight_bits == 8:
        wrong = network.predict(x.numpy()).argmax(1) != model(x).argmax(1).numpy()  # type: ignore[union-attr]
        assert wrong.mean() < 0.05


class _FloatConvNet(nn.Module):
    """Depthwise and pointwise convolutions, pools in front of and behind ReLU, an average at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.depthwise, self.pointwise = nn.Conv2d(8, 8, 3, stride=2, groups=8), nn.Conv2d(8, 12, 1)
        self.pool, self.last = nn.AdaptiveAvgPool2d(1), nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.norm(self.first(x))), 2)
        x = F.relu(self.pointwise(self.depthwise(x)))
        return self.last(self.pool(x).flatten(1))


@pytest.mark.filterwarnings("ignore::bitwright.quantize.RoundingTieWarning")
@pytest.mark.parametrize(("weight_bits", "activation_bits"), [(8, 8), (4, 4), (2, 2)])
def test_convolutions(weight_bits: int, activation_bits: int) -> None:
    torch.manual_seed(5)
    model, x = randomize_batch_norms_(_FloatConvNet(), np.random.default_rng(0)).eval(), torch.rand(64, 3, 12, 12)
    quantized = post_training_quantize(model, x, weight_bits, activation_bits)
    network = lower(quantized, x[:8])
    assert np.array_equal(network.run(network.quantize(x.numpy())), reference_integers(quantized, x, network))
    assert [operation.name for operation in network.operations if operation.kind == "SumPool"] == ["pool.pool"]
    if weight_bits == 8:
        same = network.predict(x.numpy()).argmax(1) == model(x).argmax(1).numpy()
        assert same.mean() > 0.95


def test_signals() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv1d(2, 4, 5, padding=2), nn.ReLU(), nn.AvgPool1d(4), nn.Flatten(), nn.Linear(20, 3))
    x = torch.randn(40, 2, 20)
    quantized = post_training_quantize(model, x, 6, 6)
    network = lower(quantized, x[:8])
    assert np.array_equal(network.run(network.quantize(x.numpy())), reference_integers(quantized, x, network))


def test_a_single_linear() -> None:
    torch.manual_seed(0)
    x = torch.randn(50, 6)
    quantized = post_training_quantize(nn.Linear(6, 3), x, 4, 4)
    network = lower(quantized, x)
    assert network.input_spec.dtype.lo == -7
    assert np.array_equal(network.run(network.quantize(x.numpy())), reference_integers(quantized, x, network))


def test_nothing_to_quantize() -> None:
    with pytest.raises(InputError, match=r"no nn\.Linear"):
        post_training_quantize(nn.Sequential(nn.ReLU()), torch.rand(3, 3), 8, 8)
    with pytest.raises(InputError, match=r"no nn\.Linear, Conv1d or Conv2d"):
        post_training_quantize(nn.Sequential(nn.AvgPool2d(2)), torch.rand(3, 3, 4, 4), 8, 8)
    with pytest.raises(InputError, match="finite inputs"):
        post_training_quantize(nn.Linear(3, 3), torch.full((3, 3), float("nan")), 8, 8)


def test_a_layer_that_is_never_called() -> None:
    model = _FloatNet()
    model.spare = nn.Linear(3, 3)
    with pytest.raises(LoweringError, match="'spare'"):
        post_training_quantize(model, torch.rand(8, 4, 5), 8, 8)
