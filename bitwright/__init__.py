"""bitwright: compressed neural networks from PyTorch to verified hardware, bit for bit.

Names are loaded when they are first used, so that `import bitwright` is quick and brings in neither torch nor Amaranth.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from bitwright.design import Design as Design
    from bitwright.design import build as build
    from bitwright.design import fold as fold
    from bitwright.energy import EnergyReport as EnergyReport
    from bitwright.errors import BitwrightError as BitwrightError
    from bitwright.errors import CheckpointError as CheckpointError
    from bitwright.errors import DeadlockError as DeadlockError
    from bitwright.errors import DoesNotFitError as DoesNotFitError
    from bitwright.errors import FoldingError as FoldingError
    from bitwright.errors import InputError as InputError
    from bitwright.errors import LoweringError as LoweringError
    from bitwright.errors import MismatchError as MismatchError
    from bitwright.errors import NetworkFormatError as NetworkFormatError
    from bitwright.errors import OutputError as OutputError
    from bitwright.errors import SimulationError as SimulationError
    from bitwright.errors import SynthesisError as SynthesisError
    from bitwright.errors import ToolMissingError as ToolMissingError
    from bitwright.graph import BIPOLAR as BIPOLAR
    from bitwright.graph import TERNARY as TERNARY
    from bitwright.graph import IntType as IntType
    from bitwright.graph import Network as Network
    from bitwright.graph import TensorSpec as TensorSpec
    from bitwright.hw import Folding as Folding
    from bitwright.quantize import lower as lower
    from bitwright.quantize.qonnx import read_qonnx as read_qonnx
    from bitwright.quantize.qonnx import write_qonnx as write_qonnx
    from bitwright.sim import CycleReport as CycleReport
    from bitwright.sim import SimResult as SimResult
    from bitwright.sim import Stalls as Stalls
    from bitwright.synth import SynthReport as SynthReport

_HOME = {
    "build": "design",
    "Design": "design",
    "fold": "design",
    "EnergyReport": "energy",
    **dict.fromkeys(
        (
            "BitwrightError",
            "CheckpointError",
            "DeadlockError",
            "DoesNotFitError",
            "FoldingError",
            "InputError",
            "LoweringError",
            "MismatchError",
            "NetworkFormatError",
            "OutputError",
            "SimulationError",
            "SynthesisError",
            "ToolMissingError",
        ),
        "errors",
    ),
    **dict.fromkeys(("BIPOLAR", "TERNARY", "IntType", "Network", "TensorSpec"), "graph"),
    "Folding": "hw",
    "lower": "quantize",
    "read_qonnx": "quantize.qonnx",
    "write_qonnx": "quantize.qonnx",
    **dict.fromkeys(("CycleReport", "SimResult", "Stalls"), "sim"),
    "SynthReport": "synth",
}
_FOLDERS = ("energy", "graph", "hw", "models", "quantize", "sim", "synth")

__all__ = [*sorted(_HOME), *_FOLDERS]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """Load a public name on its first use (PEP 562)."""
        import importlib

        if name in _FOLDERS:
            return importlib.import_module(f"bitwright.{name}")
        if name not in _HOME:
            raise AttributeError(f"module 'bitwright' has no attribute {name!r}")
        value = getattr(importlib.import_module(f"bitwright.{_HOME[name]}"), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
