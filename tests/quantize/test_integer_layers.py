import numpy as np
import pytest
import torch

from bitwright.errors import InputError
from bitwright.quantize import integer_activation, integer_input, integer_linear


@pytest.mark.parametrize("bits", range(1, 9))
@pytest.mark.parametrize("per_channel", [True, False])
def test_integer_weights_fill_their_range(bits: int, per_channel: bool) -> None:
    torch.manual_seed(bits)
    layer = integer_linear(200, 5, bits, per_channel=per_channel, bias=True)
    weight = layer.quant_weight()  # type: ignore[operator]
    top = 1 if bits == 1 else (1 << (bits - 1)) - 1
    integers = weight.int()
    assert int(integers.max()) == top
    assert int(integers.min()) == -top
    assert weight.scale.numel() == (5 if per_channel else 1)
    if bits == 1:
        magnitude = layer.weight.abs()  # type: ignore[operator, union-attr]
        mean = magnitude.mean(dim=1) if per_channel else magnitude.mean()
        assert torch.allclose(weight.scale.reshape(mean.shape), mean)
        assert set(integers.unique().tolist()) == {-1, 1}


@pytest.mark.parametrize("bits", range(1, 9))
def test_integer_inputs_round_to_their_grid(bits: int) -> None:
    x = torch.linspace(-2, 2, 4001, dtype=torch.float64) + 2**-30 * np.pi  # no ties
    unsigned = integer_input(bits).double()(x)
    steps = (1 << bits) - 1
    assert np.array_equal(np.rint(unsigned.numpy() * steps), np.rint(np.clip(x.numpy(), 0, 1) * steps))
    signed = integer_input(bits, signed=True, max_value=1.5).double()(x)
    if bits == 1:
        assert torch.equal(signed, torch.where(x >= 0, 1.0, -1.0).double())
    else:
        top = (1 << (bits - 1)) - 1
        assert float(signed.max()) == pytest.approx(1.5)
        assert float(signed.min()) == pytest.approx(-1.5)
        assert len(signed.unique()) == 2 * top + 1


@pytest.mark.parametrize("bits", range(1, 9))
@pytest.mark.parametrize("signed", [True, False])
def test_integer_activations_have_their_levels_and_learn_their_scale(bits: int, signed: bool) -> None:
    layer = integer_activation(bits, signed, max_value=2.0)
    x = torch.linspace(-5, 5, 5001, requires_grad=True)
    y = layer(x)
    levels = 2 if bits == 1 else (1 << bits) - 1 if signed else 1 << bits
    assert len(y.unique()) == levels
    y.sum().backward()
    assert x.grad is not None
    assert float(x.grad.abs().sum()) > 0
    learned = [parameter for parameter in layer.parameters() if parameter.grad is not None]
    assert len(learned) == (0 if signed and bits == 1 else 1)


@pytest.mark.parametrize("make", [lambda bits: integer_linear(3, 2, bits), integer_activation, integer_input])
@pytest.mark.parametrize("bits", [0, 9, 2.0, True])
def test_bits_outside_1_to_8(make: object, bits: object) -> None:
    with pytest.raises(InputError, match="1 to 8 bits"):
        make(bits)  # type: ignore[operator]


def test_ranges_must_be_positive() -> None:
    with pytest.raises(InputError, match="positive, finite"):
        integer_input(8, max_value=0.0)
    with pytest.raises(InputError, match="positive, finite"):
        integer_activation(8, max_value=float("inf"))
