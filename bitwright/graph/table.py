"""A network as an aligned table of text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bitwright.graph.operation import Operation
from bitwright.graph.ops import Duplicate, Linear, Permute, Requant, Threshold, TopK

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
    shift = f" + {quantizer.zero_point}" if quantizer.zero_point else ""
    return f"round(x / {quantizer.scale:g}){shift}"


def parameters(operation: Operation) -> str:
    """The fields of an operation in a few words."""
    if isinstance(operation, Linear):
        outputs, inputs = operation.weights.shape
        return f"{operation.weight_type} {outputs} x {inputs}{'' if operation.bias is None else ', bias'}"
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
