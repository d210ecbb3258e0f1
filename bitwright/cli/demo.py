"""`bitwright demo`: one topology at three precisions, from checkpoint to verified Verilog, table and report."""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated

import typer

from bitwright.cli.answer import JsonFlag, answer, say
from bitwright.cli.options import DataFolder

Out = Annotated[Path, typer.Option("--output", "-o", help="The folder to write; made anew, replaced whole.")]
Retrain = Annotated[bool, typer.Option("--retrain", help="Train the three networks first instead of loading them.")]
Synthesize = Annotated[bool, typer.Option("--synthesize/--no-synthesize", help="Place and route for ecp5-85k.")]

PAGE = "report.html"
PROCESSES = 2


def demo(
    output: Out = Path("build/demo"),
    retrain: Retrain = False,
    synthesize: Synthesize = True,
    mnist: DataFolder = None,
    as_json: JsonFlag = False,
) -> None:
    """TFC at w1a1, w2a2 and int8: Verilog, proof on every test image, table, HTML report, waveform."""
    from bitwright.cli.demo_case import CASES, Job, run_case
    from bitwright.delivery import versions
    from bitwright.output import new_folder
    from bitwright.report import markdown_table, notes, page, rich_table

    with new_folder(output, owned=PAGE) as scratch:
        jobs = [Job(case, scratch, mnist, retrain, synthesize) for case in CASES]
        with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
            done = dict(zip((job.case.name for job in jobs), pool.map(run_case, jobs), strict=True))
        entries = [done[name] for name in sorted(done, key=lambda name: done[name].weight_bits)]
        title = "TFC at three precisions: PyTorch to verified hardware"
        (scratch / PAGE).write_text(page(title, entries, versions()), encoding="utf-8")
        table = markdown_table(entries) + "\n" + "\n".join(f"- {note}" for note in notes(entries)) + "\n"
        (scratch / "table.md").write_text(table, encoding="utf-8")
        document = {"report": str(output / PAGE), "designs": [entry.as_json() for entry in entries]}
        (scratch / "table.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    answer(document, rich_table(entries, title), as_json)
    say(f"report, Verilog and waveforms: {output}/ (open {output / PAGE})")
