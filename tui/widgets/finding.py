"""The finding, or what there is to say in its place: progress, a clean verdict, an error with its remedy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from textual.containers import VerticalScroll
from textual.widgets import Static

from ..palette import ACCENT
from ..safe_text import safe
from ..words import CROSSING, VERDICTS, facts, headline

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from ...replay.report import Crossing, Report
    from ...replay.worker.job import Progress


class FindingPanel(VerticalScroll):
    """One of four things at a time. Every string in it has been through `safe`."""

    def compose(self) -> ComposeResult:
        yield Static(id="finding-text")

    def finding(self, crossing: Crossing, number: int, count: int) -> None:
        self.border_title = f"finding {number} of {count}"
        self._show(_rows(Text(f"{CROSSING} {headline(crossing)}", f"bold {ACCENT}"), facts(crossing)))

    def progress(self, progress: Progress) -> None:
        self.border_title = "paused" if progress.paused else "searching"
        lines = [safe(progress.phase), f"{progress.executions:,} executions, {progress.per_second:,.0f}/s"]
        if progress.covered:
            lines.append(f"{progress.covered:,} different schedules")
        if progress.findings:
            lines += ["", f"{progress.findings} found so far"]
            lines += [f"{CROSSING} {safe(found)}" for found in progress.found]
        lines += ["", f"P {'goes on' if progress.paused else 'pauses'} · x stops, and keeps what was found"]
        self._show(Text("\n".join(lines)))

    def verdict(self, report: Report) -> None:
        """A result without a finding."""
        self.border_title = report.verdict
        rows = [("covered", report.coverage.statement)]
        rows += [("escaped", escape) for escape in report.coverage.uncontrolled]
        rows += [("warning", warning) for warning in report.warnings]
        rows += [
            (
                "allowed",
                f"{a.source} to {a.sink}, {a.path}{f' through {a.carrier}' if a.carrier else ''}: "
                f"{a.reason or 'no reason given'}",
            )
            for a in report.allowed[:20]
        ]
        rows += [
            ("influence", f"{i.lane} {i.path}: alone “{i.alone[:60]}”, together “{i.together[:60]}”")
            for i in report.influences[:20]
        ]
        title = Text(f"{VERDICTS[report.verdict]} {report.verdict}: {safe(report.reason)}", "bold")
        self._show(_rows(title, [(label, safe(value)) for label, value in rows]))

    def error(self, message: str) -> None:
        self.border_title = "cannot replay"
        self._show(Text(safe(message), "bold"))

    def _show(self, content: RenderableType) -> None:
        self.query_one("#finding-text", Static).update(content)


def _rows(title: Text, rows: list[tuple[str, str]]) -> RenderableType:
    """A title over labelled rows, whose texts wrap beside their labels."""
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for label, value in rows:
        table.add_row(label, Text(value))
    return Group(title, table)
