"""Random small quantized graphs, in the forms that tools write: QONNX, thresholds, QDQ, channels first and last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.quantize.qonnx.by_hand import QONNX, Graph

ROUNDINGS = ("ROUND", "ROUND", "ROUND", "FLOOR", "CEIL", "HALF_UP", "DOWN")


@dataclass
class Tensor:
    """A tensor of the graph: its name, ONNX shape without batch, channels first, and the scale of its integers."""

    name: str
    shape: tuple[int, ...]
    scale: float
    quantized: bool = True

    @property
    def channels(self) -> int:
        return self.shape[0]


class RandomGraph:
    """One graph; `model_output` names its output, `frames(n)` gives inputs for it."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.exact = self.chance(0.5)
        self.style = str(self.rng.choice(["quant", "quant", "thresholds", "qdq"]))
        rank = int(self.rng.choice([1, 2, 3, 3, 3]))
        shape = {
            1: (self.draw(3, 9),),
            2: (self.draw(1, 4), self.draw(5, 12)),
            3: (self.draw(1, 4), self.draw(4, 8), self.draw(4, 8)),
        }[rank]
        self.annotation = str(self.rng.choice(["", "", "", "UINT8", "INT4", "BIPOLAR"]))
        self.last = rank == 3 and self.chance(0.25)
        given = (*shape[1:], shape[0]) if self.last else shape
        self.graph = Graph(given, opset=int(self.rng.choice([11, 13, 13, 17, 20])), annotation=self.annotation)
        self.graph.rng = self.rng
        self.output = self._build(shape)

    # Numbers

    def draw(self, lo: int, hi: int) -> int:
        """A whole number, ends included."""
        return int(self.rng.integers(lo, hi, endpoint=True))

    def chance(self, share: float) -> bool:
        """True in that share of the cases."""
        return bool(self.rng.random() < share)

    def scale(self, about: float = 0.25) -> float:
        """A power of two where sums shall be exact, else any real."""
        power = about * 2.0 ** self.draw(-1, 2)
        return power if self.exact else float(np.float32(power * self.rng.uniform(0.7, 1.4)))

    def reals(self, x: Tensor, about: float = 1.0) -> NDArray[np.float32]:
        """One real, or one for each channel."""
        size = x.channels if self.chance(0.6) else 1
        values = self.rng.choice([-2.0, -1, -0.5, 0.5, 1, 1.5, 3], size) if self.exact else self.rng.normal(size=size)
        spread = values.reshape(-1, *(1,) * (len(x.shape) - 1)) * about
        return np.asarray(spread, dtype=np.float32)

    # Nodes

    def _build(self, shape: tuple[int, ...]) -> str:
        name = "x"
        if self.last:
            name = self.graph.add("Transpose", name, perm=[0, 3, 1, 2])
        x = Tensor(name, shape, 1.0, quantized=bool(self.annotation))
        if not self.annotation:
            if self.chance(0.2):
                kind = str(self.rng.choice(["Mul", "Sub", "Div"]))
                x.name = self.graph.add(kind, x.name, self.graph.constant(np.abs(self.reals(x)) + np.float32(0.1)))
            x = self.quantize(x, wide=True)
        for _ in range(self.draw(1, 4)):
            x = self._block(x)
        if self.chance(0.3):
            if len(x.shape) > 1:
                x = self._flatten(x)
            return self.graph.add("ArgMax", x.name, axis=1, keepdims=0)
        return x.name

    def _block(self, x: Tensor) -> Tensor:
        choices = ["linear", "linear", "linear"]
        if len(x.shape) == 3:
            choices = ["conv", "conv", "conv", "max", "average", "residual", "concat", "linear", "swap"]
        elif len(x.shape) == 2:
            choices = ["conv", "conv", "max", "linear", "concat"]
        else:
            choices += ["residual", "gather", "concat"]
        return getattr(self, f"_{self.rng.choice(choices)}")(x)  # type: ignore[no-any-return]

    def _weights(self, *shape: int) -> tuple[NDArray[np.float32], float]:
        integers = (
            self.rng.choice([-1.0, 1.0], shape) if self.chance(0.2) else self.rng.integers(-7, 7, shape, endpoint=True)
        )
        if np.all(integers == 0):
            integers.flat[0] = 1
        scale = 1.0 if self.chance(0.4) else self.scale(0.125)
        return (integers * np.float32(scale)).astype(np.float32), scale

    def _linear(self, x: Tensor) -> Tensor:
        if len(x.shape) > 1:
            x = self._flatten(x)
        g, outputs = self.graph, self.draw(2, 6)
        weights, scale = self._weights(x.shape[0], outputs)
        result = Tensor("", (outputs,), x.scale * scale, quantized=False)
        if self.chance(0.4):
            inputs = [x.name, g.constant(weights.T if (turned := self.chance(0.5)) else weights)]
            if self.chance(0.5):
                inputs.append(g.constant(self.rng.integers(-9, 9, outputs) * np.float32(result.scale)))
            result.name = g.add("Gemm", *inputs, transB=int(turned))
        else:
            result.name = g.add("MatMul", x.name, g.constant(weights))
        return self.activate(result)

    def _flatten(self, x: Tensor) -> Tensor:
        g = self.graph
        size = int(np.prod(x.shape))
        if self.chance(0.5):
            name = g.add("Flatten", x.name)
        else:
            name = g.add("Reshape", x.name, g.constant([1, -1] if self.chance(0.5) else [0, size], np.int64))
        return Tensor(name, (size,), x.scale, x.quantized)

    def _conv(self, x: Tensor) -> Tensor:
        g, axes = self.graph, len(x.shape) - 1
        kernel = [self.draw(1, min(3, size)) for size in x.shape[1:]]
        pads = [self.draw(0, k - 1) if self.chance(0.5) else 0 for k in (*kernel, *kernel)]
        strides = [self.draw(1, 2) for _ in range(axes)]
        groups = x.channels if self.chance(0.25) else 1
        outputs = groups * self.draw(1, 2) if groups > 1 else self.draw(1, 4)
        weights, scale = self._weights(outputs, x.channels // groups, *kernel)
        inputs = [x.name, g.constant(weights)]
        if self.chance(0.3):
            inputs.append(g.constant(self.rng.integers(-9, 9, outputs) * np.float32(x.scale * scale)))
        name = g.add("Conv", *inputs, strides=strides, pads=pads, group=groups)
        size = [(n + pads[a] + pads[a + axes] - kernel[a]) // strides[a] + 1 for a, n in enumerate(x.shape[1:])]
        return self.activate(Tensor(name, (outputs, *size), x.scale * scale, quantized=False))

    def _max(self, x: Tensor) -> Tensor:
        if min(x.shape[1:]) < 2:
            return self._linear(x)
        axes = len(x.shape) - 1
        pads = [self.draw(0, 1) for _ in range(2 * axes)] if self.chance(0.3) else [0] * 2 * axes
        name = self.graph.add("MaxPool", x.name, kernel_shape=[2] * axes, strides=[2] * axes, pads=pads)
        size = tuple((n + pads[a] + pads[a + axes] - 2) // 2 + 1 for a, n in enumerate(x.shape[1:]))
        return Tensor(name, (x.channels, *size), x.scale, x.quantized)

    def _average(self, x: Tensor) -> Tensor:
        g = self.graph
        if self.chance(0.5) or min(x.shape[1:]) < 2:
            name, size = g.add("GlobalAveragePool", x.name), (1, 1)
        else:
            name = g.add("AveragePool", x.name, kernel_shape=[2, 2], strides=[2, 2])
            size = (x.shape[1] // 2, x.shape[2] // 2)
        return self.quantize(Tensor(name, (x.channels, *size), x.scale / 4, quantized=False))

    def _residual(self, x: Tensor) -> Tensor:
        g = self.graph
        if len(x.shape) == 1:
            weights, scale = self._weights(x.channels, x.channels)
            inner = Tensor(g.add("MatMul", x.name, g.constant(weights)), x.shape, x.scale * scale, quantized=False)
        else:
            weights, scale = self._weights(x.channels, x.channels, 3, 3)
            name = g.add("Conv", x.name, g.constant(weights), pads=[1, 1, 1, 1])
            inner = Tensor(name, x.shape, x.scale * scale, quantized=False)
        branch = self.quantize(inner, plain=True)
        kind = "Sub" if self.chance(0.2) else "Add"
        return self.quantize(
            Tensor(g.add(kind, x.name, branch.name), x.shape, max(x.scale, branch.scale), quantized=False)
        )

    def _concat(self, x: Tensor) -> Tensor:
        g = self.graph
        inner = Tensor(g.add("Relu", x.name), x.shape, x.scale, quantized=False)
        branch = self.quantize(inner, plain=True)
        shape = (2 * x.channels, *x.shape[1:])
        joined = Tensor(g.add("Concat", branch.name, x.name, axis=1), shape, x.scale, quantized=False)
        return self.quantize(joined, plain=True)

    def _gather(self, x: Tensor) -> Tensor:
        order = self.rng.permutation(x.channels)[: self.rng.integers((x.channels + 1) // 2, x.channels, endpoint=True)]
        return Tensor(
            self.graph.add("Gather", x.name, self.graph.constant(order, np.int64), axis=1),
            (len(order), *x.shape[1:]),
            x.scale,
            x.quantized,
        )

    def _swap(self, x: Tensor) -> Tensor:
        name = self.graph.add("Transpose", x.name, perm=[0, 1, 3, 2])
        return Tensor(name, (x.channels, x.shape[2], x.shape[1]), x.scale, x.quantized)

    def activate(self, x: Tensor) -> Tensor:
        """Some arithmetic and activations, then a quantizer."""
        g = self.graph
        for _ in range(self.draw(0, 2)):
            kind = str(self.rng.choice(["Mul", "Add", "Sub", "Div", "norm", "Relu", "Clip", "LeakyRelu"]))
            if kind == "norm":
                held = [self.rng.normal(size=x.channels) for _ in range(3)] + [self.rng.uniform(0.3, 4, x.channels)]
                x.name = g.add("BatchNormalization", x.name, *(g.constant(one) for one in held))
            elif kind == "Clip":
                x.name = g.add("Clip", x.name, g.constant(-8 * x.scale), g.constant(9 * x.scale))
            elif kind in ("Relu", "LeakyRelu"):
                x.name = g.add(kind, x.name)
            else:
                reals = self.reals(x, x.scale if kind in ("Add", "Sub") else 1.0)
                x.name = g.add(kind, x.name, g.constant(np.where(reals == 0, np.float32(1), reals)))
        return self.quantize(x)

    def quantize(self, x: Tensor, wide: bool = False, plain: bool = False) -> Tensor:
        """A quantizer of the graph's style; `plain` keeps to one scale and no zero point."""
        g, rng = self.graph, self.rng
        scale = self.scale(0.25 if wide else max(2.0**-6, 4 * x.scale))
        if self.style == "qdq":
            zero = 0 if plain or self.chance(0.4) else self.draw(-20, 20)
            held = [g.constant(scale / 8), g.constant(zero, np.int8)]
            if self.chance(0.4):
                held = [g.constant(scale / 8), g.constant(abs(zero), np.uint8)]
            name = g.add("DequantizeLinear", g.add("QuantizeLinear", x.name, *held), *held)
            return Tensor(name, x.shape, scale / 8)
        if self.style == "thresholds" and not plain:
            return self._thresholds(x, scale)
        if self.chance(0.15) and not plain:
            return Tensor(g.add("BipolarQuant", x.name, g.constant(scale), domain=QONNX), x.shape, scale)
        bits, signed = self.draw(2, 6 if wide else 5), int(self.chance(0.6))
        zero = 0 if plain or self.chance(0.7) else self.draw(-3, 3)
        words: dict[str, Any] = {"narrow": int(signed and self.chance(0.3))}
        if not wide:
            words["rounding_mode"] = str(rng.choice(ROUNDINGS))
        words["shape"] = [1, *self.graph.shape] if x.name == "x" else None
        name = g.quant(x.name, bits, scale, signed, zero, **words)
        return Tensor(name, x.shape, scale)

    def _thresholds(self, x: Tensor, scale: float) -> Tensor:
        rows, steps = (x.channels if self.chance(0.6) else 1), int(self.rng.choice([1, 1, 3, 7, 10]))
        table = self.rng.integers(-9, 9, (rows, steps)) * scale / 2
        if not self.exact:
            table = table + self.rng.normal(size=table.shape) * scale / 4
        words: dict[str, Any] = {"out_dtype": "FLOAT32", "out_scale": scale, "out_bias": 0.0}
        if steps == 1 and self.chance(0.7):
            words = {"out_dtype": "BIPOLAR", "out_scale": 2.0, "out_bias": -1.0}
        elif self.chance(0.7):
            words = {"out_dtype": "INT4", "out_bias": float(self.draw(-4, 0))}
        layout = {1: "NC", 2: "NCW", 3: "NCHW"}[len(x.shape)]
        held = self.graph.constant(np.sort(table, axis=1))
        name = self.graph.add("MultiThreshold", x.name, held, domain=QONNX, data_layout=layout, **words)
        return Tensor(name, x.shape, words.get("out_scale", 1.0))

    def frames(self, count: int) -> NDArray[np.float32]:
        """Inputs as the graph is fed with them."""
        shape = (count, *self.graph.shape)
        if self.annotation == "BIPOLAR":
            return self.rng.choice([-1.0, 1.0], shape).astype(np.float32)
        if self.annotation:
            lo, hi = {"UINT8": (0, 255), "INT4": (-8, 7)}[self.annotation]
            return self.rng.integers(lo, hi, shape, endpoint=True).astype(np.float32)
        x = self.rng.normal(size=shape) * 1.5
        # Some on steps and halves of them.
        return np.where(self.rng.random(shape) < 0.5, np.rint(x * 8) / 8, x).astype(np.float32)
