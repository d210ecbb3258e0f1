"""`bitwright convert`: a network from one file format to another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bitwright.cli.answer import JsonFlag, answer
from bitwright.cli.options import NetworkArgument
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


def convert(
    network: NetworkArgument,
    target: Annotated[Path, typer.Argument(metavar="TARGET", help="A network file (.bwn), or QONNX (.onnx).")],
    input_shape: InputShape = None,
    input_type: InputType = None,
    drop_softmax: DropSoftmax = False,
    as_json: JsonFlag = False,
) -> None:
    """Write a network as a network file or as QONNX; the ending of TARGET says which."""
    from bitwright.cli.subject import OnnxOptions, read_subject
    from bitwright.quantize.qonnx import write_qonnx

    if target.suffix not in (".bwn", ".onnx"):
        raise InputError(f"{target} ends in neither .bwn nor .onnx; name the file to write so")
    options = OnnxOptions(_shape(input_shape), input_type, drop_softmax)
    found = read_subject(network, onnx=options).network
    path = write_qonnx(found, target) if target.suffix == ".onnx" else found.save(target)
    document = {
        "file": str(path),
        "network": found.name,
        "digest": found.digest,
        "operations": len(found.operations),
        "weight_bits": found.weight_bits,
    }
    answer(document, f"{path}: {found.name}, {len(found.operations)} operations", as_json)


def _shape(given: str | None) -> tuple[int, ...] | None:
    if given is None:
        return None
    words = given.replace("x", ",").split(",")
    if not all(word.strip().isdecimal() for word in words):
        raise InputError(f"--input-shape must be whole numbers such as 1,28,28, not '{given}'")
    return tuple(int(word) for word in words)
