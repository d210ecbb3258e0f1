"""From a file to an ONNX model, with every way in which the file can be broken named."""

from __future__ import annotations

import graphlib
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper
from onnx.external_data_helper import load_external_data_for_tensor, uses_external_data

from bitwright.errors import LoweringError, NetworkFormatError
from bitwright.quantize.qonnx.model import CHANNELS_LAST, QONNX, Array, InputTensor, Model, Node, one_line

MAX_FILE_BYTES = (1 << 31) - 1
"""Protocol buffers hold no more."""

MAX_OPSET = 26
"""The newest standard operator set whose operators are known here."""

MIN_OPSET = 7
"""Older operator sets broadcast by other rules."""

DOMAINS = {
    "": "",
    "ai.onnx": "",
    "qonnx.custom_op.general": QONNX,
    "onnx.brevitas": QONNX,
    "finn.custom_op.general": QONNX,
    "finn": QONNX,
    "qonnx.custom_op.channels_last": CHANNELS_LAST,
}
"""The names under which tools write their operators."""


def load_model(path: str | os.PathLike[str]) -> Model:
    """Read and check an ONNX file.

    Raises NetworkFormatError for a file that is missing, too large, truncated, no ONNX model, of an operator set that
    is too new, or whose graph is not sound (cycles, tensors that nobody makes), and LoweringError for nodes with
    subgraphs.
    """
    file = Path(path)
    return _Reader(file, _parse(file)).model()


def _parse(file: Path) -> ModelProto:
    try:
        size = file.stat().st_size
        if size > MAX_FILE_BYTES:
            raise NetworkFormatError(
                f"{file} has {size / 2**30:.1f} GiB; an ONNX file holds at most 2: save the weights as external data"
            )
        content = file.read_bytes()
    except OSError as error:
        raise NetworkFormatError(f"cannot read {file} ({error.strerror or error}); check the path") from error
    proto = ModelProto()
    try:
        proto.ParseFromString(content)
    except DecodeError as error:
        raise NetworkFormatError(f"{file} is no ONNX model, or truncated; export it again") from error
    if not proto.HasField("graph") or not proto.graph.node:
        raise NetworkFormatError(f"{file} is no ONNX model: it holds no graph with nodes; export it again")
    if proto.functions:
        proto = _inlined(file, proto)
    return proto


def _inlined(file: Path, proto: ModelProto) -> ModelProto:
    from onnx import inliner

    try:
        return inliner.inline_local_functions(proto)
    except (RuntimeError, ValueError) as error:
        raise NetworkFormatError(f"{file}: its functions cannot be inlined ({error}); export without them") from error


class _Reader:
    def __init__(self, file: Path, proto: ModelProto) -> None:
        self.file = file
        self.proto = proto
        self.graph: GraphProto = proto.graph
        self.versions = self._versions()

    def error(self, text: str) -> NetworkFormatError:
        return NetworkFormatError(f"{self.file}: {one_line(text)}")

    def model(self) -> Model:
        self._check_words()
        if self.graph.sparse_initializer:
            raise self.error("holds sparse initializers; write them as dense ones")
        annotations = {
            one.tensor_name: entry.value
            for one in self.graph.quantization_annotation
            for entry in one.quant_parameter_tensor_names
            if entry.key == "finn_datatype"
        }
        constants = {tensor.name: self._array(tensor) for tensor in self.graph.initializer}
        nodes = self._sorted(constants)
        outputs = tuple(one.name for one in self.graph.output)
        if not outputs or len(set(outputs)) != len(outputs):
            raise self.error("a graph needs at least one output, each named once")
        known = {*constants, *(name for node in nodes for name in node.outputs)}
        source = self._input(constants, annotations)
        for name in outputs:
            if name not in known and name != source.name:
                raise self.error(f"nobody makes the output '{name}'; export it again")
        return Model(self.file.stem[:200] or "network", source, nodes, constants, outputs, annotations)

    def _check_words(self) -> None:
        """Protocol buffers give bytes for strings that are no UTF-8."""
        words = [word for node in self.graph.node for word in (node.name, node.op_type, node.domain)]
        words += [word for node in self.graph.node for part in (node.input, node.output) for word in part]
        words += [one.name for node in self.graph.node for one in node.attribute]
        words += [one.name for part in (self.graph.input, self.graph.output, self.graph.initializer) for one in part]
        words += [one.domain for one in self.proto.opset_import]
        for one in self.graph.quantization_annotation:
            words += [
                one.tensor_name,
                *(w for pair in one.quant_parameter_tensor_names for w in (pair.key, pair.value)),
            ]
        if not all(isinstance(word, str) for word in words):
            raise self.error("holds names that are no text; the file is damaged, export it again")

    def _versions(self) -> Mapping[str, int]:
        versions: dict[str, int] = {}
        for one in self.proto.opset_import:
            versions[DOMAINS.get(one.domain, one.domain)] = one.version
        standard = versions.get("", 0)
        if standard > MAX_OPSET:
            raise self.error(
                f"its operator set {standard} is newer than {MAX_OPSET}, the newest known here; "
                f"export with opset_version={min(MAX_OPSET, 20)}"
            )
        if 0 < standard < MIN_OPSET or (
            standard == 0 and any(node.domain in ("", "ai.onnx") for node in self.graph.node)
        ):
            raise self.error(
                f"its operator set is {standard or 'missing'}; export with opset_version={MIN_OPSET} to {MAX_OPSET}"
            )
        return versions

    def _array(self, tensor: TensorProto) -> Array:
        try:
            if uses_external_data(tensor):
                load_external_data_for_tensor(tensor, str(self.file.parent))
                # It is in the tensor now; NumPy would look for the file again, from another folder.
                tensor.data_location = TensorProto.DEFAULT
                del tensor.external_data[:]
            array: Array = numpy_helper.to_array(tensor)
        except (OSError, ValueError, TypeError, KeyError, onnx.checker.ValidationError) as error:
            line = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise self.error(f"constant '{tensor.name}' cannot be read ({line}); export it again") from error
        return array

    def _input(self, constants: Mapping[str, Array], annotations: Mapping[str, str]) -> InputTensor:
        inputs = [one for one in self.graph.input if one.name not in constants]
        if len(inputs) != 1:
            names = ", ".join(one.name for one in inputs[:5])
            raise self.error(f"takes {len(inputs)} inputs ({names}); a network has one: fix the others as constants")
        kind = inputs[0].type.tensor_type
        if not inputs[0].type.HasField("tensor_type") or not kind.elem_type:
            raise self.error(f"its input '{inputs[0].name}' is no tensor; export it again")
        try:
            dtype = np.dtype(helper.tensor_dtype_to_np_dtype(kind.elem_type))
        except (KeyError, TypeError, ValueError) as error:
            raise self.error(f"its input has the unknown element type {kind.elem_type}; use float32") from error
        shape = tuple(one.dim_value if one.HasField("dim_value") else None for one in kind.shape.dim)
        return InputTensor(inputs[0].name, shape, dtype, annotations.get(inputs[0].name, ""))

    def _sorted(self, constants: Mapping[str, Array]) -> tuple[Node, ...]:
        makers = Counter(name for node in self.graph.node for name in node.output if name)
        makers.update(one.name for one in self.graph.input if one.name not in constants)
        makers.update(list(constants))
        for name, count in makers.items():
            if count > 1:
                raise self.error(f"tensor '{name}' is made {count} times; every tensor has one maker")
        for node in self.graph.node:
            for name in node.input:
                if name and name not in makers:
                    raise self.error(
                        f"node '{node.name or node.op_type}' reads '{name}', which nobody makes; export it again"
                    )
        ordered = list(self.graph.node)
        if not self._is_sorted(ordered, {*makers} - {name for node in ordered for name in node.output}):
            maker = {name: index for index, node in enumerate(ordered) for name in node.output if name}
            before = {
                index: {maker[name] for name in node.input if name in maker} for index, node in enumerate(ordered)
            }
            try:
                ordered = [self.graph.node[index] for index in graphlib.TopologicalSorter(before).static_order()]
            except graphlib.CycleError as error:
                node = self.graph.node[error.args[1][0]]
                raise self.error(
                    f"its graph has a cycle through '{node.name or node.op_type}'; a network is acyclic"
                ) from error
        return tuple(self._node(index, node) for index, node in enumerate(ordered))

    @staticmethod
    def _is_sorted(nodes: list[NodeProto], given: set[str]) -> bool:
        done = {*given, ""}
        for node in nodes:
            if not all(name in done for name in node.input):
                return False
            done.update(node.output)
        return True

    def _node(self, index: int, node: NodeProto) -> Node:
        domain = DOMAINS.get(node.domain, node.domain)
        outputs = tuple(node.output)
        name = node.name or next(filter(None, outputs), f"{node.op_type}_{index}")
        attributes = {}
        for one in node.attribute:
            if one.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS):
                raise LoweringError(
                    one_line(name)[:200], f"{one_line(node.op_type)} holds a subgraph", "export without control flow"
                )
            attributes[one.name] = self._attribute(one)
        return Node(
            name, node.op_type, domain, tuple(node.input), outputs, attributes, self.versions.get(domain, 1), node
        )

    def _attribute(self, one: onnx.AttributeProto) -> Any:
        if one.type == onnx.AttributeProto.TENSOR:
            return self._array(one.t)
        value = helper.get_attribute_value(one)
        if isinstance(value, bytes):
            return value.decode("utf-8", "replace")
        return list(value) if one.type in (onnx.AttributeProto.INTS, onnx.AttributeProto.FLOATS) else value
