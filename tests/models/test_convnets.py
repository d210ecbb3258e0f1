"""The convolutional networks: shapes, sizes, reproducible weights, and exact lowering at each precision."""

import warnings

import numpy as np
import pytest
import torch
from torch import nn

from bitwright.errors import CheckpointError, InputError
from bitwright.models import (
    CONV_TOPOLOGIES,
    NETWORKS,
    CheckpointInfo,
    ConvNet,
    ResNet8,
    create,
    data_for,
    input_shape,
    load_checkpoint,
    random_network,
    save_checkpoint,
    synthetic_inputs,
)
from bitwright.models.exact_scores import make_scores_exact_
from bitwright.quantize import BinaryConv2d, RoundingTieWarning, lower, reference_integers

CONVOLUTIONAL = (*CONV_TOPOLOGIES, "resnet8")
LOWERED = [
    ("cnn", "w1a1"), ("cnn", "w2a2"), ("cnn", "ternary"), ("cnn", "w8a8"),
    ("cnv", "w1a1"),
    ("tinyconv", "w1a1"), ("tinyconv", "w4a4"),
    ("dscnn", "w8a8"), ("dscnn", "w1a1"),
    ("conv1d", "w1a1"), ("conv1d", "w4a4"),
    ("resnet8", "w4a4"), ("resnet8", "w2a2"),
]  # fmt: skip


@pytest.mark.parametrize("name", CONVOLUTIONAL)
@pytest.mark.parametrize("precision", ["float", "w2a2"])
def test_shapes(name: str, precision: str) -> None:
    model, x = create(name, precision).eval(), synthetic_inputs(name, 3)
    assert x.shape == (3, *input_shape(name))
    with torch.no_grad():
        scores = model(x)
        assert torch.equal(model(x.flatten(1)), scores)
    assert scores.shape == (3, model.sizes[-1])
    assert model.sizes[0] == int(np.prod(input_shape(name)))


WEIGHTS = {
    "cnn": 1 * 9 * 16 + 16 * 9 * 32 + 32 * 9 * 64 + 576 * 10,
    "cnv": 1_542_848,  # 3*9*64, 64*9*64, 64*9*128, 128*9*128, 128*9*256, 256*9*256, 256*512, 512*512, 512*10
    "tinyconv": 3 * 25 * 32 + 32 * 25 * 32 + 32 * 25 * 64 + 1024 * 10,
    "dscnn": 40 * 64 + 4 * (9 * 64 + 64 * 64) + 64 * 12,
    "conv1d": 5 * 25 + 2 * 3 * 25 * 25 + 125 * 10,
    "resnet8": 432 + 2 * 2304 + 4608 + 9216 + 512 + 18432 + 36864 + 2048 + 640,
}


@pytest.mark.parametrize("name", CONVOLUTIONAL)
def test_sizes(name: str) -> None:
    layers = create(name, "float").modules()
    sums = [layer for layer in layers if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Linear)]
    assert sum(layer.weight.numel() for layer in sums) == WEIGHTS[name]


@pytest.mark.filterwarnings("ignore::bitwright.quantize.RoundingTieWarning")
@pytest.mark.parametrize(("name", "precision"), LOWERED)
def test_lowers_exactly(name: str, precision: str) -> None:
    model, x = random_network(name, precision), synthetic_inputs(name, 6, seed=1)
    network = lower(model, x[:2])
    integers = network.run(network.quantize(x.numpy()))
    assert np.array_equal(integers, reference_integers(model, x, network))
    assert len(np.unique(integers)) > 10
    assert network.input_spec.shape == (*input_shape(name)[1:], input_shape(name)[0])
    assert not {operation.kind for operation in network.operations} & {"Permute", "Reshape"}


def test_cnv_is_finns() -> None:
    network = lower(random_network("cnv", "w1a1"), synthetic_inputs("cnv", 1))
    assert network.weight_bits == WEIGHTS["cnv"]
    # Cycles of FINN's folding (32,400 for the first layer and so on) times its PE and SIMD.
    macs = [network.macs(operation) for operation in network.operations if operation.kind in ("Conv", "Linear")]
    assert macs == [
        30 * 30 * 27 * 64, 28 * 28 * 576 * 64, 12 * 12 * 576 * 128, 10 * 10 * 1152 * 128,
        3 * 3 * 1152 * 256, 2304 * 256, 256 * 512, 512 * 512, 512 * 10,
    ]  # fmt: skip
    assert network.operations[0].attributes()["weight_type"].width == 1


def test_flat_rows_cost_a_reshape_alone() -> None:
    network = lower(random_network("cnn", "w1a1"), synthetic_inputs("cnn", 2).flatten(1))
    assert network.input_spec.shape == (784,)
    assert [operation.kind for operation in network.operations][:2] == ["Reshape", "Conv"]


def test_one_bit_networks_pad_with_a_bit() -> None:
    layers = [layer for layer in create("tinyconv", "w1a1").modules() if isinstance(layer, BinaryConv2d)]
    assert [layer.window.pad_value for layer in layers] == [0.0, -1.0, -1.0]
    assert create("dscnn", "w1a1").stages[0].value == 0.0  # type: ignore[union-attr, index]


def test_same_seed_same_weights() -> None:
    first, second, other = (create("resnet8", "w4a4", seed).linear.weight for seed in (3, 3, 4))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


@pytest.mark.parametrize(("name", "precision"), [("cnn", "w1a1"), ("cnn", "w2a2"), ("resnet8", "w4a4")])
def test_checkpoints(tmp_path, name: str, precision: str) -> None:
    model, x = random_network(name, precision), synthetic_inputs(name, 3)
    save_checkpoint(tmp_path / "net", model, CheckpointInfo(name, precision, 0, 1, 0.5, 0.5, "synthetic"))
    loaded = load_checkpoint(tmp_path / "net", name, precision).model
    assert type(loaded) in (ConvNet, ResNet8)
    assert torch.equal(loaded(x), model(x))
    if precision == "w1a1":
        assert (tmp_path / "net").stat().st_size < WEIGHTS[name] / 8 + 12_000
    with pytest.raises(CheckpointError, match=f"holds topology {name}"):
        load_checkpoint(tmp_path / "net", "tfc", precision)


@pytest.mark.parametrize("precision", ["w2a2", "w8a8", "w1a1"])
def test_scores_are_exact_in_floats(precision: str) -> None:
    model, x = make_scores_exact_(random_network("cnn", precision)), synthetic_inputs("cnn", 20, seed=2)
    with torch.no_grad():
        single = model(x).numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RoundingTieWarning)
        network = lower(model, x[:4])
    assert np.array_equal(network.predict(x.numpy()), single.astype(np.float64))


def test_mistakes() -> None:
    with pytest.raises(InputError, match="unknown network 'vgg'; choose one of digits"):
        create("vgg", "w1a1")
    with pytest.raises(InputError, match="unknown network"):
        input_shape("vgg")
    with pytest.raises(InputError, match="use w2a2, w4a4 or w8a8"):
        create("resnet8", "w1a1")
    with pytest.raises(InputError, match=r"no data set for 'cnv' here; .*cnn"):
        data_for("cnv")
    assert set(CONVOLUTIONAL) < set(NETWORKS)


def test_synthetic_inputs_lie_in_the_range_and_are_the_same_everywhere() -> None:
    x = synthetic_inputs("cnv", 4)
    assert (x >= 0).all()
    assert (x <= 1).all()
    assert torch.equal(x, synthetic_inputs("cnv", 4))
    assert torch.equal(x[:2], synthetic_inputs("cnv", 2))
    assert not torch.equal(x, synthetic_inputs("cnv", 4, seed=1))
    assert synthetic_inputs("dscnn", 4).min() < 0
