"""The qonnx package's own executor against the network, tensor by tensor."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes

from bitwright.graph import Network
from bitwright.quantize.qonnx.loading import load_model
from bitwright.quantize.qonnx.reading import Reading, read_model
from bitwright.quantize.qonnx.ties import noise
from bitwright.quantize.qonnx.value import Indices, Scaled

BETWEEN = (".scores", "_rising", "_integers", "_sums", "_selected")
"""Endings of the names of tensors that the graph does not have."""


def execute(path: Path, frame: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Every tensor that the executor computes for one frame (1, ...)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = ModelWrapper(str(path)).transform(InferShapes())
        name = next(one.name for one in model.graph.input if model.get_initializer(one.name) is None)
        context: dict[str, NDArray[Any]] = execute_onnx(model, {name: frame}, return_full_exec_context=True)
    return context


def reading_of(path: Path, **options: Any) -> Reading:
    """The file's network and the meaning of its tensors, without a word on ties."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return read_model(load_model(path), **options)


def check(path: Path, frames: NDArray[Any], least: int = 1, ties: bool = False, **options: Any) -> Network:
    """Read the file, and compare every tensor of the network that the graph has, on each frame (float32, as fed).

    Where the executor's sums are exact its reals must be the very reals that the integers stand for. Elsewhere they
    must be as near as the noise of float32 sums says. An integer may differ only where a tie was foretold (`ties`
    allows for that); what comes behind it in that frame then is not compared. `least` tensors must be compared.
    """
    reading = reading_of(path, **options)
    network = reading.network
    seen: set[str] = set()
    for frame in frames:
        context = execute(path, frame[None])
        trace = network.trace(integers(network, frame))
        tied = compare(reading, context, trace, seen)
        assert ties or not tied, tied
    assert len(seen) >= least, f"only {sorted(seen)} were compared"
    missed = {one.output for one in network.operations if one.kind not in ("Flatten", "Permute", "Reshape")}
    missed -= {value.tensor for value in reading.values.values() if isinstance(value, Scaled | Indices)}
    assert all(name.endswith(BETWEEN) for name in missed), f"{missed} have no counterpart"
    return network


def integers(network: Network, frame: NDArray[Any]) -> NDArray[Any]:
    """A frame as the graph is fed with it, as a batch of the network's integers."""
    if network.input_quantizer is not None:
        return network.quantize(frame[None].astype(np.float32))
    return frame[None].astype(np.int64)


def compare(reading: Reading, context: dict[str, NDArray[Any]], trace: dict[str, NDArray[Any]], seen: set[str]) -> str:
    """The tensor with a tie that rounding decided, "" without; AssertionError where another tensor differs."""
    for name, value in reading.values.items():
        if not isinstance(value, Indices | Scaled) or value.tensor not in trace or name not in context:
            continue
        found, held = context[name], trace[value.tensor]
        if isinstance(value, Indices):
            same = np.array_equal(found.reshape(-1), held.reshape(-1))
        elif value.terms:
            wanted, rows = value.onnx_values(held), held.reshape(-1, value.channels)
            blur = np.abs(value.real(rows + noise(value, rows)).numpy() - value.real(rows).numpy()).max()
            assert wanted.shape == found.shape, name
            # Where a clip or a flat piece hides the noise of the sum, what follows rounds still.
            ulps = 2.0**-22 * max(1.0, float(np.abs(wanted).max()))
            assert np.abs(wanted - found).max() <= blur + ulps, name
            if value.affine:
                _check_each(name, value, found, rows)
            same = True
        else:
            same = np.array_equal(value.onnx_values(held), found)
        if not same:
            maker = reading.network.producer(value.tensor)
            assert maker is not None, name
            assert maker.name in {tie.layer for tie in reading.ties}, f"{name} differs, and no tie was foretold"
            return name
        seen.add(name)
    return ""


def _check_each(name: str, value: Scaled, found: NDArray[Any], rows: NDArray[Any]) -> None:
    """Each real must be near its own integer: within the noise of sums."""
    slope, offset = value.parts()
    reals = np.empty(found.size)
    reals[value.index.reshape(-1)] = found.reshape(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        told = (reals.reshape(rows.shape) - offset) / slope
    far = np.abs(told - rows) > noise(value, rows)
    assert not np.any(far & (slope != 0)), f"{name}: {told[far][:5]} is not {rows[far][:5]}"
