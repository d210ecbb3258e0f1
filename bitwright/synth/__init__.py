"""Synthesis: resources and clock frequency of a design on real devices, by Yosys and nextpnr."""

from bitwright.synth.devices import DEVICES, Device, find_device
from bitwright.synth.flow import synthesize, synthesize_sources
from bitwright.synth.nextpnr import CriticalPath
from bitwright.synth.report import SynthReport, Utilisation

__all__ = [
    "DEVICES",
    "CriticalPath",
    "Device",
    "SynthReport",
    "Utilisation",
    "find_device",
    "synthesize",
    "synthesize_sources",
]
