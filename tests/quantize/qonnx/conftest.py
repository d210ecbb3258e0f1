"""Exports that several tests read: made once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.quantize.qonnx import exported

CASES = {
    "binary_mlp": (exported.binary_mlp, (1, 4, 4)),
    "integer_mlp": (lambda: exported.integer_mlp(4, 4), (1, 4, 4)),
    "wide_mlp": (lambda: exported.integer_mlp(8, 8), (1, 4, 4)),
    "binary_cnn": (exported.binary_cnn, (3, 12, 12)),
    "separable_cnn": (exported.separable_cnn, (3, 12, 12)),
    "residual_cnn": (exported.Residual, (3, 6, 6)),
}


@pytest.fixture(scope="session")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """`exports(case, dynamo)`: the file that Brevitas writes for a case, by either of PyTorch's exporters."""
    folder = tmp_path_factory.mktemp("exports")

    def make(case: str, dynamo: bool = False) -> Path:
        path = folder / f"{case}{'_dynamo' * dynamo}.onnx"
        if not path.exists():
            module, shape = CASES[case]
            exported.export(exported.settle(module(), shape, seed=len(case)), shape, path, dynamo=dynamo)
        return path

    return make
