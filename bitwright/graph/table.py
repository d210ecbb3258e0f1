"""A network as an aligned table of text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bitwright.graph.operation import Operation
from bitwright.graph.ops import (
    Add,
    Conv,
    Duplicate,
    Linear,
    MaxPool,
    Permute,
    Requant,
    SumPool,
    Threshold,
    TopK,
    Upsample,
)

if TYPE_CHECKING:
    from bitwright.graph.network import Network

COLUMNS = ("operation", "kind", "reads", "output", "type and shape", "parameters", "weight bits", "MACs")
RIGHT = ("weight bits", "MACs")


def network_table(network: Network) -> str:
    """One line for each operation, with totals; what `print(network)` shows."""
    rows = [("", "input", "", network.input_name, str(network.input_spec), _quantizer(network), "", "")]
    for operation in network.operations:
        rows.append(
            (
                operation.name,
                operation.kind,
                ", ".join(operation.inputs),
                operation.output,
                str(network.spec(operation.output)),
                parameters(operation),
                f"{operation.weight_bits:,}" if operation.weight_bits else "",
                f"{network.macs(operation):,}" if network.macs(operation) else "",
            )
        )
    rows.append(("total", "", "", "", "", "", f"{network.weight_bits:,}", f"{network.total_macs:,}"))
    widths = [max(len(row[i]) for row in (COLUMNS, *rows)) for i in range(len(COLUMNS))]
    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    lines = [f"Network '{network.name}': {network.input_name} -> {', '.join(network.outputs)}", _line(COLUMNS, widths)]
    lines += [rule, *(_line(row, widths) for row in rows[:-1]), rule, _line(rows[-1], widths)]
    return "\n".join(lines)


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    padded = (
        cell.rjust(width) if title in RIGHT else cell.ljust(width)
        for title, cell, width in zip(COLUMNS, cells, widths, strict=True)
    )
    return "  ".join(padded).rstrip()


def _quantizer(network: Network) -> str:
    quantizer = network.input_quantizer
    if quantizer is None:
        return ""
    if quantizer.kind == "bipolar":
        return f"+1 if x >= {quantizer.threshold:g} else -1"
    if quantizer.kind == "thresholds":
        rows = f", {len(quantizer.thresholds)} channels" if len(quantizer.thresholds) > 1 else ""
        return f"{len(quantizer.thresholds[0])} thresholds{rows}"
    shift = f" + {quantizer.zero_point}" if quantizer.zero_point else ""
    return f"round(x / {quantizer.scale:g}){shift}"


def _geometry(operation: Conv | MaxPool | SumPool) -> list[str]:
    """Stride, padding and dilation of a window, where they are not the usual ones."""
    usual = (1,) * len(operation.kernel) if isinstance(operation, Conv) else operation.kernel
    words = [] if operation.stride == usual else [f"stride {' x '.join(map(str, operation.stride))}"]
    if any(any(pair) for pair in operation.padding):
        pads = " x ".join(str(a) if a == b else f"{a}+{b}" for a, b in operation.padding)
        value = f" of {operation.pad_value}" if isinstance(operation, Conv) else ""
        words.append(f"padding {pads}{value}")
    if not isinstance(operation, SumPool) and any(d > 1 for d in operation.dilation):
        words.append(f"dilation {' x '.join(map(str, operation.dilation))}")
    return words


def parameters(operation: Operation) -> str:
    """The fields of an operation in a few words."""
    if isinstance(operation, Linear):
        outputs, inputs = operation.weights.shape
        return f"{operation.weight_type} {outputs} x {inputs}{'' if operation.bias is None else ', bias'}"
    if isinstance(operation, Conv):
        kernel = " x ".join(map(str, operation.kernel))
        outputs, inputs = len(operation.weights), operation.weights.shape[-1] * operation.groups
        words = [f"{operation.weight_type} {outputs} x {inputs}, kernel {kernel}", *_geometry(operation)]
        words += [f"{operation.groups} groups"] if operation.groups > 1 else []
        return ", ".join(words + ([] if operation.bias is None else ["bias"]))
    if isinstance(operation, MaxPool | SumPool):
        return ", ".join([f"kernel {' x '.join(map(str, operation.kernel))}", *_geometry(operation)])
    if isinstance(operation, Add):
        return "" if (operation.multipliers == 1).all() else f"times {', '.join(map(str, operation.multipliers))}"
    if isinstance(operation, Upsample):
        return f"times {' x '.join(map(str, operation.factors))}"
    if isinstance(operation, Threshold):
        channels, steps = operation.thresholds.shape
        falling = int((~operation.ascending).sum())
        return f"{channels} x {steps}{f', {falling} descending' if falling else ''}"
    if isinstance(operation, Requant):
        return f"{operation.multiplier.size} multipliers, shift {operation.shift}"
    if isinstance(operation, TopK):
        return f"k = {operation.k}"
    if isinstance(operation, Permute):
        return f"{operation.order.size} channels"
    if isinstance(operation, Duplicate):
        return f"{operation.copies.size} copies"
    return ""
