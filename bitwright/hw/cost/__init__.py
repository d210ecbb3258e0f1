"""What a design costs before it is synthesized: LUTs, block RAMs and DSP blocks, estimated for three FPGA families.

Block RAMs and DSP blocks follow the rules by which Yosys maps memories and products (`memory`, `dsp`). LUTs are a sum
of terms that mean something in hardware (`tally`, and `stages` for what a stage is built of), each with a cost fitted
to Yosys' results (`coefficients.json`).
"""

from __future__ import annotations

from bitwright.hw.cost.estimate import Estimate, MemoryEstimate, StageEstimate, estimate
from bitwright.hw.cost.layers import Cost, converter_cost, layer_cost
from bitwright.hw.cost.memory import FAMILIES, Family, MemoryMapping, map_memory

__all__ = [
    "FAMILIES", "Cost", "Estimate", "Family", "MemoryEstimate", "MemoryMapping", "StageEstimate", "converter_cost",
    "estimate", "layer_cost", "map_memory",
]  # fmt: skip
