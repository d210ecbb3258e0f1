"""`Design`: a network as hardware, the object a user holds. Its methods call the folders that do the work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitwright.cache import cached_build, content_key
from bitwright.energy import EnergyReport, estimate
from bitwright.errors import FoldingError, InputError
from bitwright.graph import Network
from bitwright.graph.types import IntArray
from bitwright.hw import Accelerator, Budget, Folding, VerilogSources, assemble
from bitwright.hw import fold as fold_within
from bitwright.hw.code_key import code_key
from bitwright.hw.cost import Estimate
from bitwright.hw.cost import estimate as estimate_resources
from bitwright.hw.firings import least_cycles
from bitwright.hw.folding import LayerFolding
from bitwright.sim import CycleReport, SimResult, Stalls, cycles, simulate, size_buffers, verify
from bitwright.sim.simulate import SimulatorName
from bitwright.synth import SynthReport, find_device, synthesize
from bitwright.synth.devices import Device
from bitwright.synth.flow import Pins

if TYPE_CHECKING:
    from torch import nn

LEAST_TARGET_CYCLES = 64
"""Cycles a frame below which `build` does not go by itself; FINN's TFC takes as many."""

MACS_A_CYCLE = 1024
"""Multiply-accumulates a cycle that `build` does not exceed by itself."""

USABLE_LUTS = 0.7
"""Share of a device's lookup tables that `fold` plans with; place and route needs room."""

FOLDING = "folding.json"


@dataclass(frozen=True, eq=False)
class Design:
    """A network assembled at one folding. Made by `build`."""

    accelerator: Accelerator

    @property
    def network(self) -> Network:
        """The integer network, the definition of what the hardware computes."""
        return self.accelerator.network

    @property
    def folding(self) -> Folding:
        """PE and SIMD of each layer."""
        return self.accelerator.folding

    @property
    def name(self) -> str:
        """The name of the top module."""
        return self.accelerator.name

    def verilog(self, fabric: str = "generic") -> VerilogSources:
        """The SystemVerilog texts and memory images; the same network and folding give the same bytes."""
        return self.accelerator.verilog(fabric)

    def write(self, folder: str | Path, fabric: str = "generic") -> Path:
        """Write Verilog, memories, the network, a manifest and a stand-alone testbench; returns the folder.

        The folder appears whole or not at all; an earlier result is replaced. Raises OutputError when it cannot be
        written or holds anything else.
        """
        from bitwright.delivery import deliver

        return deliver(self.accelerator, Path(folder), fabric)

    def cycles(self, frames: int = 10, stalls: Stalls | None = None) -> CycleReport:
        """Latency, interval and the cycle of every beat, exact, without simulating logic."""
        return cycles(self.accelerator, frames, stalls)

    def simulate(
        self,
        x: IntArray,
        stalls: Stalls | None = None,
        simulator: SimulatorName = "verilator",
        wave: str | Path | None = None,
        max_cycles: int | None = None,
    ) -> SimResult:
        """Run integer frames (frames, ...) through the RTL: the outputs, and the cycle of every beat.

        `wave` names a VCD file to write. Raises InputError, SimulationError or DeadlockError.
        """
        return simulate(
            self.accelerator,
            x,
            stalls=stalls,
            simulator=simulator,
            wave=None if wave is None else Path(wave),
            max_cycles=max_cycles,
        )

    def verify(self, reference: nn.Module | Network, x: Any, stalls: Stalls | None = None) -> SimResult:
        """Compare the RTL with `reference`, the PyTorch module or a Network, on the inputs `x`, bit for bit.

        `x` are the module's real inputs or the network's integers, frames in axis 0. Returns the simulation. Raises
        MismatchError with the first frame, layer and channel that differ.
        """
        return verify(self.accelerator, reference, x, stalls=stalls)

    def energy(self, x: IntArray | None = None, technology: str = "horowitz45") -> EnergyReport:
        """Energy of one frame by layer: events counted in the built design, times a technology table.

        Cycles a frame are those of the RTL on the frames `x` when given, else the cycle model's interval.
        """
        measured = None if x is None else self.simulate(x).cycles / len(x)
        return estimate(self.accelerator, technology=technology, cycles_per_frame=measured)

    def resources(self, device: str) -> Estimate:
        """What the design is expected to take of a device such as "ecp5-85k", stage by stage, before any synthesis.

        `estimate.memories` tells what becomes of each memory and how much of its block RAMs it uses. Products are
        counted as LUTs where the device has too few DSP blocks for them, as synthesis does. Raises InputError for an
        unknown device.
        """
        target = find_device(device)
        found = estimate_resources(self.accelerator, target.family, dsp=target.dsps > 0)
        if found.dsps <= target.dsps:
            return found
        return estimate_resources(self.accelerator, target.family, dsp=False)

    def synthesize(
        self,
        device: str,
        seed: int = 1,
        timeout_s: float = 600,
        clock_mhz: float | None = None,
        pins: Pins = "auto",
    ) -> SynthReport:
        """Resources and clock on a device such as "ecp5-85k". Raises DoesNotFitError with the numbers."""
        return synthesize(self.accelerator, device, seed=seed, timeout_s=timeout_s, clock_mhz=clock_mhz, pins=pins)


def fold(
    network: Network,
    *,
    target_cycles: int | None = None,
    target_fps: float | None = None,
    clock_mhz: float = 100.0,
    device: str | None = None,
) -> Folding:
    """PE and SIMD of every layer.

    With `target_cycles` (cycles between frames) or `target_fps` (at `clock_mhz`): the least estimated hardware that
    reaches it. With `device`, e.g. "ecp5-85k": the fastest whose estimate takes at most its block RAMs and DSP blocks
    and `USABLE_LUTS` of its lookup tables; with a target beside it, the target within that budget. Without any: one
    multiplier a layer. Weights that do not fit on the device are streamed from outside, as few layers' as possible
    (`Folding.streamed`). What was found is kept in the build cache. Raises FoldingError naming the layer, the numbers
    and the best that can be had, InputError for an unknown device or targets that make no sense.
    """
    budget = None if device is None else usable(find_device(device))

    def search(folder: Path) -> None:
        found = fold_within(
            network, target_cycles=target_cycles, target_fps=target_fps, clock_mhz=clock_mhz, budget=budget
        )
        (folder / FOLDING).write_text(found.to_json())

    goal = repr((target_cycles, target_fps, clock_mhz, budget))
    key = content_key(network.digest, code_key(estimates=True), goal)
    return Folding.from_json((cached_build("foldings", key, search) / FOLDING).read_text())


def usable(device: Device) -> Budget:
    """What a design may take of a device: all block RAMs and DSP blocks, and `USABLE_LUTS` of the lookup tables."""
    return Budget(device.name, device.family, int(USABLE_LUTS * device.luts), device.brams, device.dsps)


def build(network: Network, folding: Folding | Mapping[str, Any] | None = None) -> Design:
    """The network as hardware.

    `folding`: from `fold`, or {layer: {"pe": ..., "simd": ...}}; without one, `fold` aims at `default_target`. A layer
    with "weights": "stream" takes its weights from outside, through an input of its own.
    Line buffers and FIFOs get the smallest depths that keep the full throughput, unless the folding has depths.
    Raises FoldingError when a PE or SIMD does not divide its layer.
    """
    accelerator = assemble(network, _folding(network, folding))
    if accelerator.folding.buffers:
        return Design(accelerator)
    sized = size_buffers(accelerator)
    return Design(assemble(network, sized) if sized.buffers else accelerator)


def default_target(network: Network) -> int:
    """Cycles a frame when nobody says: 64, or what the slowest layer or about 1,024 products a cycle need."""
    return max(LEAST_TARGET_CYCLES, -(-network.total_macs // MACS_A_CYCLE), least_cycles(network))


def _folding(network: Network, given: Folding | Mapping[str, Any] | None) -> Folding:
    if given is None:
        return fold(network, target_cycles=default_target(network))
    if isinstance(given, Folding):
        return given
    if not isinstance(given, Mapping):
        raise InputError(f"a folding is what bw.fold() gives or a mapping by layer, not {type(given).__name__}")
    return Folding({name: _lanes(name, lanes) for name, lanes in given.items()})


def _lanes(name: str, given: Any) -> LayerFolding:
    if isinstance(given, LayerFolding):
        return given
    if not isinstance(given, Mapping) or not {"pe", "simd"} <= set(given) <= {"pe", "simd", "pixels", "weights"}:
        raise FoldingError(f"layer '{name}': a folding gives pe and simd, as {{'pe': 2, 'simd': 8}}, not {given!r}")
    return LayerFolding(**given)
