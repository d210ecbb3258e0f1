import copy

import pytest
import torch

from bitwright.errors import InputError
from bitwright.quantize import BinaryActivation, BinaryInput, BinaryLinear, TernaryLinear, clip_latent_weights_


def test_binary_activation_values_and_gradient() -> None:
    x = torch.tensor([-2.0, -1.0, -0.5, -0.0, 0.0, 0.5, 1.0, 1.5], requires_grad=True)
    y = BinaryActivation()(x)
    assert y.tolist() == [-1, -1, -1, 1, 1, 1, 1, 1]
    y.backward(torch.arange(1.0, 9.0))
    assert x.grad is not None
    assert x.grad.tolist() == [0, 2, 3, 4, 5, 6, 7, 0]


def test_binary_linear_is_binarynet() -> None:
    layer = BinaryLinear(3, 2, bias=True)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[0.3, -0.2, 0.0], [-5.0, 1.0, -1e-9]]))
        assert layer.bias is not None
        layer.bias.copy_(torch.tensor([0.5, -0.25]))
    y = layer(torch.tensor([[1.0, 2.0, 4.0]]))
    assert y.tolist() == [[1 - 2 + 4 + 0.5, -1 + 2 - 4 - 0.25]]
    y.sum().backward()
    assert layer.weight.grad is not None
    assert layer.weight.grad.tolist() == [[1, 2, 4], [0, 2, 4]]


def test_xnor_scale_is_the_mean_magnitude_of_a_channel() -> None:
    layer = BinaryLinear(4, 2, scale="channel")
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1.0, -1.0, 0.5, -0.5], [0.25, 0.25, 0.25, -0.25]]))
    assert layer(torch.ones(1, 4)).tolist() == [[0.0, 0.5]]
    scale = layer.weight_scale()
    assert scale is not None
    assert scale.tolist() == [0.75, 0.25]


def test_ternary_linear_is_twn() -> None:
    weight = torch.tensor([[1.0, -1.0, 0.5, 0.0], [0.1, -0.1, 0.01, 0.0]])
    expected = {
        None: ([[1, -1, 1, 0], [0, 0, 0, 0]], None),
        "tensor": ([[1, -1, 1, 0], [0, 0, 0, 0]], 2.5 / 3),
        "channel": ([[1, -1, 1, 0], [1, -1, 0, 0]], [2.5 / 3, 0.1]),
    }
    for scale, (values, alpha) in expected.items():
        layer = TernaryLinear(4, 2, scale=scale).double()  # type: ignore[arg-type]
        with torch.no_grad():
            layer.weight.copy_(weight)
        assert layer.quantized_weight().tolist() == values
        found = layer.weight_scale()
        if alpha is None:
            assert found is None
        else:
            assert found is not None
            assert torch.allclose(found, torch.tensor(alpha, dtype=torch.float64), rtol=1e-6)


def test_clip_latent_weights() -> None:
    model = torch.nn.Sequential(BinaryLinear(4, 3), torch.nn.Linear(3, 3), TernaryLinear(3, 2))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(100)
    untouched = copy.deepcopy(model[1])
    assert clip_latent_weights_(model) is model
    assert float(model[0].weight.detach().abs().max()) <= 1  # type: ignore[operator]
    assert float(model[2].weight.detach().abs().max()) <= 1  # type: ignore[operator]
    assert torch.equal(model[1].weight, untouched.weight)  # type: ignore[arg-type]


def test_binary_input() -> None:
    assert BinaryInput()(torch.tensor([0.0, 0.49, 0.5, 1.0])).tolist() == [-1, -1, 1, 1]
    assert BinaryInput(0.0)(torch.tensor([-0.1, 0.0])).tolist() == [-1, 1]


@pytest.mark.parametrize("layer", [BinaryLinear, TernaryLinear])
def test_unknown_scale(layer: type) -> None:
    with pytest.raises(InputError, match="use None"):
        layer(3, 2, scale="row")


def test_a_tiny_net_learns_a_rule() -> None:
    torch.manual_seed(0)
    x = torch.rand(512, 8)
    target = (x[:, 0] + x[:, 1] > x[:, 2] + x[:, 3]).long()
    model = torch.nn.Sequential(
        BinaryInput(), BinaryLinear(8, 32), torch.nn.BatchNorm1d(32), BinaryActivation(), TernaryLinear(32, 2)
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(60):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x) / 4, target).backward()
        optimizer.step()
        clip_latent_weights_(model)
    model.eval()
    assert float((model(x).argmax(1) == target).float().mean()) > 0.75
