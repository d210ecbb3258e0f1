import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bitwright.errors import InputError, LoweringError
from bitwright.quantize import lower, post_training_quantize, reference_integers
from tests.quantize.random_modules import random_batch_norm


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
    with pytest.raises(InputError, match="finite inputs"):
        post_training_quantize(nn.Linear(3, 3), torch.full((3, 3), float("nan")), 8, 8)


def test_a_layer_that_is_never_called() -> None:
    model = _FloatNet()
    model.spare = nn.Linear(3, 3)
    with pytest.raises(LoweringError, match="'spare'"):
        post_training_quantize(model, torch.rand(8, 4, 5), 8, 8)
