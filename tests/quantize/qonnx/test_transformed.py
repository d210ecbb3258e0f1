"""Graphs as the qonnx package rewrites them: channels last, lowered to matrices, folded, split, as QDQ."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.batchnorm_to_affine import BatchNormToAffine
from qonnx.transformation.channels_last import ConvertToChannelsLastAndClean
from qonnx.transformation.extract_conv_bias import ExtractBiasFromConv
from qonnx.transformation.extract_quant_scale_zeropt import ExtractQuantScaleZeroPt
from qonnx.transformation.gemm_to_matmul import GemmToMatMul
from qonnx.transformation.infer_shapes import InferShapes
from qonnx.transformation.insert_topk import InsertTopK
from qonnx.transformation.lower_convs_to_matmul import LowerConvsToMatMul
from qonnx.transformation.qonnx_to_qcdq import QuantToQCDQ
from qonnx.util.cleanup import cleanup_model

from tests.quantize.qonnx.conftest import CASES
from tests.quantize.qonnx.golden import check

Exports = Callable[..., Path]

REWRITES: dict[str, list[Callable[[], Any]]] = {
    "cleaned": [],
    "affine": [BatchNormToAffine],
    "matmul": [GemmToMatMul],
    "bias apart": [ExtractBiasFromConv],
    "channels last inside": [lambda: ConvertToChannelsLastAndClean(make_input_channels_last=False)],
    "channels last": [lambda: ConvertToChannelsLastAndClean(make_input_channels_last=True)],
    "im2col": [ExtractBiasFromConv, LowerConvsToMatMul],
    "scales apart": [ExtractQuantScaleZeroPt],
    "qcdq": [QuantToQCDQ],
    "topk": [InsertTopK],
}

PRESENT = {
    "affine": "Mul",
    "matmul": "MatMul",
    "channels last": "Transpose",
    "channels last inside": "Transpose",
    "im2col": "Im2Col",
    "scales apart": "Div",
    "qcdq": "DequantizeLinear",
    "topk": "TopK",
}


def rewritten(source: Path, rewrite: str, target: Path) -> tuple[Path, tuple[int, ...]]:
    """The file after the qonnx package's clean-up and some of its transformations; and its input's shape."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = cleanup_model(ModelWrapper(str(source)))
        for make in REWRITES[rewrite]:
            model = model.transform(make())
        model = model.transform(InferShapes())
    model.save(str(target))
    kinds = {node.op_type for node in model.graph.node}
    assert PRESENT.get(rewrite, next(iter(kinds))) in kinds
    return target, tuple(model.get_tensor_shape(model.graph.input[0].name)[1:])


@pytest.mark.parametrize("rewrite", REWRITES)
def test_a_rewritten_graph_has_the_executors_integers(rewrite: str, exports: Exports, tmp_path: Path) -> None:
    plain = check(exports("separable_cnn"), np.zeros((1, 3, 12, 12), dtype=np.float32))
    path, shape = rewritten(exports("separable_cnn"), rewrite, tmp_path / "rewritten.onnx")
    assert shape == ((12, 12, 3) if rewrite == "channels last" else (3, 12, 12))
    x = np.random.default_rng(3).normal(size=(3, *shape)).astype(np.float32)
    network = check(path, x, least=6)
    # Whatever the form of the graph, the network is the same.
    images = x.transpose(0, 3, 1, 2) if rewrite == "channels last" else x
    integers = network.quantize(x)
    assert np.array_equal(integers, plain.quantize(images))
    mine, theirs = network.run(integers), plain.run(integers)
    if rewrite == "topk":
        mine, theirs = mine[:, 0], plain.predict(images).argmax(axis=-1)
    assert np.array_equal(mine, theirs)


@pytest.mark.parametrize(
    ("case", "rewrite"),
    [
        *(
            (case, rewrite)
            for case in ("binary_cnn", "residual_cnn")
            for rewrite in ("channels last", "affine", "qcdq")
        ),
        ("residual_cnn", "im2col"),
        ("integer_mlp", "matmul"),
        ("integer_mlp", "qcdq"),
    ],
)
def test_other_networks_rewritten(case: str, rewrite: str, exports: Exports, tmp_path: Path) -> None:
    plain = check(exports(case), np.zeros((1, *CASES[case][1]), dtype=np.float32))
    path, shape = rewritten(exports(case), rewrite, tmp_path / "rewritten.onnx")
    x = np.random.default_rng(4).normal(size=(2, *shape)).astype(np.float32)
    network = check(path, x, least=4)
    kinds = [Counter(one.kind for one in net.operations) for net in (network, plain)]
    assert kinds[0] == kinds[1]
