"""Simulation: Verilog at the speed of compiled code, the exact cycle model, and proofs that all of it agrees."""

from __future__ import annotations

from bitwright.sim.buffer_sizing import size_buffers
from bitwright.sim.cycle_model import CycleReport, StageCycles, cycles
from bitwright.sim.simulate import SimResult, build, simulate
from bitwright.sim.stalls import Stalls
from bitwright.sim.verify import verify

__all__ = ["CycleReport", "SimResult", "StageCycles", "Stalls", "build", "cycles", "simulate", "size_buffers", "verify"]
