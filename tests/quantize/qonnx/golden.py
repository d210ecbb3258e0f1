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
from bitwright.quantize.qonnx.value import Indices, Scaled

BETWEEN = (".scores", "_rising", "_integers", "_sums")
"""Endings of the names of tensors that the graph does not have."""


def execute(path: Path, frame: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Every tensor that the executor computes for one frame (1, ...)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = ModelWrapper(str(path)).transform(InferShapes())
        name = next(one.name for one in model.graph.input if model.get_initializer(one.name) is None)
        context: dict[str, NDArray[Any]] = execute_onnx(model, {name: frame}, return_full_exec_context=True)
    return context


def check(path: Path, frames: NDArray[Any], least: int = 1, **options: Any) -> Network:
    """Read the file, and compare every tensor of the network that the graph has, on each frame (float32, as fed).

    Where the executor's sums are exact its reals must be the very reals that the integers stand for; elsewhere they
    must be next to them, and round to the same integers. `least` tensors must be compared.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reading = read_model(load_model(path), **options)
    network = reading.network
    seen: set[str] = set()
    for frame in frames:
        context = execute(path, frame[None])
        trace = network.trace(integers(network, frame))
        compare(reading, context, trace, seen)
    assert len(seen) >= least, f"only {sorted(seen)} were compared"
    missed = {one.output for one in network.operations if one.kind not in ("Flatten", "Permute", "Reshape")}
    missed -= {value.tensor for value in reading.values.values() if isinstance(value, Scaled | Indices)}
    assert all(name.endswith((".scores", "_rising", "_integers", "_sums")) for name in missed), (
        f"{missed} have no counterpart"
    )
    return network


def integers(network: Network, frame: NDArray[Any]) -> NDArray[Any]:
    """A frame as the graph is fed with it, as a batch of the network's integers."""
    if network.input_quantizer is not None:
        return network.quantize(frame[None].astype(np.float32))
    return frame[None].astype(np.int64).reshape(1, *network.input_spec.shape)


def compare(reading: Reading, context: dict[str, NDArray[Any]], trace: dict[str, NDArray[Any]], seen: set[str]) -> None:
    """Raise AssertionError where a tensor of the executor is not what the integers say."""
    for name, value in reading.values.items():
        if isinstance(value, Indices) and value.tensor in trace:
            assert np.array_equal(context[name].reshape(-1), trace[value.tensor].reshape(-1)), name
            seen.add(name)
        if not isinstance(value, Scaled) or value.tensor not in trace or name not in context:
            continue
        wanted, found = value.onnx_values(trace[value.tensor]), context[name]
        assert wanted.shape == found.shape, name
        if value.terms == 0:
            assert np.array_equal(wanted, found), f"{name}: {wanted} is not {found}"
        else:
            close = 1e-4 * np.maximum(np.abs(wanted).max(), 1e-3)
            assert np.all(np.abs(wanted - found) <= close), f"{name}: {wanted} is not near {found}"
            if value.affine and value.slope is not None and value.offset is not None:
                back = np.empty(found.size)
                back[value.index.reshape(-1)] = found.reshape(-1)
                slope = np.where(value.slope == 0, np.nan, value.slope)
                told = np.rint((back.reshape(-1, value.channels) - value.offset) / slope)
                held = trace[value.tensor].reshape(-1, value.channels)
                assert np.array_equal(np.where(np.isnan(told), held, told), held), name
        seen.add(name)
