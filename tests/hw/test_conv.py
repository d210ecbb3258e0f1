from __future__ import annotations

import numpy as np
import pytest

from bitwright.errors import FoldingError
from bitwright.graph import BIPOLAR, TERNARY, Conv, IntType, TensorSpec
from bitwright.hw import Folding, LayerFolding, assemble
from tests.hw.check_core import chain, check_core
from tests.hw.operations import random_requant, random_threshold

U, S = IntType.unsigned, IntType.signed_bits


def random_conv(weight_type: IntType, shape: tuple[int, ...], *, seed: int = 0, **fields: object) -> Conv:
    """A layer "conv" from "x" to "a"."""
    rng = np.random.default_rng(seed)
    if weight_type == BIPOLAR:
        weights = rng.choice(np.array([-1, 1]), shape)
    else:
        weights = rng.integers(weight_type.lo, weight_type.hi + 1, shape)
    return Conv(name="conv", inputs=("x",), output="a", weights=weights, weight_type=weight_type, **fields)


@pytest.mark.parametrize(
    ("weights", "inputs", "folding"),
    [
        (BIPOLAR, BIPOLAR, (2, 2)),
        (TERNARY, BIPOLAR, (4, 4)),
        (S(3), U(2), (1, 1)),
        (BIPOLAR, S(3), (2, 4)),
        (S(8), U(8), (2, 2)),
    ],
    ids=str,
)
def test_every_kind_of_product(weights, inputs, folding):
    check_core(chain(TensorSpec((5, 6, 4), inputs), random_conv(weights, (4, 3, 3, 4))), {"conv": folding}, frames=3)


@pytest.mark.parametrize(
    "fields",
    [
        {"stride": (2, 2)},
        {"stride": (1, 3), "dilation": (2, 1)},
        {"padding": ((1, 1), (1, 1))},
        {"padding": ((2, 0), (0, 1)), "stride": (2, 1)},
        {"padding": ((1, 2), (2, 2)), "stride": (3, 2), "dilation": (1, 2)},
    ],
    ids=str,
)
def test_strides_paddings_and_dilations(fields):
    layer = random_conv(S(3), (2, 3, 2, 2), **fields)
    check_core(chain(TensorSpec((7, 6, 2), U(3)), layer), {"conv": (1, 2)}, frames=3)


@pytest.mark.parametrize("folding", [(4, 1), (4, 2), (2, 6), (4, 18), (1, 18)])
def test_foldings_up_to_whole_windows(folding):
    layer = random_conv(BIPOLAR, (4, 3, 3, 2), padding=((1, 1), (1, 1)), pad_value=-1)
    check_core(chain(TensorSpec((5, 5, 2), BIPOLAR), layer), {"conv": folding}, frames=3)


@pytest.mark.parametrize("pixels", [2, 4])
@pytest.mark.parametrize("simd", [2, 6])
def test_several_pixels_at_once(pixels, simd):
    layer = random_conv(S(2), (3, 3, 3, 2), padding=((1, 1), (1, 1)))
    network = chain(TensorSpec((4, 4, 2), U(2)), layer, random_threshold(U(2), 3, 20))
    design = assemble(network, Folding({"conv": LayerFolding(3, simd, pixels)}))
    assert design.stages[-1].lanes_out == 3 * pixels
    check_core(network, {"conv": (3, simd, pixels)}, frames=3)


@pytest.mark.parametrize("pixels", [1, 2])
@pytest.mark.parametrize("tail", ["none", "threshold", "steps", "requant"])
def test_zero_padding_of_bits_is_a_third_value(tail, pixels):
    layer = random_conv(BIPOLAR, (4, 3, 3, 3), padding=((1, 1), (1, 2)), bias=np.arange(4))
    tails = {
        "none": (),
        "threshold": (random_threshold(BIPOLAR, 4, 20),),
        "steps": (random_threshold(U(3), 4, 20),),
        "requant": (random_requant(S(6), 4),),
    }
    network = chain(TensorSpec((4, 3, 3), BIPOLAR), layer, *tails[tail])
    check_core(network, {"conv": (4, 3, pixels)}, frames=3)


@pytest.mark.parametrize(("groups", "folding"), [(4, (1, 1)), (4, (2, 3)), (4, (4, 9)), (2, (1, 2)), (2, (2, 6))])
def test_groups_and_depthwise(groups, folding):
    layer = random_conv(S(3), (4, 3, 3, 4 // groups), groups=groups, padding=((1, 1), (0, 0)), stride=(2, 1))
    check_core(chain(TensorSpec((5, 5, 4), S(4)), layer), {"conv": folding}, frames=3)


@pytest.mark.parametrize("folding", [(1, 1), (2, 3), (4, 9), (8, 3)])
def test_depthwise_with_several_outputs_a_channel(folding):
    layer = random_conv(BIPOLAR, (8, 3, 3, 1), groups=4)
    check_core(chain(TensorSpec((4, 5, 4), U(2)), layer, random_threshold(U(2), 8, 9)), {"conv": folding}, frames=3)


def test_a_signal_has_one_axis():
    layer = random_conv(S(3), (4, 5, 2), stride=(2,), padding=((2, 2),), dilation=(2,))
    check_core(chain(TensorSpec((14, 2), U(3)), layer), {"conv": (2, 2)}, frames=3)


def test_pointwise_layers_need_no_window():
    network = chain(TensorSpec((3, 4, 4), U(2)), random_conv(S(3), (6, 1, 1, 4)))
    assert len(check_core(network, {"conv": (2, 4)}, frames=3).stages) == 1


@pytest.mark.parametrize(("folding", "words"), [((3, 1), "PE 3"), ((1, 5), "SIMD 5"), ((2, 1, 2), "several pixels")])
def test_foldings_that_do_not_fit_name_the_layer(folding, words):
    network = chain(TensorSpec((4, 4, 4), U(2)), random_conv(S(3), (4, 3, 3, 4)))
    with pytest.raises(FoldingError, match=f"layer 'conv': {words}"):
        assemble(network, Folding({"conv": LayerFolding(*folding)}))
