"""Random networks: the integer network is PyTorch, number by number."""

import copy
import warnings

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from bitwright.quantize import RoundingTieWarning, lower, reference_integers
from tests.quantize.random_modules import random_mlp


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_random_networks_equal_pytorch(seed: int) -> None:
    drawn = random_mlp(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RoundingTieWarning)
        network = lower(drawn.module, drawn.x[:4])
        expected = reference_integers(drawn.module, drawn.x, network)
    assert np.array_equal(network.run(network.quantize(drawn.x.numpy())), expected)


def _hooked(module: nn.Module, x: Tensor) -> dict[str, Tensor]:
    """The output of every layer in float64, by PyTorch alone."""
    seen: dict[str, Tensor] = {}
    double = copy.deepcopy(module).double().eval()
    for name, layer in double.named_children():
        layer.register_forward_hook(lambda _, __, out, name=name: seen.__setitem__(name, out.detach()))
    double(x.double())
    return seen


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_every_tensor_between_is_what_the_layer_gave(seed: int) -> None:
    drawn = random_mlp(seed)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        network = lower(drawn.module, drawn.x)
    tied = {frame for one in caught if isinstance(one.message, RoundingTieWarning) for frame in one.message.frames}
    frames = [frame for frame in range(len(drawn.x)) if frame not in tied]
    if not frames:
        return
    seen = _hooked(drawn.module, drawn.x[frames])
    tensors = network.trace(network.quantize(drawn.x[frames].numpy()))
    for operation in network.operations:
        if operation.kind in ("Threshold", "Requant"):
            layer = drawn.module.get_submodule(operation.name)
            scale = 1.0 if not hasattr(layer, "act_quant") else layer.act_quant.scale().double().detach().numpy()  # type: ignore[union-attr, operator]
            assert np.array_equal(tensors[operation.output], np.rint(seen[operation.name].numpy() / scale))


def test_lowering_leaves_the_module_alone() -> None:
    drawn = random_mlp(7)
    drawn.module.train()
    before = {name: value.clone() for name, value in drawn.module.state_dict().items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RoundingTieWarning)
        lower(drawn.module, drawn.x)
    assert drawn.module.training
    after = drawn.module.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
