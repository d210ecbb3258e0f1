"""ONNX graphs written node by node."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import ArrayLike
from onnx import TensorProto, helper, numpy_helper

QONNX = "qonnx.custom_op.general"
LAST = "qonnx.custom_op.channels_last"


class Graph:
    """A graph with the input "x" of `shape` (without batch); nodes are added in order."""

    def __init__(
        self,
        shape: tuple[int, ...],
        opset: int = 13,
        *,
        batch: Any = 1,
        annotation: str = "",
        element: int = TensorProto.FLOAT,
        versions: dict[str, int] | None = None,
    ) -> None:
        self.shape = shape
        self.opset = opset
        self.batch = batch
        self.annotation = annotation
        self.element = element
        self.versions = {QONNX: 1, LAST: 1, **(versions or {})}
        self.start(seed=0)

    def start(self, seed: int) -> None:
        """Empty the graph."""
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.annotations: dict[str, str] = {}
        self.known: list[onnx.ValueInfoProto] = []
        self.rng = np.random.default_rng(seed)

    def constant(self, values: ArrayLike, dtype: Any = np.float32) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.array(values, dtype=dtype), name))
        return name

    def add(
        self, kind: str, *inputs: str, domain: str = "", outputs: int = 1, shape: Any = None, **attributes: Any
    ) -> str:
        """Append a node; gives its last output, of `shape` (with batch) where the qonnx package needs to be told."""
        names = [f"{kind}_{len(self.nodes)}_out{place}" for place in range(outputs)]
        self.nodes.append(
            helper.make_node(kind, list(inputs), names, name=f"{kind}_{len(self.nodes)}", domain=domain, **attributes)
        )
        if shape is not None:
            self.known.append(helper.make_tensor_value_info(names[-1], TensorProto.FLOAT, shape))
        return names[-1]

    def quant(
        self, x: str, bits: int = 4, scale: ArrayLike = 0.25, signed: int = 1, zero: ArrayLike = 0, **attributes: Any
    ) -> str:
        """A Quant node."""
        inputs = [self.constant(scale), self.constant(zero), self.constant(bits)]
        words = {"signed": signed, "narrow": 0, "rounding_mode": "ROUND", **attributes}
        shape = [self.batch, *self.shape] if x == "x" else None
        return self.add("Quant", x, *inputs, domain=QONNX, **{"shape": shape, **words})

    def integers(self, *shape: int, lo: int = -7, hi: int = 7) -> Any:
        """Random integers as float32."""
        return self.rng.integers(lo, hi, shape, endpoint=True).astype(np.float32)

    def matmul(self, x: str, fan_in: int, fan_out: int) -> str:
        """A MatMul by random integers."""
        return self.add("MatMul", x, self.constant(self.integers(fan_in, fan_out)))

    def conv(self, x: str, channels: int, outputs: int, kernel: int = 3, **attributes: Any) -> str:
        """A 2-D Conv by random integers."""
        weights = self.integers(outputs, channels // attributes.get("group", 1), kernel, kernel)
        return self.add("Conv", x, self.constant(weights), **attributes)

    def model(self, *outputs: str) -> onnx.ModelProto:
        graph = helper.make_graph(
            self.nodes,
            "by_hand",
            [helper.make_tensor_value_info("x", self.element, [self.batch, *self.shape])],
            [helper.make_empty_tensor_value_info(name) for name in outputs],
            initializer=self.constants,
            value_info=self.known,
        )
        for name, word in {"x": self.annotation, **self.annotations}.items():
            if word:
                self.annotate(graph, name, word)
        opsets = [helper.make_opsetid("", self.opset), *(helper.make_opsetid(*one) for one in self.versions.items())]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
        # Types of outputs follow from the nodes.
        kinds = {node.output[-1]: node.op_type for node in self.nodes}
        for info in model.graph.output:
            index = kinds[info.name] in ("ArgMax", "TopK")
            info.type.tensor_type.elem_type = TensorProto.INT64 if index else TensorProto.FLOAT
        return model

    @staticmethod
    def annotate(graph: onnx.GraphProto, tensor: str, word: str) -> None:
        entry = graph.quantization_annotation.add()
        entry.tensor_name = tensor
        pair = entry.quant_parameter_tensor_names.add()
        pair.key, pair.value = "finn_datatype", word

    def save(self, path: Path, *outputs: str) -> Path:
        onnx.save(self.model(*outputs), str(path))
        return path
