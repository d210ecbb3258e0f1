"""What a synthesis found out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from bitwright.synth.nextpnr import CriticalPath


@dataclass(frozen=True)
class Utilisation:
    """Sites used and available of one resource."""

    used: int
    available: int

    @property
    def fraction(self) -> float:
        """Used over available; 0 where the device has none and none is used."""
        return self.used / self.available if self.available else float(self.used > 0)


@dataclass(frozen=True)
class SynthReport:
    """Resources and clock of one design on one device.

    `luts`, `lutrams` (LUT sites used as memory), `carries`, `ffs`, `brams`, `dsps` count the cells of the design alone
    after mapping, without a shell: `luts` is LUT4 on ECP5 (those inside carry cells included) and iCE40, LUT6 on
    Xilinx 7; `brams` counts the blocks that `bram` names. `utilisation` is what was placed, shell included, or the
    cell counts where nothing was. `fmax_mhz` is the highest clock of the routed design, None when it was not placed or
    has no register-to-register path; `clock_mhz` is what place and route aimed at. `pins` tells how ports were
    treated: "direct", "out-of-context", "wrap" (the serial shell) or "none".
    """

    device: str
    top: str
    fabric: str
    luts: int
    lutrams: int
    carries: int
    ffs: int
    brams: int
    bram: str
    dsps: int
    fmax_mhz: float | None
    clock_mhz: float | None
    utilisation: Mapping[str, Utilisation]
    critical_path: CriticalPath | None
    pins: str
    seed: int
    tools: Mapping[str, str]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON values."""
        return {**asdict(self), "notes": list(self.notes)}

    def __str__(self) -> str:
        """A readable summary, one resource a line."""
        fmax = "-" if self.fmax_mhz is None else f"{self.fmax_mhz:.1f} MHz"
        lines = [f"{self.top} on {self.device}: Fmax {fmax}" + (f" (aim {self.clock_mhz:g})" if self.clock_mhz else "")]
        lines.append(
            f"  design   {self.luts} LUTs ({self.carries} carry cells, {self.lutrams} as memory), {self.ffs} FFs, "
            f"{self.brams} block RAMs {self.bram}, {self.dsps} DSPs"
        )
        for name, row in self.utilisation.items():
            lines.append(f"  {name:<8} {row.used:>7} of {row.available:>7}  {row.fraction:7.1%}")
        if self.critical_path:
            path = self.critical_path
            lines.append(
                f"  slowest  {path.start} -> {path.end}: {path.logic_ns:.2f} ns logic, "
                f"{path.routing_ns:.2f} ns in {path.hops} wires"
            )
        tools = ", ".join(f"{name} {version}" for name, version in self.tools.items())
        lines.append(f"  tools    {tools}; seed {self.seed}; pins {self.pins}")
        lines += [f"  note     {note}" for note in self.notes]
        return "\n".join(lines)
