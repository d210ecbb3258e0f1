"""A network as a JSON header plus a list of arrays, and back; every field is checked on the way back."""

from __future__ import annotations

import dataclasses
import functools
import sys
import typing
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright.errors import InputError
from bitwright.graph.network import Golden, Network
from bitwright.graph.operation import Operation
from bitwright.graph.ops import OPERATIONS
from bitwright.graph.scaling import InputQuantizer, OutputScale
from bitwright.graph.types import IntType, TensorSpec

Arrays = list[NDArray[Any]]
MAX_ELEMENTS = 1 << 31


def network_to_header(network: Network) -> tuple[dict[str, Any], Arrays]:
    """The JSON header and the arrays it refers to by index (`{"array": i}`)."""
    arrays: Arrays = []
    header = {
        "name": network.name,
        "input": {"name": network.input_name, "spec": _encode(network.input_spec, arrays)},
        "operations": [
            {
                "kind": operation.kind,
                "name": operation.name,
                "inputs": list(operation.inputs),
                "output": operation.output,
                "fields": {key: _encode(value, arrays) for key, value in operation.attributes().items()},
            }
            for operation in network.operations
        ],
        "outputs": list(network.outputs),
        "input_quantizer": _encode(network.input_quantizer, arrays),
        "output_scales": [
            {"output": tensor, "scale": _encode(scale.scale, arrays), "offset": _encode(scale.offset, arrays)}
            | _axes(scale.axes)
            for tensor, scale in sorted(network.output_scales.items())
        ],
        "golden": None
        if network.golden is None
        else {
            "inputs": _encode(network.golden.inputs, arrays),
            "outputs": [_encode(values, arrays) for values in network.golden.outputs],
        },
    }
    return header, arrays


def _encode(value: Any, arrays: Arrays) -> Any:
    if isinstance(value, np.ndarray):
        arrays.append(value)
        return {"array": len(arrays) - 1}
    if isinstance(value, IntType):
        return {"lo": value.lo, "hi": value.hi, "kind": value.kind}
    if isinstance(value, TensorSpec):
        return {"shape": list(value.shape), "dtype": _encode(value.dtype, arrays), "scale": value.scale}
    if isinstance(value, InputQuantizer):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        extra: dict[str, Any] = _axes(fields.pop("axes"))
        # Absent where they say nothing, as in the first files.
        precision, thresholds = fields.pop("precision"), fields.pop("thresholds")
        extra |= {} if precision == "float64" else {"precision": precision}
        extra |= {"thresholds": _encode(np.array(thresholds, dtype=np.float64), arrays)} if thresholds else {}
        return {key: _encode(item, arrays) for key, item in fields.items()} | extra
    if isinstance(value, tuple):
        return [_encode(item, arrays) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise InputError(f"cannot write a {type(value).__name__} into a network file")


def _axes(axes: tuple[int, ...] | None) -> dict[str, list[int]]:
    """The field of a file that permutes axes; absent where none are permuted, as in the first files."""
    return {} if axes is None else {"axes": list(axes)}


def network_from_header(header: dict[str, Any], arrays: Arrays) -> Network:
    """The inverse of `network_to_header`. Raises InputError naming the place."""
    top = _record(
        header,
        "header",
        ("name", "input", "operations", "outputs", "input_quantizer", "output_scales", "golden"),
    )
    source = _record(top["input"], "input", ("name", "spec"))
    return Network(
        name=_text(top["name"], "name"),
        input_name=_text(source["name"], "input name"),
        input_spec=_spec(source["spec"], "input"),
        operations=tuple(_operation(item, i, arrays) for i, item in enumerate(_list(top["operations"], "operations"))),
        outputs=tuple(_text(item, "outputs") for item in _list(top["outputs"], "outputs")),
        input_quantizer=_quantizer(top["input_quantizer"], arrays),
        output_scales=_scales(top["output_scales"], arrays),
        golden=_golden(top["golden"], arrays),
    )


def _operation(item: Any, index: int, arrays: Arrays) -> Operation:
    place = f"operation {index}"
    record = _record(item, place, ("kind", "name", "inputs", "output", "fields"))
    kind = _text(record["kind"], f"{place}: kind")
    if kind not in OPERATIONS:
        raise InputError(f"{place} is of unknown kind '{kind:.40}'; known are {', '.join(OPERATIONS)}")
    common = {field.name for field in dataclasses.fields(Operation)}
    wanted = tuple(field.name for field in dataclasses.fields(OPERATIONS[kind]) if field.name not in common)
    fields = _record(record["fields"], f"{place} ({kind})", wanted)
    tuples = _tuple_fields(OPERATIONS[kind])
    return OPERATIONS[kind](
        name=_text(record["name"], f"{place}: name"),
        inputs=tuple(_text(word, f"{place}: inputs") for word in _list(record["inputs"], f"{place}: inputs")),
        output=_text(record["output"], f"{place}: output"),
        **{
            key: (_tuple if key in tuples else _field)(value, f"{place} ({kind}): {key}", arrays)
            for key, value in fields.items()
        },
    )


@functools.cache
def _tuple_fields(operation: type[Operation]) -> frozenset[str]:
    """The fields of an operation that are tuples."""
    hints = typing.get_type_hints(operation)
    return frozenset(key for key, hint in hints.items() if typing.get_origin(hint) is tuple)


def _tuple(value: Any, place: str, arrays: Arrays) -> tuple[Any, ...]:
    """A list of integers, or of lists of integers, as tuples."""
    items = _list(value, place)
    return tuple(
        tuple(_integer(v, place) for v in item) if isinstance(item, list) else _integer(item, place) for item in items
    )


def _field(value: Any, place: str, arrays: Arrays) -> Any:
    if isinstance(value, dict):
        return _array(value, place, arrays) if "array" in value else _type(value, place)
    if value is None or isinstance(value, int):
        return value
    raise InputError(f"{place} is a {type(value).__name__}, not an integer, a type or an array")


def _quantizer(value: Any, arrays: Arrays) -> InputQuantizer | None:
    if value is None:
        return None
    place = "input_quantizer"
    later = ("axes", "precision", "thresholds")
    names = tuple(field.name for field in dataclasses.fields(InputQuantizer) if field.name not in later)
    record = _record(value, place, names, later)
    precision = record.get("precision", "float64")
    if precision not in ("float64", "float32"):
        raise InputError(f"{place}: unknown precision")
    if record["kind"] not in ("integer", "bipolar", "thresholds"):
        raise InputError(f"{place}: unknown kind")
    table: Any = np.zeros((0, 0))
    if "thresholds" in record:
        table = _array(record["thresholds"], f"{place}: thresholds", arrays)
        if table.ndim != 2 or table.dtype.kind != "f":
            raise InputError(f"{place}: thresholds must be (rows, steps) of real numbers")
    return InputQuantizer(
        dtype=_type(record["dtype"], place),
        scale=_real(record["scale"], f"{place}: scale"),
        zero_point=_integer(record["zero_point"], f"{place}: zero_point"),
        kind=record["kind"],
        threshold=_real(record["threshold"], f"{place}: threshold"),
        axes=_tuple(record["axes"], f"{place}: axes", []) if "axes" in record else None,
        precision=precision,
        thresholds=tuple(tuple(row) for row in table.tolist()),
    )


def _scales(value: Any, arrays: Arrays) -> dict[str, OutputScale]:
    scales: dict[str, OutputScale] = {}
    for item in _list(value, "output_scales"):
        record = _record(item, "output_scales", ("output", "scale", "offset"), ("axes",))
        scale, offset = (
            _array(record[key], f"output_scales: {key}", arrays)
            if isinstance(record[key], dict)
            else _real(record[key], f"output_scales: {key}")
            for key in ("scale", "offset")
        )
        axes = _tuple(record["axes"], "output_scales: axes", []) if "axes" in record else None
        scales[_text(record["output"], "output_scales")] = OutputScale(scale, offset, axes)
    return scales


def _golden(value: Any, arrays: Arrays) -> Golden | None:
    if value is None:
        return None
    record = _record(value, "golden", ("inputs", "outputs"))
    outputs = _list(record["outputs"], "golden outputs")
    return Golden(
        _array(record["inputs"], "golden inputs", arrays),
        tuple(_array(item, "golden outputs", arrays) for item in outputs),
    )


def _record(value: Any, place: str, keys: tuple[str, ...], optional: tuple[str, ...] = ()) -> Mapping[str, Any]:
    if not isinstance(value, dict) or set(value) - set(optional) != set(keys):
        raise InputError(f"{place} must have the fields {', '.join(keys) or '(none)'} and no others")
    return value


def _list(value: Any, place: str) -> list[Any]:
    if not isinstance(value, list):
        raise InputError(f"{place} must be a list")
    return value


def _text(value: Any, place: str) -> str:
    if not isinstance(value, str):
        raise InputError(f"{place} must be a string")
    return value


def _integer(value: Any, place: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 1 << 63:
        raise InputError(f"{place} must be an integer of at most 64 bits")
    return value


def _real(value: Any, place: str) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not abs(value) < sys.float_info.max:
        raise InputError(f"{place} must be a finite number")
    return float(value)


def _type(value: Any, place: str) -> IntType:
    record = _record(value, place, ("lo", "hi", "kind"))
    if record["kind"] not in ("integer", "bipolar", "ternary"):
        raise InputError(f"{place}: unknown kind of type")
    return IntType(_integer(record["lo"], place), _integer(record["hi"], place), record["kind"])


def _spec(value: Any, place: str) -> TensorSpec:
    record = _record(value, place, ("shape", "dtype", "scale"))
    shape = tuple(_integer(length, f"{place}: shape") for length in _list(record["shape"], f"{place}: shape"))
    count = 1
    for length in shape:
        count *= length
        if length < 1 or count > MAX_ELEMENTS:
            raise InputError(f"{place}: shape {shape} is empty or too large")
    scale = record["scale"]
    return TensorSpec(shape, _type(record["dtype"], place), None if scale is None else _real(scale, f"{place}: scale"))


def _array(value: Any, place: str, arrays: Arrays) -> NDArray[Any]:
    record = _record(value, place, ("array",))
    index = _integer(record["array"], place)
    if not 0 <= index < len(arrays):
        raise InputError(f"{place} refers to array {index}, which the file does not hold")
    return arrays[index]
