"""An ONNX graph under construction, in which every tensor holds integers as float32."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from onnx.helper import make_opsetid

from bitwright.errors import InputError
from bitwright.graph import IntArray, IntType
from bitwright.quantize.qonnx.datatypes import finn_name
from bitwright.quantize.qonnx.model import Array

OPSET = 13
"""The standard operator set that is written: known to every tool of the last years."""

IR_VERSION = 8

QONNX_DOMAIN = "qonnx.custom_op.general"

EXACT = 1 << 24
"""Integers up to this are exact in float32."""


class Sketch:
    """Nodes, constants and shapes so far. Tensors are of batch 1."""

    def __init__(self, name: str) -> None:
        """An empty graph."""
        self.name = name
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self.annotations: dict[str, str] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.kinds: dict[str, int] = {}
        self.names: set[str] = set()

    def unique(self, wanted: str) -> str:
        """`wanted`, with a number when it is taken."""
        found, number = wanted, 1
        while found in self.names:
            found, number = f"{wanted}_{number}", number + 1
        self.names.add(found)
        return found

    def constant(self, wanted: str, values: Array, dtype: IntType | None = None) -> str:
        """A constant; `dtype` annotates integers that float32 carries."""
        name = self.unique(wanted)
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        if dtype is not None:
            self.annotations[name] = finn_name(dtype)
        return name

    def integers(self, wanted: str, values: IntArray, dtype: IntType | None = None) -> str:
        """A float32 constant of integers. Raises InputError for those that float32 rounds."""
        if np.abs(values).max(initial=0) > EXACT:
            raise InputError(f"'{wanted}' holds integers beyond 2^24, which float32 rounds; use fewer bits")
        return self.constant(wanted, values.astype(np.float32), dtype)

    def node(
        self,
        kind: str,
        inputs: list[str],
        output: str,
        shape: tuple[int, ...],
        *,
        domain: str = "",
        element: int = TensorProto.FLOAT,
        outputs: list[str] | None = None,
        **attributes: Any,
    ) -> str:
        """Append a node of one output (a name that is unique already); gives the output."""
        held = {key: value for key, value in attributes.items() if value is not None}
        made = helper.make_node(
            kind, inputs, outputs or [output], name=f"{kind}_{len(self.nodes)}", domain=domain, **held
        )
        self.nodes.append(made)
        self.shapes[output], self.kinds[output] = shape, element
        return output

    def model(self, source: str, outputs: list[str]) -> ModelProto:
        """The model that takes `source`."""
        graph = helper.make_graph(
            self.nodes,
            self.name,
            [self._info(source)],
            [self._info(name) for name in outputs],
            initializer=self.constants,
            value_info=[self._info(name) for name in self.shapes if name not in (source, *outputs)],
        )
        for name, word in self.annotations.items():
            entry = graph.quantization_annotation.add()
            entry.tensor_name = name
            pair = entry.quant_parameter_tensor_names.add()
            pair.key, pair.value = "finn_datatype", word
        opsets = [make_opsetid("", OPSET), make_opsetid(QONNX_DOMAIN, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="bitwright")

    def _info(self, name: str) -> Any:
        return helper.make_tensor_value_info(name, self.kinds[name], self.shapes[name])
