"""The shipped digits networks side by side: accuracy through the RTL, cycles, weight bits, energy."""

from __future__ import annotations

from dataclasses import replace

from rich.console import Console

import bitwright as bw
from bitwright.models import load, load_pretrained
from bitwright.report import Entry, measure, rich_table

PRECISIONS = ("w1a1", "w2a2", "w4a4", "w8a8")


def entry(precision: str) -> Entry:
    """One row: the network of a precision at 64 cycles a frame, verified on every test image."""
    data = load("digits")
    model = load_pretrained("digits", precision).model
    net = bw.lower(model, data.test_x[:32], name=f"digits_{precision}")
    design = bw.build(net, bw.fold(net, target_cycles=64))
    result = design.verify(model, data.test_x)
    right = float((result.outputs.argmax(axis=1) == data.test_y).mean())
    row = measure(design, name=precision, data=data.source)
    return replace(row, frames=len(data.test_x), proved=len(data.test_x), accuracy=right)


if __name__ == "__main__":
    Console(width=160).print(rich_table([entry(precision) for precision in PRECISIONS], "64-32-10 on digits"))
