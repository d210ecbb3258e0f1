"""What Brevitas exports, read and compared with the executor of the qonnx package."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import bitwright as bw
from tests.quantize.qonnx.exported import binary_mlp, export, integer_mlp, settle
from tests.quantize.qonnx.golden import check

MLPS: dict[str, Callable[[], nn.Module]] = {
    "w1a1": binary_mlp,
    "w4a4": lambda: integer_mlp(4, 4),
    "w2a3": lambda: integer_mlp(2, 3),
    "w8a8": lambda: integer_mlp(8, 8),
}


@pytest.mark.parametrize("kind", MLPS)
def test_an_exported_perceptron_has_the_executors_integers(kind: str, tmp_path: Path) -> None:
    module = settle(MLPS[kind](), (1, 4, 4), seed=len(kind))
    path = export(module, (1, 4, 4), tmp_path / f"{kind}.onnx")
    x = np.random.default_rng(1).normal(size=(6, 1, 4, 4)).astype(np.float32)
    network = check(path, x, least=4)
    assert network.name == kind
    assert [one.kind for one in network.operations if one.kind != "Flatten"] in (
        ["Linear", "Threshold", "Linear"],
        ["Linear", "Requant", "Linear"],
    )


def test_reading_an_export_is_lowering_the_module(tmp_path: Path) -> None:
    module = settle(integer_mlp(4, 4), (1, 4, 4), seed=3)
    x = torch.randn(8, 1, 4, 4)
    read = bw.read_qonnx(export(module, (1, 4, 4), tmp_path / "mlp.onnx"))
    lowered = bw.lower(module, x)
    integers = lowered.quantize(x.numpy())
    assert np.array_equal(read.quantize(x.numpy()), integers)
    assert np.array_equal(read.run(integers), lowered.run(integers))
