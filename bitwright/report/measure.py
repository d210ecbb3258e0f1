"""From a design to its row in the table: cycles, energy, and what a synthesis or a run has found."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bitwright.design import Design
from bitwright.graph.drawing import network_svg
from bitwright.report.entry import Entry, LayerEntry
from bitwright.synth import SynthReport

if TYPE_CHECKING:
    from bitwright.energy import EnergyReport
    from bitwright.graph import Network


def measure(
    design: Design, *, name: str, data: str = "", clock_mhz: float = 100.0, technology: str = "horowitz45"
) -> Entry:
    """What can be told of a design without running a tool: cycles and energy, in total and by layer."""
    network = design.network
    cycles = design.cycles(frames=1)
    energy = design.energy(technology=technology)
    return Entry(
        name=name,
        network=_shape(network),
        data=data,
        clock_mhz=clock_mhz,
        latency=cycles.latency,
        interval=cycles.interval,
        energy_pj=energy.total_pj,
        technology=f"{energy.technology} ({energy.source})",
        weight_bits=network.weight_bits,
        macs=network.total_macs,
        layers=_layers(design, energy),
        drawing=network_svg(network),
    )


def with_synthesis(entry: Entry, report: SynthReport) -> Entry:
    """The entry with a synthesis' resources and clock."""
    return replace(
        entry,
        device=report.device,
        luts=report.luts,
        ffs=report.ffs,
        brams=report.brams,
        dsps=report.dsps,
        fmax_mhz=report.fmax_mhz,
    )


def _shape(network: Network) -> str:
    """The sizes of the layers, such as 784-64-10."""
    sizes = [network.input_spec.size]
    sizes += [network.spec(op.output).size for op in network.operations if op.kind == "Linear"]
    return "-".join(map(str, sizes))


def _layers(design: Design, energy: EnergyReport) -> tuple[LayerEntry, ...]:
    network = design.network
    kinds = {op.name: op.kind for op in network.operations}
    macs = {op.name: network.macs(op) for op in network.operations}
    firings = {actor.name: actor.firings for actor in design.accelerator.timing.actors}
    costs = {layer.name: layer.by_kind for layer in energy.layers}
    return tuple(
        LayerEntry(
            name=stage.name,
            kind=" + ".join(kinds[name] for name in stage.operations) or "stream",
            cycles=firings[stage.name],
            macs=sum(macs[name] for name in stage.operations),
            energy_pj=costs.get(stage.name, {}),
        )
        for stage in design.accelerator.stages
    )
