"""ONNX in and out: QONNX, FINN-style and QDQ graphs become integer networks, and networks become QONNX."""

from __future__ import annotations

from bitwright.quantize.qonnx.datatypes import finn_name, finn_type
from bitwright.quantize.qonnx.reading import read_qonnx
from bitwright.quantize.qonnx.writing import write_qonnx

__all__ = ["finn_name", "finn_type", "read_qonnx", "write_qonnx"]
