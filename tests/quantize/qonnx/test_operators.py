"""Every operator that is read, in every form, against the executor of the qonnx package."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto

from bitwright.graph import BIPOLAR, Network
from tests.quantize.qonnx.by_hand import LAST, QONNX, Graph
from tests.quantize.qonnx.golden import check

Build = Callable[[Graph], str]

CASES: dict[str, tuple[Graph, Build]] = {}


def case(name: str, shape: tuple[int, ...], opset: int = 13, **options: object) -> Callable[[Build], Build]:
    def register(build: Build) -> Build:
        assert name not in CASES
        CASES[name] = (Graph(shape, opset, **options), build)  # type: ignore[arg-type]
        return build

    return register


# Quantizers

for rounding in ("ROUND", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN", "half_even"):

    @case(f"quant {rounding}", (6,))
    def _(g: Graph, rounding: str = rounding) -> str:
        return g.quant(g.matmul(g.quant("x"), 6, 5), 3, 2.0, rounding_mode=rounding)


@case("quant unsigned narrow", (6,))
def _(g: Graph) -> str:
    return g.quant(g.matmul(g.quant("x", signed=0), 6, 5), 3, 1.5, signed=0, narrow=1)


@case("quant signed narrow to ternary", (6,))
def _(g: Graph) -> str:
    return g.quant(g.matmul(g.quant("x", 2, narrow=1), 6, 5), 2, 3.0, narrow=1)


@case("quant with zero point", (6,))
def _(g: Graph) -> str:
    h = g.quant(g.matmul(g.quant("x", 4, 0.25, 0, 5), 6, 5), 4, 1.25, 0, 7)
    return g.matmul(h, 5, 3)


@case("quant of one signed bit", (6,))
def _(g: Graph) -> str:
    return g.matmul(g.quant(g.matmul(g.quant("x", 1, 1.0), 6, 5), 1, 0.5), 5, 3)


@case("quant of one unsigned bit", (6,))
def _(g: Graph) -> str:
    return g.matmul(g.quant(g.matmul(g.quant("x", 1, 1.0, 0), 6, 5), 1, 0.5, 0), 5, 3)


@case("quant by channel", (3, 5, 5))
def _(g: Graph) -> str:
    scale = np.array([0.5, 1.5, 4.0, 0.25]).reshape(1, 4, 1, 1)
    return g.quant(g.conv(g.quant("x"), 3, 4), 4, scale, 1, np.array([0, 1, -2, 3]).reshape(1, 4, 1, 1))


@case("quant by element", (6,))
def _(g: Graph) -> str:
    return g.quant(g.matmul(g.quant("x"), 6, 4), 5, [[0.5, 1.5, 4.0, 0.25]])


@case("bipolar", (6,))
def _(g: Graph) -> str:
    h = g.add("BipolarQuant", "x", g.constant(1.0), domain=QONNX)
    h = g.add("Add", g.matmul(h, 6, 5), g.constant([0.0, 1.5, -2.0, 3.0, 0.5]))
    return g.matmul(g.add("BipolarQuant", h, g.constant(0.5), domain=QONNX), 5, 3)


@case("bipolar of an old domain", (6,), versions={"onnx.brevitas": 1})
def _(g: Graph) -> str:
    h = g.add("BipolarQuant", "x", g.constant(1.0), domain="onnx.brevitas")
    return g.add("BipolarQuant", g.matmul(h, 6, 5), g.constant(1.0), domain="onnx.brevitas")


@case("sign that meets zero", (6,))
def _(g: Graph) -> str:
    return g.matmul(g.add("Sign", g.matmul(g.quant("x"), 6, 5)), 5, 3)


@case("sign that never meets zero", (6,))
def _(g: Graph) -> str:
    h = g.add("Add", g.matmul(g.quant("x", scale=1.0), 6, 5), g.constant(0.5))
    return g.matmul(g.add("Sign", h), 5, 3)


@case("thresholds", (6,))
def _(g: Graph) -> str:
    table = np.sort(g.integers(5, 7, lo=-40, hi=40) / 4)
    h = g.matmul(g.quant("x", scale=1.0), 6, 5)
    h = g.add("MultiThreshold", h, g.constant(table), domain=QONNX, out_dtype="UINT3")
    return g.matmul(h, 5, 3)


@case("one row of thresholds for all", (6,))
def _(g: Graph) -> str:
    h = g.matmul(g.quant("x", scale=1.0), 6, 5)
    words = {"out_dtype": "INT2", "out_scale": 1.0, "out_bias": -2.0}
    return g.add("MultiThreshold", h, g.constant([[-9.5, 0, 7]]), domain=QONNX, **words)


@case("thresholds to signs", (6,), annotation="BIPOLAR")
def _(g: Graph) -> str:
    words = {"out_dtype": "BIPOLAR", "out_scale": 2.0, "out_bias": -1.0}
    h = g.add("MultiThreshold", g.matmul("x", 6, 5), g.constant(g.integers(5, 1)), domain=QONNX, **words)
    return g.matmul(h, 5, 3)


@case("thresholds times a fraction", (6,))
def _(g: Graph) -> str:
    words = {"out_dtype": "FLOAT32", "out_scale": 0.3, "out_bias": -0.7}
    h = g.add("MultiThreshold", g.matmul(g.quant("x"), 6, 5), g.constant(g.integers(5, 3)), domain=QONNX, **words)
    return g.matmul(h, 5, 3)


for layout in ("NCHW", "NHWC", ""):

    @case(f"thresholds of images {layout}", (3, 4, 5) if layout != "NHWC" else (4, 5, 3))
    def _(g: Graph, layout: str = layout) -> str:
        h = g.quant("x", scale=1.0)
        if layout == "NHWC":
            h = g.add("Conv", h, g.constant(g.integers(4, 1, 1, 3)), domain=LAST, kernel_shape=[1, 1], strides=[1, 1],
                      pads=[0, 0, 0, 0], dilations=[1, 1], group=1)  # fmt: skip
        else:
            h = g.conv(h, 3, 4, 1)
        table = g.constant(np.sort(g.integers(4, 3, lo=-30, hi=30)))
        return g.add("MultiThreshold", h, table, domain=QONNX, out_dtype="UINT2", data_layout=layout)


@case("trunc, first version", (4, 4, 4))
def _(g: Graph) -> str:
    h = g.quant("x", 4, 0.5, 0)
    h = g.add("Mul", g.add("AveragePool", h, kernel_shape=[2, 2], strides=[2, 2]), g.constant(4.0))
    inputs = [g.constant(one) for one in (0.5, 0, 6, 4)]
    return g.add("Trunc", h, *inputs, domain=QONNX, rounding_mode="FLOOR")


for rounding in ("FLOOR", "ROUND", "CEIL"):

    @case(f"trunc, second version, {rounding}", (6,), versions={QONNX: 2})
    def _(g: Graph, rounding: str = rounding) -> str:
        inputs = [g.constant(one) for one in (0.25, 0, 8, 4.0, 5)]
        h = g.matmul(g.quant("x", 4), 6, 5)
        return g.add("Trunc", h, *inputs, domain=QONNX, rounding_mode=rounding, signed=1, narrow=1)


# Products


@case("gemm", (6,))
def _(g: Graph) -> str:
    return g.add("Gemm", g.quant("x"), g.constant(g.integers(6, 4)), g.constant([1, -2, 3, 0.5]))


@case("gemm transposed, half steps", (6,))
def _(g: Graph) -> str:
    h = g.add("Gemm", g.quant("x"), g.constant(g.integers(4, 6) / 2), g.constant([1, -2, 3, 0.5]), transB=1)
    return g.quant(h, 3, 4.0)


@case("matmul of images", (4, 5, 6))
def _(g: Graph) -> str:
    return g.quant(g.matmul(g.quant("x"), 6, 3), 3, 4.0)


@case("xnor popcount", (8,), annotation="BINARY")
def _(g: Graph) -> str:
    h = g.add("XnorPopcountMatMul", "x", g.constant(g.integers(8, 5, lo=0, hi=1)), domain=QONNX)
    h = g.add("MultiThreshold", h, g.constant([[3], [4], [5], [4], [9]]), domain=QONNX, out_dtype="BINARY")
    return g.add("XnorPopcountMatMul", h, g.constant(g.integers(5, 3, lo=0, hi=1)), domain=QONNX)


@case("weights quantized in the graph, by channel", (6,))
def _(g: Graph) -> str:
    weights = g.constant(g.rng.normal(size=(4, 6)))
    scale = np.array([[0.25], [0.5], [1.0], [0.125]])
    held = g.add("Transpose", g.quant(weights, 4, scale, narrow=1), perm=[1, 0])
    return g.quant(g.add("MatMul", g.quant("x"), held), 4, 0.5)


@case("weights folded to reals", (6,))
def _(g: Graph) -> str:
    held = g.constant((g.integers(6, 4) * np.float32(0.1)).astype(np.float32))
    return g.quant(g.add("MatMul", g.quant("x"), held), 4, 0.5)


# Convolutions

CONVS = {
    "plain": {},
    "strided": {"strides": [2, 3]},
    "padded": {"pads": [1, 0, 2, 1]},
    "dilated": {"dilations": [2, 1]},
    "grouped": {"group": 2},
    "same upper": {"auto_pad": "SAME_UPPER", "strides": [2, 2]},
    "same lower": {"auto_pad": "SAME_LOWER", "strides": [2, 2]},
    "valid": {"auto_pad": "VALID", "kernel_shape": [3, 3]},
}
for word, attributes in CONVS.items():

    @case(f"conv {word}", (4, 7, 8))
    def _(g: Graph, attributes: dict[str, object] = attributes) -> str:
        return g.quant(g.conv(g.quant("x"), 4, 6, 3, **attributes), 3, 8.0)


@case("conv of signals with a bias", (3, 11))
def _(g: Graph) -> str:
    bias = g.constant([0.5, -1.25, 2.0, 0.0])
    h = g.add("Conv", g.quant("x"), g.constant(g.integers(4, 3, 3)), bias, pads=[1, 1], strides=[2])
    return g.quant(h, 4, 2.0)


@case("conv of bits padded with zero", (3, 5, 5))
def _(g: Graph) -> str:
    h = g.add("BipolarQuant", "x", g.constant(1.0), domain=QONNX)
    return g.quant(g.conv(h, 3, 4, pads=[1, 1, 1, 1]), 3, 8.0)


@case("conv of bits padded with -1", (3, 5, 5))
def _(g: Graph) -> str:
    h = g.add("BipolarQuant", "x", g.constant(1.0), domain=QONNX)
    pads = g.constant([0, 0, 1, 1, 0, 0, 2, 1], np.int64)
    return g.quant(g.conv(g.add("Pad", h, pads, g.constant(-1.0)), 3, 4), 3, 8.0)


@case("pad before pads of the same value", (3, 5, 5), opset=10)
def _(g: Graph) -> str:
    h = g.add("Pad", g.quant("x"), pads=[0, 0, 1, 0, 0, 0, 0, 1], value=0.0)
    return g.conv(h, 3, 4, pads=[1, 1, 1, 1])


@case("depthwise conv of channels with scales of their own", (3, 5, 5))
def _(g: Graph) -> str:
    scale = np.array([0.5, 1.0, 2.0]).reshape(1, 3, 1, 1)
    h = g.quant(g.conv(g.quant("x"), 3, 3), 4, scale)
    return g.quant(g.conv(h, 3, 6, group=3, pads=[1, 1, 1, 1]), 4, 2.0)


@case("channels last", (6, 5, 3), versions={LAST: 9})
def _(g: Graph) -> str:
    words = {"kernel_shape": [3, 3], "strides": [1, 1], "pads": [1, 1, 1, 1], "dilations": [1, 1], "group": 1}
    h = g.add("Conv", g.quant("x"), g.constant(g.integers(4, 3, 3, 3)), domain=LAST, shape=[1, 6, 5, 4], **words)
    held = [g.constant(one) for one in ([1.5, -2, 0.5, 1], [1, 0, -1, 2], [0.5, 3, 1, -4], [2.0, 9, 1, 4])]
    h = g.add("BatchNormalization", h, *held, domain=LAST, shape=[1, 6, 5, 4], epsilon=1e-5, momentum=0.9)
    h = g.quant(h, 4, 2.0, shape=[1, 6, 5, 4])
    return g.add("MaxPool", h, domain=LAST, kernel_shape=[2, 2], strides=[2, 2], pads=[0, 0, 0, 0])


@case("image columns and a matrix", (6, 5, 3))
def _(g: Graph) -> str:
    words = {"kernel_size": [3, 2], "stride": [2, 1], "pad_amount": [1, 0, 1, 1], "input_shape": "(1,6,5,3)"}
    h = g.quant("x", scale=1.0)
    g.annotations[h] = "INT4"
    h = g.add("Im2Col", h, domain=QONNX, **words)
    return g.quant(g.add("MatMul", h, g.constant(g.integers(18, 4))), 3, 8.0)


# Pools

POOLS = {
    "plain": {"kernel_shape": [2, 2]},
    "strided": {"kernel_shape": [3, 2], "strides": [2, 2]},
    "padded": {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]},
    "ceiled": {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1},
    "dilated": {"kernel_shape": [2, 2], "dilations": [2, 2]},
}
for word, attributes in POOLS.items():

    @case(f"max pool {word}", (3, 7, 7))
    def _(g: Graph, attributes: dict[str, object] = attributes) -> str:
        return g.add("MaxPool", g.quant("x"), **attributes)


@case("max pool before a scale of either sign", (3, 6, 6))
def _(g: Graph) -> str:
    h = g.add("Mul", g.conv(g.quant("x"), 3, 4), g.constant(np.array([1, -2, 0.5, -1]).reshape(4, 1, 1)))
    return g.quant(g.add("MaxPool", h, kernel_shape=[2, 2], strides=[2, 2]), 4, 2.0)


@case("average pool", (3, 6, 6))
def _(g: Graph) -> str:
    return g.quant(g.add("AveragePool", g.quant("x"), kernel_shape=[3, 2], strides=[3, 2]), 4, 0.25)


@case("average pool with pads that count", (3, 6, 6))
def _(g: Graph) -> str:
    words = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1], "count_include_pad": 1}
    return g.quant(g.add("AveragePool", g.quant("x"), **words), 4, 0.25)


@case("global pools", (3, 6, 5))
def _(g: Graph) -> str:
    h = g.quant("x")
    both = [g.quant(g.add(f"Global{word}Pool", h), 5, 0.125) for word in ("Average", "Max")]
    return g.matmul(g.add("Flatten", g.add("Concat", *both, axis=1)), 6, 4)


for kind, opset in (("ReduceMean", 13), ("ReduceMean", 18), ("ReduceSum", 13), ("ReduceMax", 13)):

    @case(f"{kind} of operator set {opset}", (3, 6, 5), opset=opset)
    def _(g: Graph, kind: str = kind, opset: int = opset) -> str:
        h = g.quant("x")
        if opset >= 18 or kind == "ReduceSum":
            h = g.add(kind, h, g.constant([2, 3], np.int64), keepdims=0)
        else:
            h = g.add(kind, h, axes=[-2, -1], keepdims=0)
        return g.matmul(g.quant(h, 4, 0.25), 3, 2)


@case("quantized average pool", (3, 6, 6), annotation="UINT4")
def _(g: Graph) -> str:
    return g.add("QuantAvgPool2d", "x", domain=QONNX, kernel=3, stride=3, ibits=4, obits=4, signed=0)


# Functions between integers


@case("batch norm of vectors", (6,))
def _(g: Graph) -> str:
    held = [g.constant(g.rng.normal(size=5)) for _ in range(3)] + [g.constant(g.rng.uniform(0.1, 30, 5))]
    return g.quant(g.add("BatchNormalization", g.matmul(g.quant("x"), 6, 5), *held), 3, 0.5)


CONSTANTS = {
    "Add": [[0.3], [-1.7], [2.2], [0.0]],
    "Sub": [[0.3], [-1.7], [2.2], [0.0]],
    "Mul": [[0.3], [-1.7], [2.2], [0.05]],
    "Div": [[0.3], [-1.7], [2.2], [16.0]],
}
for kind, held in CONSTANTS.items():
    for swapped in (False, True)[: 1 if kind == "Div" else 2]:

        @case(f"{kind} with a constant {'first' if swapped else 'second'}", (3, 11))
        def _(g: Graph, kind: str = kind, held: object = held, swapped: bool = swapped) -> str:
            h = g.add("Conv", g.quant("x"), g.constant(g.integers(4, 3, 3)))
            pair = [h, g.constant(held)]  # type: ignore[arg-type]
            return g.quant(g.add(kind, *(reversed(pair) if swapped else pair)), 4, 3.0)


@case("a constant for every element", (2, 3, 3))
def _(g: Graph) -> str:
    h = g.add("Add", g.conv(g.quant("x"), 2, 2, 1), g.constant(g.rng.normal(size=(1, 2, 3, 3))))
    return g.quant(h, 4, 1.0)


CLIPS: dict[str, tuple[int, Build]] = {
    "Relu": (13, lambda g: g.add("Relu", "h")),
    "Clip of operator set 6": (8, lambda g: g.add("Clip", "h", min=-3.5, max=6.0)),
    "Clip of operator set 11": (11, lambda g: g.add("Clip", "h", g.constant(-3.5), g.constant(6.0))),
    "Clip from above": (13, lambda g: g.add("Clip", "h", "", g.constant(6.0))),
    "Max": (13, lambda g: g.add("Max", "h", g.constant([-3.5, 0, -9, 2]))),
    "Min": (13, lambda g: g.add("Min", g.constant(6.0), "h")),
    "Elu": (13, lambda g: g.add("Elu", "h")),
    "Softplus": (13, lambda g: g.add("Softplus", "h")),
    "Softsign": (13, lambda g: g.add("Softsign", "h")),
    "Erf": (13, lambda g: g.add("Erf", "h")),
    "Neg": (13, lambda g: g.add("Neg", "h")),
    "LeakyRelu": (13, lambda g: g.add("LeakyRelu", "h", alpha=0.125)),
    "PRelu": (13, lambda g: g.add("PRelu", "h", g.constant([0.5, 0.25, 0.0, 0.125]))),
    "HardSigmoid": (13, lambda g: g.add("HardSigmoid", "h", alpha=0.1, beta=0.4)),
    "Sigmoid": (13, lambda g: g.add("Sigmoid", "h")),
    "Tanh": (13, lambda g: g.add("Tanh", "h")),
    "Identity": (13, lambda g: g.add("Identity", "h")),
    "Dropout": (13, lambda g: g.add("Dropout", "h")),
    "Cast": (13, lambda g: g.add("Cast", "h", to=TensorProto.FLOAT)),
}
for word, (opset, build) in CLIPS.items():

    @case(word, (6,), opset=opset)
    def _(g: Graph, build: Build = build) -> str:
        g.matmul(g.quant("x"), 6, 4)
        g.nodes[-1].output[0] = "h"
        return g.quant(build(g), 4, 0.0625 if g.opset > 0 else 1.0)


@case("relu and no quantizer before the next layer", (6,))
def _(g: Graph) -> str:
    return g.matmul(g.add("Relu", g.quant("x")), 6, 4)


# Joins


@case("add of equal scales", (3, 5, 5))
def _(g: Graph) -> str:
    h = g.quant("x")
    other = g.quant(g.conv(h, 3, 3, pads=[1, 1, 1, 1]), 4, 0.25)
    return g.quant(g.add("Add", h, other), 4, 0.5)


@case("add of scales 1 to 3", (3, 5, 5))
def _(g: Graph) -> str:
    h = g.quant("x")
    return g.add("Add", g.quant(g.conv(h, 3, 3, 1), 4, 0.75), h)


@case("sum of three, and a difference", (6,))
def _(g: Graph) -> str:
    parts = [g.quant(g.matmul(g.quant("x"), 6, 5), 4, scale) for scale in (0.5, 1.0, 2.0)]
    return g.quant(g.add("Sub", g.add("Sum", *parts), g.quant(g.matmul(parts[0], 5, 5), 3, 4.0)), 4, 1.0)


@case("concat of channels", (3, 5, 5))
def _(g: Graph) -> str:
    h = g.quant("x")
    parts = [h, g.quant(g.conv(h, 3, 2, 1), 3, 0.25)]
    return g.quant(g.conv(g.add("Concat", *parts, axis=1), 5, 4), 4, 1.0)


@case("concat of scales of their own", (6,))
def _(g: Graph) -> str:
    parts = [g.quant(g.matmul(g.quant("x"), 6, 3), 4, scale) for scale in (0.5, 3.0)]
    return g.quant(g.add("Concat", *parts, axis=-1), 4, 1.0)


SIZES: dict[str, tuple[int, Build]] = {
    "Upsample of operator set 7": (8, lambda g: g.add("Upsample", "h", scales=[1.0, 1.0, 2.0, 3.0])),
    "Upsample of operator set 9": (9, lambda g: g.add("Upsample", "h", g.constant([1, 1, 2, 3]))),
    "Resize of operator set 10": (10, lambda g: g.add("Resize", "h", g.constant([1, 1, 2, 3]))),
    "Resize by scales": (
        13,
        lambda g: g.add("Resize", "h", "", g.constant([1, 1, 2, 2]), coordinate_transformation_mode="half_pixel"),
    ),
    "Resize to a size": (
        13,
        lambda g: g.add(
            "Resize", "h", "", "", g.constant([1, 3, 8, 12], np.int64),
            coordinate_transformation_mode="asymmetric", nearest_mode="floor",
        ),
    ),
}  # fmt: skip
for word, (opset, build) in SIZES.items():

    @case(word, (3, 4, 4), opset=opset)
    def _(g: Graph, build: Build = build) -> str:
        g.quant("x")
        g.nodes[-1].output[0] = "h"
        return g.conv(build(g), 3, 4)


# Shapes


@case("flatten of images, then a layer", (3, 4, 5))
def _(g: Graph) -> str:
    return g.matmul(g.add("Flatten", g.quant(g.conv(g.quant("x"), 3, 2), 3, 2.0)), 12, 4)


@case("flatten of images, then scores", (3, 4, 5))
def _(g: Graph) -> str:
    return g.add("Flatten", g.quant(g.conv(g.quant("x"), 3, 2), 3, 2.0))


@case("reshape with 0 and -1", (3, 4, 5))
def _(g: Graph) -> str:
    h = g.add("Reshape", g.quant("x"), g.constant([0, -1], np.int64))
    return g.matmul(h, 60, 4)


@case("vector to image", (48,))
def _(g: Graph) -> str:
    h = g.add("Reshape", g.quant("x"), g.constant([1, 3, 4, 4], np.int64))
    return g.quant(g.conv(h, 3, 2), 4, 1.0)


@case("transposes", (4, 5, 3))
def _(g: Graph) -> str:
    h = g.add("Transpose", g.quant("x"), perm=[0, 3, 1, 2])
    h = g.quant(g.conv(h, 3, 4), 3, 2.0)
    return g.matmul(g.add("Transpose", h, perm=[0, 2, 3, 1]), 4, 2)


@case("a transpose that swaps height and width", (3, 4, 5))
def _(g: Graph) -> str:
    h = g.quant(g.conv(g.quant("x"), 3, 2), 3, 2.0)
    return g.matmul(g.add("Flatten", g.add("Transpose", h, perm=[0, 1, 3, 2])), 12, 4)


@case("another transpose in front of a convolution", (3, 4, 5))
def _(g: Graph) -> str:
    h = g.quant(g.conv(g.quant("x"), 3, 3, 1), 3, 2.0)
    return g.conv(g.add("Transpose", h, perm=[0, 1, 3, 2]), 3, 2)


for opset in (11, 13):

    @case(f"squeeze and unsqueeze of operator set {opset}", (3, 1, 7), opset=opset)
    def _(g: Graph, opset: int = opset) -> str:
        def axes(kind: str, x: str, axis: int) -> str:
            return g.add(kind, x, axes=[axis]) if opset < 13 else g.add(kind, x, g.constant([axis], np.int64))

        h = g.add("Conv", axes("Squeeze", g.quant("x"), 2), g.constant(g.integers(4, 3, 3)))
        return g.add("MaxPool", axes("Unsqueeze", g.quant(h, 3, 2.0), -2), kernel_shape=[1, 2])


for mode in ("DCR", "CRD"):

    @case(f"depth to space and back, {mode}", (8, 2, 3))
    def _(g: Graph, mode: str = mode) -> str:
        h = g.quant(g.conv(g.quant("x"), 8, 8, 1), 3, 2.0)
        h = g.quant(g.conv(g.add("DepthToSpace", h, blocksize=2, mode=mode), 2, 3, pads=[1, 1, 1, 1]), 4, 4.0)
        return g.add("SpaceToDepth", h, blocksize=2)


@case("an addition and a join of a tensor with itself", (6,))
def _(g: Graph) -> str:
    h = g.quant(g.matmul(g.quant("x"), 6, 4), 4, 0.5)
    h = g.add("Concat", h, g.add("Relu", h), axis=1)
    return g.matmul(g.quant(g.add("Add", h, h), 4, 1.5), 8, 3)


@case("add of two scales without a common step", (3, 5, 5))
def _(g: Graph) -> str:
    h = g.quant("x", 6, 0.31)
    return g.quant(g.add("Add", h, g.quant(g.conv(h, 3, 3, 1), 4, 0.7)), 6, 0.87)


@case("integer products", (3, 5, 5), element=TensorProto.UINT8)
def _(g: Graph) -> str:
    weights, zero = g.constant(g.integers(4, 3, 3, 3), np.int8), g.constant(128, np.uint8)
    h = g.add("ConvInteger", "x", weights, zero, pads=[1, 1, 1, 1])
    h = g.quant(g.add("Mul", g.add("Cast", h, to=TensorProto.FLOAT), g.constant(0.01)), 4, 1.0)
    return g.matmul(g.add("Flatten", h), 100, 2)


@case("gather as a permutation, and with copies", (6,))
def _(g: Graph) -> str:
    h = g.add("Gather", g.quant("x"), g.constant([5, 3, 1, 0, 2, 4], np.int64), axis=1)
    h = g.quant(g.add("Mul", h, g.constant([1.0, 2, 3, 4, 5, 6])), 4, 0.25)
    return g.quant(g.add("Gather", h, g.constant([5, -3, 1, 0, 0, 2, 4, 5], np.int64), axis=-1), 3, 0.5)


@case("gather of some elements, in another order and with copies", (4, 3, 2))
def _(g: Graph) -> str:
    h = g.add("Gather", g.quant("x", 3, 0.5), g.constant([2, 0, 2], np.int64), axis=1)
    h = g.quant(g.conv(h, 3, 4, 2), 4, 0.5)
    h = g.add("Gather", h, g.constant([-1, 0], np.int64), axis=1)
    return g.matmul(g.add("Flatten", h), 4, 3)


@case("split of channels, each half by itself", (6, 4, 4))
def _(g: Graph) -> str:
    h = g.quant("x", 4, 0.5)
    right = g.add("Split", h, g.constant([4, 2], np.int64), axis=1, outputs=2)
    left = right.removesuffix("1") + "0"
    left = g.quant(g.conv(left, 4, 5, 3, pads=[1, 1, 1, 1]), 3, 1.5)
    return g.quant(g.add("Concat", left, g.quant(right, 3, 1.5), axis=1), 3, 1.5)


@case("slices of channels, rows and columns", (4, 6, 5))
def _(g: Graph) -> str:
    h = g.quant("x", 3, 0.5)
    bounds = [g.constant(one, np.int64) for one in ([0, -1], [3, -9], [1, 2], [2, -2])]
    h = g.add("Slice", h, *bounds)
    h = g.add("Slice", h, g.constant([1], np.int64), g.constant([2**62], np.int64), g.constant([-1], np.int64))
    return g.quant(g.conv(h, 2, 3, 2), 4, 0.5)


@case("a slice of signs behind a batch norm", (6,))
def _(g: Graph) -> str:
    scale, bias, mean, var = (g.constant(one) for one in ([1.0, -2, 0.5], [0.25, 0, 1], [0.5, -1, 2], [1.0, 4, 0.25]))
    h = g.add("BipolarQuant", "x", g.constant(1.0), domain=QONNX)
    h = g.add("Slice", h, *(g.constant([one], np.int64) for one in (1, 6, 1, 2)))
    h = g.add("BatchNormalization", h, scale, bias, mean, var)
    return g.matmul(g.quant(h, 3, 0.5), 3, 2)


for opset in (9, 11, 18):

    @case(f"split and slice of operator set {opset}, a part unused", (7 if opset >= 18 else 6,), opset=opset)
    def _(g: Graph, opset: int = opset) -> str:
        h = g.quant("x", 3, 0.5)
        words = {"num_outputs": 3} if opset >= 18 else {} if opset == 11 else {"split": [3, 2, 1]}
        first = g.add("Split", h, outputs=3, axis=1, **words).removesuffix("2") + "0"
        if opset == 9:
            h = g.add("Slice", first, starts=[1], ends=[2], axes=[1])
        else:
            h = g.add("Slice", first, *(g.constant([one], np.int64) for one in (1, 2, 1)))
        return g.matmul(h, 1, 3)


@case("sliced weights", (4,))
def _(g: Graph) -> str:
    weights = g.quant(g.constant(g.integers(6, 3)), 4, 1.0)
    rows = g.add("Slice", weights, *(g.constant([one], np.int64) for one in (2, 6, 0)))
    return g.add("MatMul", g.quant("x"), rows)


# Constants


@case("shape arithmetic and constant nodes", (3, 4, 5))
def _(g: Graph) -> str:
    h = g.quant("x")
    first = g.add("Constant", value_int=0)
    batch = g.add("Gather", g.add("Shape", h), first, axis=0)
    batch = g.add("Unsqueeze", batch, g.constant([0], np.int64))
    rest = g.add("Constant", value_ints=[-1])
    h = g.add("Reshape", h, g.add("Concat", batch, rest, axis=0))
    weights = g.add("Mul", g.constant(g.integers(60, 4)), g.add("Constant", value_float=0.5))
    return g.quant(g.add("MatMul", h, weights), 4, 2.0)


# Ends


@case("argmax", (6,))
def _(g: Graph) -> str:
    return g.add("ArgMax", g.matmul(g.quant("x"), 6, 5), axis=-1, keepdims=0)


@case("argmax that keeps its axis, behind a softmax and a bias", (6,))
def _(g: Graph) -> str:
    h = g.add("Add", g.matmul(g.quant("x"), 6, 5), g.constant([0.5, 1.0, -0.25, 2, 0]))
    return g.add("ArgMax", g.add("Softmax", h), axis=1)


for opset in (9, 10, 13):

    @case(f"topk of operator set {opset}", (6,), opset=opset)
    def _(g: Graph, opset: int = opset) -> str:
        scores = g.matmul(g.quant("x"), 6, 5)
        if opset < 10:
            return g.add("TopK", scores, outputs=2, k=3, axis=1)
        return g.add("TopK", scores, g.constant([3], np.int64), outputs=2)


# QuantizeLinear and DequantizeLinear


def _qdq(g: Graph, x: str, scale: float, zero: int, dtype: type = np.int8) -> str:
    held = [g.constant(scale), g.constant(zero, dtype)]
    return g.add("DequantizeLinear", g.add("QuantizeLinear", x, *held), *held)


@case("qdq of vectors", (6,))
def _(g: Graph) -> str:
    weights = g.add("DequantizeLinear", g.constant(g.integers(6, 5), np.int8), g.constant(0.5), g.constant(0, np.int8))
    h = g.add("MatMul", _qdq(g, "x", 0.125, 3), weights)
    return _qdq(g, h, 0.75, -7)


@case("qdq of images, by channel, with an int32 bias", (3, 5, 5))
def _(g: Graph) -> str:
    steps = np.array([0.25, 0.5, 1.0, 0.125])
    weights = g.add(
        "DequantizeLinear", g.constant(g.integers(4, 3, 3, 3), np.int8), g.constant(steps),
        g.constant(np.zeros(4), np.int8), axis=0,
    )  # fmt: skip
    bias = g.add(
        "DequantizeLinear", g.constant([5, -9, 100, 0], np.int32), g.constant(steps * 0.125),
        g.constant(np.zeros(4), np.int32), axis=0,
    )  # fmt: skip
    h = g.add("Conv", _qdq(g, "x", 0.125, 128, np.uint8), weights, bias, pads=[1, 1, 1, 1])
    h = _qdq(g, g.add("Relu", h), 0.5, 0, np.uint8)
    return g.add("MaxPool", h, kernel_shape=[2, 2], strides=[2, 2])


@case("integers as they are", (6,), element=TensorProto.UINT8)
def _(g: Graph) -> str:
    return g.quant(g.matmul(g.add("Cast", "x", to=TensorProto.FLOAT), 6, 4), 3, 64.0)


@case("pixels, scaled in the graph", (1, 4, 4), annotation="UINT8")
def _(g: Graph) -> str:
    h = g.add("Sub", g.add("Div", "x", g.constant(255.0)), g.constant(0.5))
    return g.matmul(g.add("Flatten", g.quant(h, 4, 0.0625)), 16, 3)


def _frames(g: Graph) -> NDArray[Any]:
    rng = np.random.default_rng(8)
    if g.element == TensorProto.UINT8:
        return rng.integers(0, 256, (4, *g.shape)).astype(np.uint8)
    if g.annotation == "BIPOLAR":
        return rng.choice([-1.0, 1.0], (4, *g.shape)).astype(np.float32)
    if g.annotation:
        top = {"BINARY": 1, "UINT4": 15, "UINT8": 255}[g.annotation]
        return rng.integers(0, top, (4, *g.shape), endpoint=True).astype(np.float32)
    return (rng.normal(size=(4, *g.shape)) * 1.5).astype(np.float32)


@pytest.mark.parametrize("name", CASES)
def test_an_operator_has_the_executors_integers(name: str, tmp_path: Path) -> None:
    _network(name, tmp_path)


def _network(name: str, tmp_path: Path) -> Network:
    graph, build = CASES[name]
    graph.start(seed=len(name))
    return check(graph.save(tmp_path / "net.onnx", build(graph)), _frames(graph))


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("sign that never meets zero", "Linear Threshold Linear"),
        ("flatten of images, then a layer", "Conv Threshold Flatten Linear"),
        ("flatten of images, then scores", "Conv Threshold Flatten Permute"),
        ("transposes", "Conv Threshold Linear"),
        ("vector to image", "Reshape Conv Threshold"),
        ("image columns and a matrix", "Conv Threshold"),
        ("xnor popcount", "Linear Threshold Linear"),
        ("max pool before a scale of either sign", "Conv Requant MaxPool Threshold"),
        ("conv of bits padded with -1", "Conv Threshold"),
    ],
)
def test_what_becomes_of_a_graph(name: str, kinds: str, tmp_path: Path) -> None:
    if name == "vector to image":
        # The bits of a channel are not those of an image: rearranging them is hardware.
        kinds = "Permute Reshape Conv Threshold"
    network = _network(name, tmp_path)
    assert [one.kind for one in network.operations] == kinds.split()


def test_bits_and_their_padding(tmp_path: Path) -> None:
    network = _network("conv of bits padded with -1", tmp_path)
    conv = network.operations[0]
    assert network.input_spec.dtype == BIPOLAR
    assert (conv.pad_value, conv.padding) == (-1, ((1, 2), (1, 1)))  # type: ignore[attr-defined]
    zero = _network("conv of bits padded with zero", tmp_path).operations[0]
    assert zero.pad_value == 0  # type: ignore[attr-defined]
