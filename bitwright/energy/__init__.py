"""Energy: events counted in a design, times a published technology table."""

from bitwright.energy.counts import EnergyRow
from bitwright.energy.estimate import estimate, estimate_stages
from bitwright.energy.report import EnergyReport, LayerEnergy
from bitwright.energy.technologies import TECHNOLOGIES, find_technology
from bitwright.energy.technology import Cost, Technology

__all__ = [
    "TECHNOLOGIES",
    "Cost",
    "EnergyReport",
    "EnergyRow",
    "LayerEnergy",
    "Technology",
    "estimate",
    "estimate_stages",
    "find_technology",
]
