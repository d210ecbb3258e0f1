"""The streams of a design as a simulator sees them: port names and bytes of one beat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bitwright.hw.ports import PortSpec, WeightStream


@dataclass(frozen=True)
class Interface:
    """One input stream, at least one output stream, and weight streams, by the prefixes of their signals."""

    input_name: str
    input_bytes: int
    output_names: tuple[str, ...]
    output_bytes: tuple[int, ...]
    weight_names: tuple[str, ...] = ()
    weight_bytes: tuple[int, ...] = ()

    @staticmethod
    def of(source: PortSpec, outputs: Sequence[PortSpec], weights: Sequence[WeightStream] = ()) -> Interface:
        """The interface of a design with these ports."""
        return Interface(
            source.name,
            source.data_width // 8,
            tuple(port.name for port in outputs),
            tuple(port.data_width // 8 for port in outputs),
            tuple(stream.port.name for stream in weights),
            tuple(stream.port.data_width // 8 for stream in weights),
        )

    def key(self) -> str:
        """A text that differs for different interfaces."""
        return repr(self)
