"""Golden vectors of a design as a JSON text: what goes in and what has to come out, beat by beat.

Beats are hexadecimal numbers as in a waveform; element e of a beat is at bits [e*width, (e+1)*width).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright.errors import InputError
from bitwright.hw.ports import PortSpec, WeightStream

LEAST_PATIENCE = 2000


def _coding(port: PortSpec) -> str:
    dtype = port.spec.dtype
    if dtype.kind == "bipolar":
        return "bipolar"
    return "signed" if dtype.signed else "unsigned"


def _port(port: PortSpec, frames: NDArray[Any]) -> dict[str, Any]:
    beats = [row[::-1].tobytes().hex() for row in port.pack(frames)]
    return {
        "name": port.name,
        "width": port.spec.dtype.width,
        "lanes": port.lanes,
        "coding": _coding(port),
        "frames": [beats[start : start + port.beats] for start in range(0, len(beats), port.beats)],
    }


def vectors_text(
    source: PortSpec,
    outputs: Sequence[PortSpec],
    inputs: NDArray[Any],
    expected: Sequence[NDArray[Any]],
    output_cycles: Sequence[NDArray[Any]] | None = None,
    seed: int = 1,
    weights: Sequence[WeightStream] = (),
    weight_folder: str = "..",
) -> str:
    """The vectors of a testbench as JSON.

    `inputs`: frames (count, *shape) of the input tensor. `expected`: for each output its frames. `output_cycles`: for
    each output the cycle of every beat when nothing stalls (cycle 0 is the first after reset), to be checked too.
    `weights`: the design's weight streams, whose files lie in `weight_folder`, as seen from the vectors' folder.
    Raises InputError when the arrays do not fit the ports or each other.
    """
    if len(inputs) < 1 or len(expected) != len(outputs) or any(len(frames) != len(inputs) for frames in expected):
        raise InputError(
            f"a testbench needs at least 1 frame and for each of {len(outputs)} outputs as many frames as go in; "
            f"{len(inputs)} go in, {[len(frames) for frames in expected]} come out"
        )
    ports = [_port(port, frames) for port, frames in zip(outputs, expected, strict=True)]
    patience = LEAST_PATIENCE
    if output_cycles is not None:
        for port, cycles in zip(ports, output_cycles, strict=True):
            port["cycles"] = cycles.tolist()
            patience = max(patience, 4 * int(np.diff(cycles, prepend=0).max()))
    else:
        patience *= 100
    content: dict[str, Any] = {"format": 1, "seed": seed, "patience": patience, "input": _port(source, inputs)}
    if weights:
        content["weights"] = [{"name": one.port.name, "file": f"{weight_folder}/{one.file}"} for one in weights]
    content["outputs"] = ports
    return json.dumps(content, indent=1) + "\n"
