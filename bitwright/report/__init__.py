"""What designs cost, side by side: the comparison table and the HTML report."""

from __future__ import annotations

from bitwright.report.entry import Entry, LayerEntry
from bitwright.report.measure import measure, with_synthesis
from bitwright.report.page import page
from bitwright.report.table import html_table, markdown_table, notes, rich_table

__all__ = [
    "Entry", "LayerEntry", "html_table", "markdown_table", "measure", "notes", "page", "rich_table", "with_synthesis",
]  # fmt: skip
