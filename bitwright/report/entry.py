"""What one design is and costs: a row of the comparison table and a section of the report."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class LayerEntry:
    """One stage of a design: its cycles for a frame and its energy (picojoules a frame) by kind of work."""

    name: str
    kind: str
    cycles: int
    macs: int
    energy_pj: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Entry:
    """One design. What was not measured is None and shown as a dash.

    `accuracy` is a fraction of `frames` labelled frames; `data` says which. `latency` and `interval` are cycles;
    frames a second follow from the interval at `clock_mhz`. Energy is picojoules a frame. `proved` counts frames on
    which RTL and PyTorch were found equal.
    """

    name: str
    network: str
    data: str
    clock_mhz: float
    latency: int
    interval: int | float
    frames: int = 0
    accuracy: float | None = None
    proved: int = 0
    device: str | None = None
    luts: int | None = None
    ffs: int | None = None
    brams: int | None = None
    dsps: int | None = None
    fmax_mhz: float | None = None
    energy_pj: float | None = None
    technology: str | None = None
    weight_bits: int = 0
    macs: int = 0
    layers: tuple[LayerEntry, ...] = ()
    drawing: str = ""
    files: dict[str, str] = field(default_factory=dict)

    @property
    def frames_per_second(self) -> float:
        """At `clock_mhz`, when frames follow each other without a gap."""
        return self.clock_mhz * 1e6 / self.interval

    @property
    def frames_per_second_at_fmax(self) -> float | None:
        """The same at the clock the device reaches, where it is known."""
        return None if self.fmax_mhz is None else self.fmax_mhz * 1e6 / self.interval

    def as_json(self) -> dict[str, Any]:
        """All figures as JSON values; the drawing is left out."""
        rates = {
            "frames_per_second": self.frames_per_second,
            "frames_per_second_at_fmax": self.frames_per_second_at_fmax,
        }
        document = {**asdict(self), **rates}
        del document["drawing"]
        return document
