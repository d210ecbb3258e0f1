"""`bitwright demo`: an MLP at three precisions and a CNN at two, from checkpoint to verified Verilog, table, report."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bitwright.cli.answer import JsonFlag, answer, say
from bitwright.cli.options import DataFolder
from bitwright.cli.signals import end_on_sigterm

if TYPE_CHECKING:
    from bitwright.cli.demo_case import Job
    from bitwright.report import Entry

Out = Annotated[Path, typer.Option("--output", "-o", help="The folder to write; made anew, replaced whole.")]
Retrain = Annotated[bool, typer.Option("--retrain", help="Train the networks first instead of loading them.")]
Synthesize = Annotated[bool, typer.Option("--synthesize/--no-synthesize", help="Place and route for ecp5-85k.")]

PAGE = "report.html"
PROCESSES = 2


def _side_by_side(run: Callable[[Job], Entry], jobs: Sequence[Job]) -> list[Entry]:
    """The results of all jobs, on processes of their own; an error or an interruption ends them all."""
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn"), initializer=end_on_sigterm) as pool:
        futures = [pool.submit(run, job) for job in jobs]
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            workers = active_children()
            for worker in workers:
                worker.terminate()
            for worker in workers:
                worker.join()
            raise


def demo(
    output: Out = Path("build/demo"),
    retrain: Retrain = False,
    synthesize: Synthesize = True,
    mnist: DataFolder = None,
    as_json: JsonFlag = False,
) -> None:
    """An MLP (TFC) and a CNN on MNIST: Verilog, proof on every test image, table, HTML report, waveform."""
    from bitwright.cli.demo_case import CASES, Job, run_case
    from bitwright.delivery import versions
    from bitwright.output import new_folder
    from bitwright.report import markdown_table, notes, page, rich_table

    with new_folder(output, owned=PAGE) as scratch:
        jobs = [Job(case, scratch, mnist, retrain, synthesize) for case in CASES]
        entries = sorted(_side_by_side(run_case, jobs), key=lambda entry: entry.weight_bits)
        title = "MNIST, an MLP and a CNN: PyTorch to verified hardware"
        (scratch / PAGE).write_text(page(title, entries, versions()), encoding="utf-8")
        table = markdown_table(entries) + "\n" + "\n".join(f"- {note}" for note in notes(entries)) + "\n"
        (scratch / "table.md").write_text(table, encoding="utf-8")
        document = {"report": str(output / PAGE), "designs": [entry.as_json() for entry in entries]}
        (scratch / "table.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    answer(document, rich_table(entries, title), as_json)
    say(f"report, Verilog and waveforms: {output}/ (open {output / PAGE})")
