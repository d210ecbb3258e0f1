"""A network as an SVG picture: a box for each operation, an arrow for each tensor with its type."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from bitwright.graph.table import parameters
from bitwright.graph.writing import write_whole

if TYPE_CHECKING:
    from bitwright.graph.network import Network

BOX_HEIGHT, ROW, MARGIN, CHARACTER = 46, 92, 24, 7.2
COLOURS = {
    "Linear": "#cfe2ff", "Conv": "#cfe2ff", "Threshold": "#d8f0d3", "Requant": "#fdeccb", "ArgMax": "#f3d6e6",
    "TopK": "#f3d6e6", "MaxPool": "#d9d2ee", "SumPool": "#d9d2ee", "Add": "#fbd9d0", "Concat": "#fbd9d0",
}  # fmt: skip
OTHER, ENDS = "#ececec", "#ffffff"


def draw_network(network: Network, path: str | os.PathLike[str]) -> Path:
    """Write the picture (SVG) and return its path. Raises OutputError when the place cannot be written."""
    return write_whole(path, network_svg(network).encode(), "drawing")


def network_svg(network: Network) -> str:
    """The picture as SVG text: rows by distance from the input, operations of one row side by side."""
    rows = _rows(network)
    texts = {"in": ("input", network.input_name)}
    texts |= {f"op:{o.name}": (f"{o.name}", f"{o.kind} {parameters(o)}".strip()) for o in network.operations}
    texts |= {f"out:{tensor}": ("output", tensor) for tensor in network.outputs}
    widths = {node: max(110.0, CHARACTER * max(map(len, lines)) + 20) for node, lines in texts.items()}
    label = max(len(_label(network, tensor)) for tensor in network.specs) * CHARACTER
    total = max(sum(widths[node] + label for node in row) for row in rows) + 2 * MARGIN
    places: dict[str, tuple[float, float]] = {}
    for index, row in enumerate(rows):
        left = (total - sum(widths[node] + label for node in row)) / 2
        for node in row:
            left += label / 2 + widths[node] / 2
            places[node] = (left, MARGIN + index * ROW)
            left += label / 2 + widths[node] / 2
    height = MARGIN * 2 + (len(rows) - 1) * ROW + BOX_HEIGHT
    body = [_arrow(network, places, *edge) for edge in _edges(network)]
    body += [_box(*places[node], widths[node], texts[node], _colour(network, node)) for node in places]
    return "\n".join(
        [
            '<?xml version="1.0" encoding="UTF-8"?>',
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{total:.0f}" height="{height}" '
            f'viewBox="0 0 {total:.0f} {height}" font-family="monospace" font-size="12">',
            f"<title>{escape(network.name)}</title>",
            '<defs><marker id="tip" viewBox="0 0 10 10" refX="10" refY="5" markerWidth="7" markerHeight="7" '
            'orient="auto"><path d="M0,0 L10,5 L0,10 z"/></marker></defs>',
            '<rect width="100%" height="100%" fill="white"/>',
            *body,
            "</svg>\n",
        ]
    )


def _rows(network: Network) -> list[list[str]]:
    depth = {network.input_name: 0}
    rows = [["in"]]

    def place(node: str, level: int) -> None:
        while len(rows) <= level:
            rows.append([])
        rows[level].append(node)

    for operation in network.operations:
        level = 1 + max(depth[tensor] for tensor in operation.inputs)
        depth[operation.output] = level
        place(f"op:{operation.name}", level)
    for tensor in network.outputs:
        place(f"out:{tensor}", 1 + depth[tensor])
    return rows


def _edges(network: Network) -> list[tuple[str, str, str]]:
    """(tensor, node that makes it, node that reads it)."""
    makers = {network.input_name: "in"} | {o.output: f"op:{o.name}" for o in network.operations}
    edges = [(tensor, makers[tensor], f"op:{o.name}") for o in network.operations for tensor in o.inputs]
    return edges + [(tensor, makers[tensor], f"out:{tensor}") for tensor in network.outputs]


def _label(network: Network, tensor: str) -> str:
    return f"{tensor}: {network.spec(tensor)}"


def _colour(network: Network, node: str) -> str:
    kinds = {f"op:{o.name}": o.kind for o in network.operations}
    return COLOURS.get(kinds[node], OTHER) if node in kinds else ENDS


def _arrow(network: Network, places: dict[str, tuple[float, float]], tensor: str, maker: str, reader: str) -> str:
    (x1, y1), (x2, y2) = places[maker], places[reader]
    y1 += BOX_HEIGHT
    text = escape(_label(network, tensor))
    return (
        f'<line x1="{x1:.1f}" y1="{y1}" x2="{x2:.1f}" y2="{y2}" stroke="black" marker-end="url(#tip)"/>'
        f'<text x="{(x1 + x2) / 2 + 6:.1f}" y="{(y1 + y2) / 2 + 4:.1f}" fill="#555555" font-size="11">{text}</text>'
    )


def _box(x: float, y: float, width: float, lines: tuple[str, str], colour: str) -> str:
    return (
        f'<rect x="{x - width / 2:.1f}" y="{y}" width="{width:.1f}" height="{BOX_HEIGHT}" rx="6" '
        f'fill="{colour}" stroke="black"/>'
        f'<text x="{x:.1f}" y="{y + 19}" text-anchor="middle" font-weight="bold">{escape(lines[0])}</text>'
        f'<text x="{x:.1f}" y="{y + 36}" text-anchor="middle">{escape(lines[1])}</text>'
    )
