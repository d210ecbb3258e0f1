"""`bitwright doctor`: is everything there that the flow needs, and if not, what mends it."""

from __future__ import annotations

import typer

from bitwright.cli.answer import JsonFlag, answer


def doctor(as_json: JsonFlag = False) -> None:
    """Check Python, the compilers, the simulators, the FPGA tools and the build cache."""
    from rich.table import Table

    from bitwright.cli.health import checks

    results = checks()
    table = Table("", "what", "found", "fix")
    for check in results:
        table.add_row("[green]ok[/]" if check.ok else "[red]no[/]", check.name, check.found, check.fix)
    good = all(check.ok for check in results)
    document = {
        "ok": good,
        "checks": [{"name": c.name, "ok": c.ok, "found": c.found, "fix": c.fix} for c in results],
    }
    answer(document, table, as_json)
    if not good:
        raise typer.Exit(1)
