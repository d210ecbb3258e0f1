"""`Network.run` beside torch float32 on CNV, FINN's binary VGG for CIFAR-10: frames/s, and equal answers.

Both compute the same function with random weights on the same batch (asserted), in turns within one run; each figure is
the best of several rounds.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.executor import best_seconds, sign_module
from bitwright.graph import (
    BIPOLAR,
    Conv,
    Flatten,
    IntArray,
    IntType,
    Linear,
    MaxPool,
    Network,
    Operation,
    TensorSpec,
    Threshold,
)

CNV: tuple[int | str, ...] = (64, 64, "pool", 128, 128, "pool", 256, 256, "flatten", 512, 512, 10)
"""Outputs of the 3x3 convolutions (no padding), then of the fully connected layers; 2x2 max pools between."""

IMAGE = TensorSpec((32, 32, 3), IntType.signed_bits(8))
BATCH = 256
ROUNDS = 8


def cnv_w1a1(seed: int = 0) -> Network:
    """CNV with random bipolar weights and 1.5 million of them, thresholds about the middle of what occurs."""
    rng = np.random.default_rng(seed)
    operations: list[Operation] = []
    tensor, inputs, flat = "x", IMAGE.shape[-1], False
    for layer, step in enumerate(CNV):
        ends: dict[str, Any] = {"inputs": (tensor,), "output": f"a{layer}"}
        tensor = f"a{layer}"
        if step == "pool":
            operations.append(MaxPool(name=f"pool{layer}", **ends, kernel=(2, 2)))
        elif step == "flatten":
            operations.append(Flatten(name=f"flatten{layer}", **ends))
            flat = True
        else:
            outputs = int(step)
            shape = (outputs, inputs) if flat else (outputs, 3, 3, inputs)
            weights = rng.choice(np.array([-1, 1], dtype=np.int8), shape)
            kind: Any = Linear if flat else Conv
            operations.append(kind(name=f"layer{layer}", **ends, weights=weights, weight_type=BIPOLAR))
            inputs = outputs
            if layer + 1 < len(CNV):
                reach = 200 if layer == 0 else 20
                thresholds = rng.integers(-reach, reach + 1, (outputs, 1))
                operations.append(
                    Threshold(
                        name=f"sign{layer}", inputs=(tensor,), output=f"b{layer}", thresholds=thresholds,
                        ascending=np.ones(outputs, dtype=np.bool_), output_type=BIPOLAR,
                    )
                )  # fmt: skip
                tensor = f"b{layer}"
    return Network("cnv_w1a1", "x", IMAGE, tuple(operations), (tensor,))


def torch_twin(network: Network) -> Callable[[IntArray], Callable[[], IntArray]]:
    """The same function in torch float32, channels first: `twin(x)` prepares the inputs and returns a call to time."""
    import torch

    layers: list[Any] = []
    for operation in network.operations:
        if isinstance(operation, Conv):
            outputs, *kernel, inputs = operation.weights.shape
            layers.append(torch.nn.Conv2d(inputs, outputs, tuple(kernel)))
            layers[-1].weight.data = torch.tensor(np.moveaxis(operation.weights, -1, 1).astype(np.float32))
            layers[-1].bias.data.zero_()
        elif isinstance(operation, Linear):
            layers.append(torch.nn.Linear(operation.weights.shape[1], operation.weights.shape[0]))
            layers[-1].weight.data = torch.tensor(operation.weights.astype(np.float32))
            layers[-1].bias.data.zero_()
        elif isinstance(operation, MaxPool):
            layers.append(torch.nn.MaxPool2d(operation.kernel))
        elif isinstance(operation, Flatten):
            # One pixel is left, so the order of its axes does not matter.
            layers.append(torch.nn.Flatten())
        elif isinstance(operation, Threshold):
            # Sums are integers, so 0.5 - t never leaves a 0 for the sign to stumble over.
            layers[-1].bias.data = torch.tensor(0.5 - operation.thresholds[:, 0], dtype=torch.float32)
            layers.append(sign_module(torch))
    model = torch.nn.Sequential(*layers).eval()

    def prepare(x: IntArray) -> Callable[[], IntArray]:
        real = torch.tensor(np.moveaxis(x, -1, 1).astype(np.float32))

        def call() -> IntArray:
            with torch.inference_mode():
                return model(real).numpy().astype(np.int64)

        return call

    return prepare


def run() -> dict[str, Any]:
    """All figures; `cnv_run_vs_torch` is how many times as fast as torch `Network.run` is."""
    import torch

    network = cnv_w1a1()
    x = np.random.default_rng(1).integers(-128, 128, (BATCH, *IMAGE.shape)).astype(np.int8)
    twin = torch_twin(network)(x)
    if not np.array_equal(network.run(x), twin()):
        raise AssertionError("cnv_w1a1: torch and Network.run differ")
    seconds = best_seconds({"run": lambda: network.run(x), "torch": twin}, ROUNDS)
    return {
        "batch": BATCH,
        "weight_bits": network.weight_bits,
        "macs": network.total_macs,
        "frames_per_s": BATCH / seconds["run"],
        "torch_float32_frames_per_s": BATCH / seconds["torch"],
        "torch_threads": torch.get_num_threads(),
        "cnv_run_vs_torch": seconds["torch"] / seconds["run"],
    }


def main() -> None:
    """Print the figures as JSON."""
    print(json.dumps(run(), indent=2))


if __name__ == "__main__":
    main()
