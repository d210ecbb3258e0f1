"""`bitwright convert`: a network from one file format to another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bitwright.cli.answer import JsonFlag, answer
from bitwright.cli.onnx_options import DropSoftmax, InputShape, InputType, onnx_options
from bitwright.cli.options import NetworkArgument
from bitwright.errors import InputError


def convert(
    network: NetworkArgument,
    target: Annotated[Path, typer.Argument(metavar="TARGET", help="A network file (.bwn), or QONNX (.onnx).")],
    input_shape: InputShape = None,
    input_type: InputType = None,
    drop_softmax: DropSoftmax = False,
    as_json: JsonFlag = False,
) -> None:
    """Write a network as a network file or as QONNX; the ending of TARGET says which."""
    from bitwright.cli.subject import read_subject
    from bitwright.quantize.qonnx import write_qonnx

    if target.suffix not in (".bwn", ".onnx"):
        raise InputError(f"{target} ends in neither .bwn nor .onnx; name the file to write so")
    found = read_subject(network, onnx=onnx_options(input_shape, input_type, drop_softmax)).network
    path = write_qonnx(found, target) if target.suffix == ".onnx" else found.save(target)
    document = {
        "file": str(path),
        "network": found.name,
        "digest": found.digest,
        "operations": len(found.operations),
        "weight_bits": found.weight_bits,
    }
    answer(document, f"{path}: {found.name}, {len(found.operations)} operations", as_json)
