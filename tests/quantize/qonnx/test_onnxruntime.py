"""Models that onnxruntime quantizes after training, in both of its formats, against onnxruntime itself."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import Tensor, nn

import bitwright as bw
from bitwright.errors import LoweringError
from tests.quantize.qonnx.exported import settle
from tests.quantize.qonnx.golden import compare, integers, reading_of

TYPES = {"i8": QuantType.QInt8, "u8": QuantType.QUInt8}


class Classifier(nn.Module):
    """A batch norm, a strided depthwise convolution, pools and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(8, 8, 3, 2, 1, groups=8), nn.ReLU(), nn.MaxPool2d(2))
        self.head = nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.adaptive_avg_pool2d(self.second(self.first(x)), 1)
        scores: Tensor = self.head(x.flatten(1))
        return scores


class Residual(nn.Module):
    """An addition and a concatenation of branches with calibrated scales of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 6, 3, padding=1), nn.Conv2d(12, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.a(x))
        y = torch.relu(self.b(x) + x)
        scores: Tensor = self.c(torch.cat([x, y], 1))
        return scores


class Perceptron(nn.Module):
    """Two linear layers."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(16, 12), nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.b(torch.relu(self.a(x.flatten(1))))
        return scores


SHAPES: dict[type[nn.Module], tuple[int, ...]] = {Classifier: (3, 12, 12), Residual: (3, 8, 8), Perceptron: (1, 4, 4)}


class Noise(CalibrationDataReader):  # type: ignore[misc]
    """Frames to calibrate on."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        rng = np.random.default_rng(0)
        self.frames: Iterator[Any] = iter([{"x": rng.normal(size=(1, *shape)).astype(np.float32)} for _ in range(8)])

    def get_next(self) -> Any:
        return next(self.frames, None)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Exporters and quantizers talk."""
    logging.disable(logging.WARNING)
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        yield
    logging.disable(logging.NOTSET)


def float_model(kind: type[nn.Module], path: Path, dynamo: bool = False) -> Path:
    """A float model as PyTorch exports it."""
    module = settle(kind(), SHAPES[kind], seed=1)
    with quiet():
        options = {"dynamo": True} if dynamo else {"dynamo": False, "opset_version": 17}
        torch.onnx.export(module, (torch.randn(1, *SHAPES[kind]),), str(path), input_names=["x"], **options)
    return path


def quantized(kind: type[nn.Module], folder: Path, form: QuantFormat, types: str, by_channel: bool) -> Path:
    """The model after onnxruntime's static quantization; `types` are those of activations and weights."""
    source, prepared, target = float_model(kind, folder / "float.onnx"), folder / "pre.onnx", folder / "net.onnx"
    activations, weights = (TYPES[word] for word in types.split())
    with quiet():
        quant_pre_process(str(source), str(prepared))
        quantize_static(
            str(prepared), str(target), Noise(SHAPES[kind]), quant_format=form, per_channel=by_channel,
            activation_type=activations, weight_type=weights,
        )  # fmt: skip
    return target


def execute(path: Path, frame: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    """Every tensor that onnxruntime computes, operator by operator."""
    model = onnx.load(path)
    held = {one.name for one in model.graph.output}
    for name in (name for node in model.graph.node for name in node.output if name and name not in held):
        model.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(model.SerializeToString(), options)
    names = [one.name for one in session.get_outputs()]
    return dict(zip(names, session.run(names, {"x": frame}), strict=True))


# Without VNNI, onnxruntime's integer products of uint8 and int8 saturate; those of one kind do not.
@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize(
    ("form", "types", "by_channel"),
    [
        (QuantFormat.QDQ, "u8 i8", True),
        (QuantFormat.QDQ, "i8 i8", False),
        (QuantFormat.QOperator, "i8 i8", True),
        (QuantFormat.QOperator, "u8 u8", False),
    ],
)
def test_a_quantized_model_has_onnxruntimes_integers(
    kind: type[nn.Module], form: QuantFormat, types: str, by_channel: bool, tmp_path: Path
) -> None:
    path = quantized(kind, tmp_path, form, types, by_channel)
    reading, seen = reading_of(path), set[str]()
    frames = np.random.default_rng(1).normal(size=(3, *SHAPES[kind])).astype(np.float32)
    for frame in frames:
        trace = reading.network.trace(integers(reading.network, frame))
        compare(reading, execute(path, frame[None]), trace, seen)
    quantizers = [one for one in onnx.load(path).graph.node if one.op_type.startswith(("Quantize", "QLinear", "QGemm"))]
    assert {one.output[0] for one in quantizers} <= seen
    kinds = {node.op_type for node in onnx.load(path).graph.node}
    assert ("Conv" in kinds or "Gemm" in kinds) == (form == QuantFormat.QDQ)


def test_ties_of_the_first_tensor_are_none(tmp_path: Path) -> None:
    path = quantized(Classifier, tmp_path, QuantFormat.QOperator, "i8 i8", True)
    # Sums of integers are exact, so what is multiplied and rounded once is too.
    assert {tie.layer for tie in reading_of(path).ties} == set()


@pytest.mark.parametrize("dynamo", [False, True])
def test_a_float_model_says_how_to_quantize(dynamo: bool, tmp_path: Path) -> None:
    path = float_model(Classifier, tmp_path / "float.onnx", dynamo)
    with pytest.raises(
        LoweringError, match=r"is a float model: none .*Brevitas.*quantize_static.*post_training"
    ) as got:
        bw.read_qonnx(path)
    assert len(str(got.value).splitlines()) == 1


def test_dynamic_quantization_is_named(tmp_path: Path) -> None:
    target = tmp_path / "dynamic.onnx"
    with quiet():
        quantize_dynamic(str(float_model(Perceptron, tmp_path / "float.onnx")), str(target))
    with pytest.raises(
        LoweringError, match=r"DynamicQuantizeLinear takes its scale from .* each frame; .*quantize_static"
    ):
        bw.read_qonnx(target)
