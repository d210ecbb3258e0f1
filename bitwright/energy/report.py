"""What the energy of a design was estimated to be, layer by layer."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from bitwright.energy.counts import EnergyRow


@dataclass(frozen=True)
class LayerEnergy:
    """One stage of a design and its events in a frame."""

    name: str
    rows: tuple[EnergyRow, ...]

    @property
    def total_pj(self) -> float:
        """Picojoules a frame."""
        return sum(row.total_pj for row in self.rows)

    @property
    def by_kind(self) -> dict[str, float]:
        """Picojoules a frame of each kind of event."""
        return _sum_by_kind(self.rows)


@dataclass(frozen=True)
class EnergyReport:
    """Dynamic energy of one frame: events counted in the design, times the costs of one technology.

    `cycles_per_frame`: the cycles in which registers were counted. `notes`: what the figure leaves out and rests on.
    """

    design: str
    technology: str
    node_nm: int
    voltage: float
    source: str
    cycles_per_frame: float
    layers: tuple[LayerEnergy, ...]
    notes: tuple[str, ...]

    @property
    def total_pj(self) -> float:
        """Picojoules a frame."""
        return sum(layer.total_pj for layer in self.layers)

    @property
    def by_kind(self) -> dict[str, float]:
        """Picojoules a frame of each kind of event, over all layers."""
        return _sum_by_kind(tuple(row for layer in self.layers for row in layer.rows))

    @property
    def by_layer(self) -> dict[str, float]:
        """Picojoules a frame of each layer."""
        return {layer.name: layer.total_pj for layer in self.layers}

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON values, totals included."""
        document = asdict(self)
        document["notes"] = list(self.notes)
        document["total_pj"] = self.total_pj
        document["by_kind"] = self.by_kind
        document["layers"] = [
            {
                "name": layer.name,
                "total_pj": layer.total_pj,
                "by_kind": layer.by_kind,
                "rows": [{**asdict(row), "total_pj": row.total_pj} for row in layer.rows],
            }
            for layer in self.layers
        ]
        return document

    def __str__(self) -> str:
        """A table of layers and events with their costs, totals, and the notes."""
        heading = f"{self.design}: {self.total_pj:,.1f} pJ a frame, {self.technology} ({self.node_nm} nm)"
        lines = [heading, f"  {self.source}", f"  {self.cycles_per_frame:g} cycles a frame"]
        for layer in self.layers:
            lines.append(f"  {layer.name:<58} {layer.total_pj:>14,.1f} pJ")
            for row in layer.rows:
                what = f"{row.kind}: {row.what}"
                lines.append(
                    f"    {what:<44.44} {row.count:>12,.0f} x {row.unit_pj:9.4g} = {row.total_pj:>12,.1f}  {row.basis}"
                )
        lines.append("  by kind  " + ", ".join(f"{kind} {pj:,.1f}" for kind, pj in self.by_kind.items()))
        lines += [f"  note     {note}" for note in self.notes]
        return "\n".join(lines)


def _sum_by_kind(rows: tuple[EnergyRow, ...]) -> dict[str, float]:
    totals: dict[str, float] = {}
    for row in rows:
        totals[row.kind] = totals.get(row.kind, 0.0) + row.total_pj
    return totals
