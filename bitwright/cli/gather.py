"""Everything the comparison table and the report say about one network."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from bitwright.cli.answer import say
from bitwright.cli.subject import Subject, read_subject
from bitwright.cli.target import Target
from bitwright.design import Design
from bitwright.report import Entry, measure, with_synthesis


@dataclass(frozen=True)
class Wanted:
    """What to find out: the folding's target, and whether to synthesize (for a device) and to simulate."""

    target: Target
    device: str | None
    simulate: bool
    frames: int | None
    technology: str
    mnist: Path | None


def gather(name: str, wanted: Wanted) -> Entry:
    """The entry of one network, by name or file."""
    subject = read_subject(name, wanted.mnist)
    design = wanted.target.build(subject.network)
    entry = measure(design, name=subject.name, clock_mhz=wanted.target.clock_mhz, technology=wanted.technology)
    if wanted.simulate:
        entry = with_test_set(entry, subject, design, wanted.frames)
    if wanted.device is not None:
        say(f"{subject.name}: synthesis for {wanted.device}")
        entry = with_synthesis(entry, design.synthesize(wanted.device))
    return entry


def with_test_set(entry: Entry, subject: Subject, design: Design, frames: int | None) -> Entry:
    """The entry with accuracy through the RTL, proved against PyTorch where a module is known."""
    real, labels, source = subject.real_frames(frames)
    x = subject.network.quantize(real)
    say(f"{subject.name}: {len(x)} test images through the RTL")
    result = design.simulate(x) if subject.module is None else design.verify(subject.module, real)
    accuracy = None if labels is None else subject.accuracy(result.outputs, labels)
    proved = 0 if subject.module is None else len(x)
    return replace(entry, data=f"{source}; {len(x):,} test images", frames=len(x), accuracy=accuracy, proved=proved)
