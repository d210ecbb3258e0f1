"""One network of the demo, in a process of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from bitwright.cli.answer import say
from bitwright.cli.gather import with_test_set
from bitwright.cli.subject import Subject, lowered, read_subject
from bitwright.design import build
from bitwright.hw import fold
from bitwright.models import canonical_precision, create, data_for, recipe, save_checkpoint, train
from bitwright.models.checkpoint import CheckpointInfo
from bitwright.report import Entry, measure, with_synthesis

CLOCK_MHZ = 100.0
DEVICE = "ecp5-85k"
WAVE_FRAMES = 2


@dataclass(frozen=True)
class DemoCase:
    """A shipped checkpoint and how fast it shall run."""

    topology: str
    precision: str
    target_cycles: int

    @property
    def name(self) -> str:
        """The checkpoint's name."""
        return f"{self.topology}-{self.precision}"


CASES = (
    DemoCase("tfc", "int8", 1568),
    DemoCase("cnn", "w2a2", 7000),
    DemoCase("cnn", "w1a1", 3136),
    DemoCase("tfc", "w2a2", 128),
    DemoCase("tfc", "w1a1", 64),
)
"""The slowest to place first, so that two processes end together."""


@dataclass(frozen=True)
class Job:
    """A case and what to do with it; results go to `folder`."""

    case: DemoCase
    folder: Path
    mnist: Path | None
    retrain: bool
    synthesize: bool


def run_case(job: Job) -> Entry:
    """Checkpoint, integer network, Verilog, proof, test set, waveform, synthesis; the row of the table."""
    import torch

    torch.set_num_threads(1)
    case = job.case
    subject = _retrained(job) if job.retrain else read_subject(case.name, job.mnist)
    design = build(subject.network, fold(subject.network, target_cycles=case.target_cycles))
    say(f"{case.name}: writing Verilog")
    design.write(job.folder / case.name)
    entry = measure(design, name=case.name, clock_mhz=CLOCK_MHZ)
    entry = with_test_set(entry, subject, design, None)
    say(f"{case.name}: RTL equals PyTorch on {entry.proved:,} images, accuracy {100 * (entry.accuracy or 0):.1f} %")
    wave = job.folder / f"{case.name}.vcd"
    assert subject.network.golden is not None
    design.simulate(subject.network.golden.inputs[:WAVE_FRAMES], wave=wave)
    files = {
        "Verilog": f"{case.name}/{design.name}.v",
        "manifest": f"{case.name}/manifest.json",
        "testbench": f"{case.name}/testbench",
        "waveform": wave.name,
    }
    entry = replace(entry, files=files)
    if job.synthesize:
        say(f"{case.name}: place and route for {DEVICE}")
        entry = with_synthesis(entry, design.synthesize(DEVICE))
        say(f"{case.name}: {entry.luts:,} LUTs, {entry.fmax_mhz or 0:.1f} MHz")
    return entry


def _retrained(job: Job) -> Subject:
    """The case trained anew by its recipe; the checkpoint stays in the demo's folder."""
    case = job.case
    model = create(case.topology, case.precision)
    data, how = data_for(case.topology, job.mnist), recipe(case.topology, case.precision)
    say(f"{case.name}: training for {how.epochs} epochs on {data.source}")
    result = train(model, data, how, progress=False)
    accuracies = (result.validation_accuracy, result.test_accuracy)
    info = CheckpointInfo(case.topology, canonical_precision(case.precision), 0, how.epochs, *accuracies, data.source)
    save_checkpoint(job.folder / f"{case.name}.safetensors", model, info)
    return lowered(case.name, model, job.mnist)
