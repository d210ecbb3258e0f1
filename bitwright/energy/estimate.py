"""Energy of a built design: its counts, times a technology's costs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from bitwright.energy.counts import energy_rows
from bitwright.energy.report import EnergyReport, LayerEnergy
from bitwright.energy.technologies import find_technology
from bitwright.errors import InputError
from bitwright.hw.resources import StageResources

if TYPE_CHECKING:
    from bitwright.hw import Accelerator

NOTES = (
    "the error of this estimate is not known yet: it has not been compared with a netlist or a chip",
    "not counted: wires, clock tree, input and output pins, control logic, glitches, leakage",
    "registers are an upper bound: every bit is taken to be clocked and to toggle in every cycle",
    "a gate is taken as a fifth of an adder's bit, a memory as slices of 64 bits, a write as a read",
    "figures between and beyond published widths and sizes are interpolated or extrapolated, as each row says",
)
"""What every estimate says about itself."""

STEADY_FRAMES = 8
"""Frames of the run whose interval counts as the cycles of one frame."""


def estimate(
    accelerator: Accelerator, *, technology: str = "horowitz45", cycles_per_frame: float | None = None
) -> EnergyReport:
    """Dynamic energy of one frame, per layer.

    `technology`: a name of `TECHNOLOGIES`. `cycles_per_frame`: the cycles that registers run for one frame; by
    default the design's interval when frames follow each other without a gap, from the cycle model.
    Raises InputError for an unknown technology or cycles that are not positive.
    """
    find_technology(technology)
    if cycles_per_frame is None:
        from bitwright.sim import cycles

        cycles_per_frame = cycles(accelerator, STEADY_FRAMES).interval
    stages = {stage.name: stage.resources for stage in accelerator.stages}
    report = estimate_stages(accelerator.name, stages, cycles_per_frame, technology=technology)
    layers = ", ".join(f"'{stream.layer}'" for stream in accelerator.weight_inputs)
    if not layers:
        return report
    note = f"not counted: the memory outside the chip from which the weights of {layers} come"
    return replace(report, notes=(*report.notes, note))


def estimate_stages(
    design: str, stages: Mapping[str, StageResources], cycles_per_frame: float, *, technology: str = "horowitz45"
) -> EnergyReport:
    """`estimate` for stages given as counts by name."""
    table = find_technology(technology)
    if not (cycles_per_frame > 0 and math.isfinite(cycles_per_frame)):
        raise InputError(
            f"cycles_per_frame must be above 0, not {cycles_per_frame}; leave it out for the cycle model's"
        )
    layers = tuple(
        LayerEnergy(name, energy_rows(resources, cycles_per_frame, table)) for name, resources in stages.items()
    )
    return EnergyReport(
        design=design,
        technology=table.name,
        node_nm=table.node_nm,
        voltage=table.voltage,
        source=table.source,
        cycles_per_frame=cycles_per_frame,
        layers=layers,
        notes=NOTES + table.notes,
    )
