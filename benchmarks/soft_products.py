"""LUTs of single multipliers without DSP blocks, as Yosys builds them.

`python -m benchmarks.soft_products FAMILY ...` maps one product of every pair of widths and signs of a grid and writes
their LUTs to `bitwright/hw/cost/products.json`, from which estimates interpolate.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bitwright.hw import cost
from bitwright.hw.cost import FAMILIES, Family
from bitwright.hw.cost.soft_product import FILE, SIGNS
from bitwright.synth.cells import summarise
from bitwright.synth.devices import find_device
from bitwright.synth.netlist import map_commands, write_maps
from bitwright.synth.process import Deadline
from bitwright.synth.yosys import run_yosys

DEVICES: dict[Family, str] = {"ecp5": "ecp5-85k", "ice40": "ice40-hx8k", "xilinx7": "xc7z020"}
WIDTHS = (2, 3, 4, 5, 6, 8, 12, 18)


def product_text(name: str, a: int, b: int, signs: str) -> str:
    """A module with one product between registers; beside a signed operand the other gets a sign of 0."""
    operands = []
    for sign, operand in zip(signs, ("x_held", "w_held"), strict=True):
        extended = operand if sign == "s" or "s" not in signs else f"{{1'b0, {operand}}}"
        operands.append(f"$signed({extended})" if "s" in signs else extended)
    return (
        f"(* keep_hierarchy *) module {name}(input c, input [{a - 1}:0] x, input [{b - 1}:0] w, "
        f"output reg [{a + b - 1}:0] y);\nreg [{a - 1}:0] x_held; reg [{b - 1}:0] w_held;\n"
        f"always @(posedge c) begin x_held <= x; w_held <= w; y <= {operands[0]} * {operands[1]}; end\nendmodule\n"
    )


def luts(family: Family, modules: Mapping[str, str]) -> dict[str, int]:
    """LUTs of each module, all mapped in one design."""
    ports, body = ["input c"], []
    for name, text in modules.items():
        names = []
        for declaration in text[text.index("(input") + 1 : text.index(");")].split(", ")[1:]:
            *words, port = declaration.split()
            ports.append(" ".join([*(word for word in words if word != "reg"), f"{name}_{port}"]))
            names.append(f"{name}_{port}")
        body.append(f"{name} u_{name}(c, {', '.join(names)});")
    top = f"module top({', '.join(ports)});\n" + "\n".join(body) + "\nendmodule\n"
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "top.v").write_text("".join(modules.values()) + top)
        write_maps(Path(folder))
        commands = map_commands(find_device(DEVICES[family]), "top", False)
        script = "\n".join(["read_verilog -sv top.v", *commands, "tee -q -o stat.json stat -json"])
        run_yosys(script, Path(folder), Deadline(1200))
        found = json.loads((Path(folder) / "stat.json").read_text())["modules"]
    cells = {name.strip("\\"): summarise(family, module["num_cells_by_type"]) for name, module in found.items()}
    return {name: cells[name].luts for name in modules}


def products(family: Family) -> dict[str, list[list[int]]]:
    """{signs of both operands: LUTs by width of the first and of the second}."""
    names = {(signs, a, b): f"product_{signs}_{a}_{b}" for signs in SIGNS for a in WIDTHS for b in WIDTHS}
    found = luts(family, {name: product_text(name, a, b, signs) for (signs, a, b), name in names.items()})
    return {signs: [[found[names[signs, a, b]] for b in WIDTHS] for a in WIDTHS] for signs in SIGNS}


def write(path: Path, found: Mapping[str, Any]) -> None:
    """The file, one family a line."""
    parts = []
    for key, value in found.items():
        text = json.dumps(value)
        if isinstance(value, dict):
            text = "{\n" + ",\n".join(f'    "{name}": {json.dumps(table)}' for name, table in value.items()) + "\n  }"
        parts.append(f'  "{key}": {text}')
    path.write_text("{\n" + ",\n".join(parts) + "\n}\n")


def main() -> None:
    """Measure the families given and keep what is known of the others."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soft_products")
    parser.add_argument("families", nargs="+", choices=FAMILIES)
    path = Path(cost.__file__).parent / FILE
    found = json.loads(path.read_text()) | {"widths": list(WIDTHS)}
    for family in parser.parse_args().families:
        found["luts"][family] = products(family)
    write(path, found)


if __name__ == "__main__":
    main()
