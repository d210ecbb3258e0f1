"""Hardware: Amaranth cores, folding, assembly, Verilog."""

from __future__ import annotations

from bitwright.hw.accelerator import FABRICS, Accelerator, StageInfo
from bitwright.hw.assemble import assemble
from bitwright.hw.budget import Budget
from bitwright.hw.fold import estimated_cost, fold
from bitwright.hw.folding import Folding, LayerFolding, layer_cycles, sequential
from bitwright.hw.ports import PortSpec, WeightStream
from bitwright.hw.resources import MacUse, MemoryUse, StageResources
from bitwright.hw.sources import VerilogSources
from bitwright.hw.timing import Actor, Edge, TimingGraph

__all__ = [
    "FABRICS", "Accelerator", "Actor", "Budget", "Edge", "Folding", "LayerFolding", "MacUse", "MemoryUse", "PortSpec",
    "StageInfo", "StageResources", "TimingGraph", "VerilogSources", "WeightStream", "assemble",
    "estimated_cost", "fold", "layer_cycles", "sequential",
]  # fmt: skip
