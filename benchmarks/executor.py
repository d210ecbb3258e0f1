"""`Network.run` beside torch float32 and beside qonnx, on the binary MLPs of FINN: frames/s, and equal answers.

Every peer computes the same function on the same inputs (asserted), in turns within one run; each figure is the best
of several rounds.
"""

from __future__ import annotations

import importlib.util
import itertools
import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from bitwright.graph import BIPOLAR, IntArray, Linear, Network, Operation, TensorSpec, Threshold

TFC = (784, 64, 64, 64, 10)
LFC = (784, 1024, 1024, 1024, 10)
BATCH = 4000
ROUNDS = 12


def binary_mlp(name: str, widths: tuple[int, ...], seed: int = 0) -> Network:
    """A w1a1 MLP with random weights, and thresholds about the middle of what occurs."""
    rng = np.random.default_rng(seed)
    operations: list[Operation] = []
    tensor = "x"
    for layer, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
        weights = rng.choice(np.array([-1, 1], dtype=np.int8), (outputs, inputs))
        operations.append(
            Linear(name=f"fc{layer}", inputs=(tensor,), output=f"a{layer}", weights=weights, weight_type=BIPOLAR)
        )
        tensor = f"a{layer}"
        if layer + 2 < len(widths):
            operations.append(
                Threshold(
                    name=f"sign{layer}", inputs=(tensor,), output=f"b{layer}",
                    thresholds=rng.integers(-20, 21, (outputs, 1)), ascending=np.ones(outputs, dtype=np.bool_),
                    output_type=BIPOLAR,
                )
            )  # fmt: skip
            tensor = f"b{layer}"
    return Network(name, "x", TensorSpec((widths[0],), BIPOLAR), tuple(operations), (tensor,))


def torch_twin(network: Network) -> Callable[[IntArray], Callable[[], IntArray]]:
    """The same function in torch float32: `twin(x)` prepares the inputs and returns a call to time."""
    import torch

    layers: list[torch.nn.Module] = []
    for operation in network.operations:
        if isinstance(operation, Linear):
            layers.append(torch.nn.Linear(operation.weights.shape[1], operation.weights.shape[0], bias=True))
            layers[-1].weight.data = torch.tensor(operation.weights, dtype=torch.float32)
            layers[-1].bias.data.zero_()
        elif isinstance(operation, Threshold):
            # Sums are integers, so 0.5 - t never leaves a 0 for the sign to stumble over.
            layers[-1].bias.data = torch.tensor(0.5 - operation.thresholds[:, 0], dtype=torch.float32)
            layers.append(sign_module(torch))
    model = torch.nn.Sequential(*layers)

    def prepare(x: IntArray) -> Callable[[], IntArray]:
        real = torch.tensor(x, dtype=torch.float32)

        def call() -> IntArray:
            with torch.inference_mode():
                return model(real).numpy().astype(np.int64)

        return call

    return prepare


def sign_module(torch: Any) -> Any:
    class Sign(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            return torch.sign(x)

    return Sign()


def qonnx_twin(network: Network, batch: int) -> Callable[[IntArray], IntArray]:
    """The same function as a QONNX model (BipolarQuant weights, MatMul, MultiThreshold) run by execute_onnx."""
    import onnx
    from onnx import TensorProto, helper
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx
    from qonnx.transformation.infer_shapes import InferShapes

    nodes, initializers = [], [onnx.numpy_helper.from_array(np.array(1.0, dtype=np.float32), "one")]
    for operation in network.operations:
        if isinstance(operation, Linear):
            weights = np.ascontiguousarray(operation.weights.T, dtype=np.float32)
            initializers.append(onnx.numpy_helper.from_array(weights, f"{operation.name}_w"))
            nodes.append(
                helper.make_node(
                    "BipolarQuant", [f"{operation.name}_w", "one"], [f"{operation.name}_q"],
                    domain="qonnx.custom_op.general",
                )
            )  # fmt: skip
            nodes.append(helper.make_node("MatMul", [operation.inputs[0], f"{operation.name}_q"], [operation.output]))
        elif isinstance(operation, Threshold):
            rows = operation.thresholds.astype(np.float32)
            initializers.append(onnx.numpy_helper.from_array(rows, f"{operation.name}_t"))
            nodes.append(
                helper.make_node(
                    "MultiThreshold", [operation.inputs[0], f"{operation.name}_t"], [operation.output],
                    domain="qonnx.custom_op.general", out_dtype="BIPOLAR", out_scale=2.0, out_bias=-1.0,
                )
            )  # fmt: skip
    result = network.outputs[0]
    size = network.spec(result).size
    graph = helper.make_graph(
        nodes,
        network.name,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, network.input_spec.size])],
        [helper.make_tensor_value_info(result, TensorProto.FLOAT, [batch, size])],
        initializers,
    )
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("qonnx.custom_op.general", 1)]
    model = ModelWrapper(helper.make_model(graph, opset_imports=opsets, ir_version=8)).transform(InferShapes())
    return lambda x: execute_onnx(model, {"x": x.astype(np.float32)})[result].astype(np.int64)


def best_seconds(calls: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """The best time of each call, all of them in turns."""
    best = dict.fromkeys(calls, float("inf"))
    for _ in range(rounds):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            best[name] = min(best[name], time.perf_counter() - start)
    return best


def _inputs(network: Network, frames: int) -> IntArray:
    shape = (frames, network.input_spec.size)
    return np.random.default_rng(1).choice(np.array([-1, 1], dtype=np.int8), shape)


def against_torch(network: Network) -> dict[str, Any]:
    """Frames/s of both on one batch; equal outputs asserted."""
    import torch

    x = _inputs(network, BATCH)
    twin = torch_twin(network)(x)
    if not np.array_equal(network.run(x), twin()):
        raise AssertionError(f"{network.name}: torch and Network.run differ")
    seconds = best_seconds({"run": lambda: network.run(x), "torch": twin}, ROUNDS)
    return {
        "batch": BATCH,
        "frames_per_s": BATCH / seconds["run"],
        "torch_float32_frames_per_s": BATCH / seconds["torch"],
        "torch_threads": torch.get_num_threads(),
        "run_vs_torch": seconds["torch"] / seconds["run"],
    }


def against_qonnx(network: Network) -> dict[str, Any]:
    """Frames/s of both: qonnx frame by frame and on a batch of 1,000; equal outputs asserted."""
    if importlib.util.find_spec("qonnx") is None:
        return {"qonnx": "not installed; pip install 'bitwright[peers]' to compare"}
    x = _inputs(network, BATCH)
    result: dict[str, Any] = {}
    for batch, rounds in ((1, 10), (1000, 3)):
        twin = qonnx_twin(network, batch)
        if not np.array_equal(network.run(x[:batch]), twin(x[:batch])):
            raise AssertionError(f"{network.name}: qonnx and Network.run differ")
        calls = {"run": lambda: network.run(x), "qonnx": lambda twin=twin, batch=batch: twin(x[:batch])}
        seconds = best_seconds(calls, rounds)
        result[f"qonnx_batch_{batch}_frames_per_s"] = batch / seconds["qonnx"]
        result[f"run_vs_qonnx_batch_{batch}"] = (BATCH / seconds["run"]) / (batch / seconds["qonnx"])
    return result


def run() -> dict[str, Any]:
    """All figures: {"lfc_w1a1": {...}, "tfc_w1a1": {...}}."""
    lfc, tfc = binary_mlp("lfc_w1a1", LFC), binary_mlp("tfc_w1a1", TFC)
    return {
        "lfc_w1a1": against_torch(lfc) | against_qonnx(lfc),
        "tfc_w1a1": against_torch(tfc) | against_qonnx(tfc),
    }


def main() -> None:
    """Print the figures as JSON."""
    print(json.dumps(run(), indent=2))


if __name__ == "__main__":
    main()
