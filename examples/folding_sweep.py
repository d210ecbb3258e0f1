"""How cycles and hardware trade: TFC w1a1 at five targets, by the exact cycle model and the counts of the design."""

from __future__ import annotations

import bitwright as bw
from bitwright.models import load, load_pretrained

TARGETS = (16, 64, 256, 1024, 4096)


def main() -> None:
    """Print a line for each target; nothing is simulated."""
    data = load("mnist")
    net = bw.lower(load_pretrained("tfc", "w1a1").model, data.test_x[:32], name="tfc")
    print(f"{'target':>8} {'interval':>9} {'latency':>8} {'products/cycle':>15} {'pJ/frame':>10}")
    for target in TARGETS:
        design = bw.build(net, bw.fold(net, target_cycles=target))
        report = design.cycles(frames=10)
        products = sum(one.pe * one.simd for one in design.folding.values())
        energy = design.energy().total_pj
        print(f"{target:>8} {report.interval:>9} {report.latency:>8} {products:>15} {energy:>10,.0f}")


if __name__ == "__main__":
    main()
