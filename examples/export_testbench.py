"""Verilog and a testbench for a colleague who does not have bitwright; the folder is the first argument."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import bitwright as bw
from bitwright.models import load, load_pretrained


def main(folder: Path) -> None:
    """Write the design and say what is in it."""
    data = load("digits")
    net = bw.lower(load_pretrained("digits", "w1a1").model, data.test_x[:32], name="digits")
    bw.build(net, bw.fold(net, target_cycles=32)).write(folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    for port in manifest["ports"]:
        beats = f"{port['beats_per_frame']} beats of {port['lanes']} x {port['element_bits']} bits a frame"
        print(f"{port['name']} ({port['direction']}): {beats}")
    print(f"run the testbench by: make -C {folder / 'testbench'}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "digits_hw"))
