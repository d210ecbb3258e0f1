"""What Brevitas exports, read and compared with the executor of the qonnx package."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from brevitas.export import export_onnx_qcdq

import bitwright as bw
from tests.quantize.qonnx.conftest import CASES
from tests.quantize.qonnx.exported import export, integer_mlp, settle
from tests.quantize.qonnx.golden import check, reading_of

Exports = Callable[..., Path]

KINDS = {
    "binary_mlp": "Flatten Linear Threshold Linear",
    "integer_mlp": "Flatten Linear Threshold Linear",
    "wide_mlp": "Flatten Linear Requant Linear",
    "binary_cnn": "Conv Threshold Conv Threshold MaxPool Conv Threshold Flatten Linear",
    "separable_cnn": "Conv Threshold Conv Threshold Conv Requant MaxPool Threshold SumPool Requant Flatten Linear",
    "residual_cnn": "Conv Threshold Threshold Conv Threshold Add Requant Requant Upsample Upsample Concat Conv",
}


@pytest.mark.parametrize(
    ("case", "dynamo"),
    [*((case, False) for case in CASES), ("integer_mlp", True), ("separable_cnn", True), ("residual_cnn", True)],
)
def test_an_export_has_the_executors_integers(case: str, dynamo: bool, exports: Exports) -> None:
    path, shape = exports(case, dynamo), CASES[case][1]
    x = np.random.default_rng(1).normal(size=(3, *shape)).astype(np.float32)
    network = check(path, x, least=4)
    assert network.name == path.stem
    assert Counter(one.kind for one in network.operations) == Counter(KINDS[case].split())


@pytest.mark.parametrize("case", ["integer_mlp", "separable_cnn", "residual_cnn"])
def test_a_qcdq_export_has_the_executors_integers(case: str, tmp_path: Path) -> None:
    make, shape = CASES[case]
    module = settle(make(), shape, seed=len(case))
    path = export(module, shape, tmp_path / "qcdq.onnx", write=export_onnx_qcdq, dynamo=False)
    x = np.random.default_rng(5).normal(size=(2, *shape)).astype(np.float32)
    network = check(path, x, least=4)
    assert Counter(one.kind for one in network.operations) == Counter(KINDS[case].split())
    plain = reading_of(export(module, shape, tmp_path / "quant.onnx", dynamo=False)).network
    assert np.array_equal(network.quantize(x), plain.quantize(x))
    assert np.array_equal(network.run(network.quantize(x)), plain.run(plain.quantize(x)))


def test_reading_an_export_is_lowering_the_module(tmp_path: Path) -> None:
    module = settle(integer_mlp(4, 4), (1, 4, 4), seed=3)
    x = torch.randn(8, 1, 4, 4)
    lowered = bw.lower(module, x)
    read = bw.read_qonnx(export(module, (1, 4, 4), tmp_path / "mlp.onnx", dynamo=False))
    integers = lowered.quantize(x.numpy())
    assert np.array_equal(read.quantize(x.numpy()), integers)
    assert np.array_equal(read.run(integers), lowered.run(integers))


def test_real_outputs_are_in_the_graphs_order_of_axes(exports: Exports) -> None:
    network = bw.read_qonnx(exports("residual_cnn"))
    x = np.random.default_rng(2).normal(size=(2, 3, 6, 6)).astype(np.float32)
    assert network.input_spec.shape == (6, 6, 3)
    scores = network.predict(x)
    assert isinstance(scores, np.ndarray)
    assert scores.shape == (2, 4, 10, 10)
