"""The proof on given inputs that PyTorch, the integer network and the Verilog compute the same, to the last bit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bitwright.errors import InputError, MismatchError
from bitwright.graph import Network
from bitwright.graph.types import IntArray
from bitwright.hw.accelerator import Accelerator
from bitwright.sim import probe
from bitwright.sim.process import beside
from bitwright.sim.simulate import SimResult, SimulatorName, make_drive, simulate
from bitwright.sim.stalls import Stalls

if TYPE_CHECKING:
    from torch import nn

Outputs = tuple[IntArray, ...]

WHAT = "the RTL differs from the reference"


def verify(
    accelerator: Accelerator,
    reference: nn.Module | Network | IntArray | Outputs,
    x: Any,
    stalls: Stalls | None = None,
    simulator: SimulatorName = "verilator",
    *,
    fabric: str = "generic",
) -> SimResult:
    """Compare `reference` with the integer network, and the Verilog with both, on the frames `x`; the simulation.

    `reference`: the PyTorch module the network was lowered from, another Network, or the expected integers (a tuple of
    arrays for several outputs). `x`: frames in axis 0, the module's real inputs or the network's integers.

    Raises MismatchError with the first frame that differs and, in it, the first layer whose output in the Verilog is
    not the integer network's, its first channel, and both values. Raises whatever `simulate` raises.
    """
    network = accelerator.network
    given = np.asarray(x.detach().cpu() if hasattr(x, "detach") else x)
    integers = network.quantize(given)
    layers = [_producer(network, tensor) for tensor in network.outputs]
    # The simulator is a program of its own: it is built and runs while PyTorch computes.
    with beside(lambda: simulate(accelerator, integers, stalls, simulator, fabric=fabric)) as simulation:
        expected = _expected(network, reference, given, integers)
        _compare(expected, _as_tuple(network.run(integers)), layers, "the integer network differs from the reference")
        result = simulation.result()
    outputs = _as_tuple(result.outputs)
    if not all(np.array_equal(want, got) for want, got in zip(expected, outputs, strict=True)):
        _explain(accelerator, expected, outputs, integers, stalls, fabric)
        _compare(expected, outputs, layers, WHAT)
    return result


def _as_tuple(values: IntArray | Outputs) -> Outputs:
    return values if isinstance(values, tuple) else (values,)


def _expected(network: Network, reference: Any, given: IntArray, integers: IntArray) -> Outputs:
    if isinstance(reference, Network):
        expected = _as_tuple(reference.run(integers))
    elif isinstance(reference, np.ndarray | tuple):
        expected = tuple(np.asarray(values) for values in _as_tuple(reference))
    elif callable(reference):
        from bitwright.quantize import reference_integers

        expected = _as_tuple(reference_integers(reference, given, network))
    else:
        raise InputError(f"verify compares with a torch module, a Network or integers, not {type(reference).__name__}")
    shapes = [(len(integers), *network.spec(tensor).shape) for tensor in network.outputs]
    if [values.shape for values in expected] != shapes:
        raise InputError(
            f"the reference gives outputs of shape {', '.join(str(values.shape) for values in expected)}; "
            f"expected {', '.join(map(str, shapes))}"
        )
    return expected


def _producer(network: Network, tensor: str) -> str:
    return next((op.name for op in network.operations if op.output == tensor), tensor)


def _compare(expected: Outputs, got: Outputs, layers: list[str], what: str) -> None:
    """Raise MismatchError for the first frame in which two sets of outputs differ."""
    count = sum(int(np.count_nonzero(want != have)) for want, have in zip(expected, got, strict=True))
    if not count:
        return
    frame = _first_frame(expected, got)
    for want, have, layer in zip(expected, got, layers, strict=True):
        places = np.flatnonzero(want[frame] != have[frame])
        if len(places):
            _raise(frame, layer, int(places[0]), want[frame], have[frame], count, what)


def _raise(frame: int, layer: str, place: int, want: IntArray, have: IntArray, count: int, what: str) -> None:
    channels = want.shape[-1] if want.ndim else 1
    raise MismatchError(
        frame, layer, place % channels, int(want.reshape(-1)[place]), int(have.reshape(-1)[place]), count, what
    )


def _first_frame(expected: Outputs, got: Outputs) -> int:
    differs = [(want != have).reshape(len(want), -1).any(axis=1) for want, have in zip(expected, got, strict=True)]
    return int(np.flatnonzero(np.logical_or.reduce(differs))[0])


def _explain(
    accelerator: Accelerator, expected: Outputs, got: Outputs, x: IntArray, stalls: Stalls | None, fabric: str
) -> None:
    """Raise MismatchError for the first layer that goes wrong in the first wrong frame.

    The frames up to that one run once more, with every inner stream recorded. Returns when each stage's stream is right
    and only the output is not.
    """
    frame = _first_frame(expected, got)
    count = sum(int(np.count_nonzero(want != have)) for want, have in zip(expected, got, strict=True))
    seen = probe.record(accelerator, make_drive(accelerator, x[: frame + 1], stalls), frame + 1, fabric)
    right = accelerator.network.trace(x[frame : frame + 1])
    operations = {stage.name: stage.operations for stage in accelerator.stages}
    for stream, beats in zip(probe.inner_streams(accelerator), seen.taps, strict=True):
        if not stream.tensor:
            continue
        wanted = right[stream.tensor][0]
        mine = beats[frame * stream.port.beats : (frame + 1) * stream.port.beats]
        if len(mine) < stream.port.beats:
            continue
        have = stream.port.unpack(mine, 1)[0].reshape(wanted.shape)
        places = np.flatnonzero(wanted != have)
        if len(places):
            names = operations[stream.source]
            layer = names[0] if names else stream.source
            _raise(frame, layer, int(places[0]), wanted, have, count, WHAT)
