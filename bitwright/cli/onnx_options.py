"""The options of commands that read ONNX files, for what such a file may not say itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from bitwright.errors import InputError

InputShape = Annotated[
    str | None, typer.Option("--input-shape", help="For ONNX with open axes: the input's shape, e.g. 1,28,28.")
]
InputType = Annotated[
    str | None, typer.Option("--input-type", help="For ONNX that is fed with integers: uint8, int4, bipolar ...")
]
DropSoftmax = Annotated[
    bool, typer.Option("--drop-softmax", help="For ONNX that ends in a Softmax: return the scores before it.")
]


@dataclass(frozen=True)
class OnnxOptions:
    """What an ONNX file may not say itself: see `bitwright.read_qonnx`. `input_type` is a word such as uint8."""

    input_shape: tuple[int, ...] | None = None
    input_type: str | None = None
    drop_softmax: bool = False


def onnx_options(input_shape: str | None, input_type: str | None, drop_softmax: bool) -> OnnxOptions:
    """The options together. Raises InputError for a shape that is none."""
    return OnnxOptions(_shape(input_shape), input_type, drop_softmax)


def _shape(given: str | None) -> tuple[int, ...] | None:
    if given is None:
        return None
    words = given.replace("x", ",").split(",")
    if not all(word.strip().isdecimal() for word in words):
        raise InputError(f"--input-shape must be whole numbers such as 1,28,28, not '{given}'")
    return tuple(int(word) for word in words)
