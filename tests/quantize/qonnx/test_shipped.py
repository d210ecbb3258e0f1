"""The models that come with the qonnx package: real exports of other tools, quantized and not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import qonnx

import bitwright as bw
from bitwright.errors import LoweringError, NetworkFormatError
from bitwright.graph import IntType
from bitwright.quantize import RoundingTieWarning
from tests.quantize.qonnx.golden import check

MODELS = Path(qonnx.__file__).parent / "data" / "onnx"


def test_super_resolution_by_nearest_neighbours() -> None:
    """ESPCN from Brevitas: learned scales of 8 and 4 bits, batch norms, an upsampling. Its ties are foretold."""
    path = MODELS / "bsd300x3-espcn" / "nn_resize" / "quant_model.onnx"
    x = np.random.default_rng(0).uniform(0, 1, (1, 3, 128, 128)).astype(np.float32)
    network = check(path, x, least=4, ties=True)
    kinds = "Conv Threshold Conv Threshold Conv Requant Upsample Conv Requant"
    assert [one.kind for one in network.operations] == kinds.split()
    with pytest.warns(RoundingTieWarning, match="float32 rounding") as caught:
        bw.read_qonnx(path)
    assert caught[0].message.layer == "Quant_16"  # type: ignore[union-attr]
    # Nearly all integers are the executor's all the same.
    assert network.total_macs == 1_041_235_968


def test_a_first_layer_on_pixels() -> None:
    path = MODELS / "eltwise_chanlast_testcase.onnx"
    x = np.random.default_rng(0).integers(0, 256, (1, 3, 224, 224)).astype(np.float32)
    network = check(path, x, least=2, ties=True)
    assert network.input_spec.dtype == IntType.unsigned(8)
    assert [one.kind for one in network.operations] == ["Conv", "Threshold"]
    assert network.output_specs[0].shape == (111, 111, 32)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mnist-conv/model.onnx", "is a float model: .*quantize_static"),
        ("residual_block_clean.onnx", "is a float model: .*post_training_quantize"),
        ("bsd300x3-espcn/subpixel/quant_model.onnx", "real input of the graph"),
        ("floatquant_exec/qonnx_act_weight_fp8.onnx", "FloatQuant quantizes to small floats"),
    ],
)
def test_float_models_say_what_is_missing(name: str, message: str) -> None:
    with pytest.raises(LoweringError, match=message):
        bw.read_qonnx(MODELS / name)


def test_float_weights_say_how_to_quantize() -> None:
    with pytest.raises(LoweringError, match=r"weights that are real numbers, not quantized; .*post_training_quantize"):
        bw.read_qonnx(MODELS / "mnist-conv" / "model.onnx", input_type=IntType.unsigned(8))


def test_three_inputs() -> None:
    with pytest.raises(NetworkFormatError, match="takes 3 inputs"):
        bw.read_qonnx(MODELS / "matmul_update" / "sdp.onnx")
