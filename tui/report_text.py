"""What `check` and `replay` print: the verdict, the lanes side by side, the finding, and what the search covered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from .emphasis import Emphasis
from .grid import lay_out
from .rows import STEP_WIDTH, Piece, heading, lane_width, row
from .safe_text import safe
from .words import VERDICTS, facts, headline

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console

    from ..replay.report import Finding, Result
    from ..replay.run import Run

_ACCENT = "bold red"
_STYLES = {
    "step": "dim",
    "dot": "dim",
    "gap": "",
    "heading": "bold",
    "line": _ACCENT,
    "crossing": "red",
    "evidence": "bold reverse red",
    "changed": "bold underline",
    "match": "reverse",
    "remark": "bold",
    "cell": "",
}
_VERDICT_STYLES = {"contaminated": _ACCENT, "clean": "bold green", "inconclusive": "bold yellow"}
_MOST_ROWS = 200


def print_result(console: Console, result: Result, exports: bool) -> None:
    """Print a result. `exports` adds the command that exports each finding."""
    report = result.report
    mark = VERDICTS[report.verdict]
    known = {entry.id: entry.reason for entry in report.known}
    _line(console, f"{mark} {report.verdict}: {safe(report.reason)}", _VERDICT_STYLES[report.verdict])
    if not result.findings:
        console.print()
        print_lanes(console, result.run, None)
    for number, finding in enumerate(result.findings, 1):
        console.print()
        _line(console, f"finding {number} of {len(result.findings)}: {headline(finding.crossing)}", "bold")
        print_lanes(console, finding.run, finding)
        console.print()
        if finding.crossing.id in known:
            _fact(console, "known", safe(known[finding.crossing.id]))
        for label, text in facts(finding.crossing):
            _fact(console, label, text)
        for label, access in (("write", finding.crossing.write), ("read", finding.crossing.read)):
            if access is not None:
                _line(console, f"    {label:<6} {safe(access.at)}: {safe(access.code, 200)}", "cyan")
        if exports:
            _fact(console, "export", f"crosslane export {finding.crossing.id} --as script -o repro.py")
    console.print()
    if known:
        _fact(console, "known", f"{len(known)} of {len(report.crossings)} findings are in the baseline")
    _fact(console, "coverage", safe(report.coverage.statement))
    for escape in report.coverage.uncontrolled:
        _fact(console, "escaped", safe(escape))
    for influence in report.influences[:10]:
        where = f"{safe(influence.lane)} {safe(influence.request)} {safe(influence.path)}"
        values = f"alone “{safe(influence.alone, 80)}”, together “{safe(influence.together, 80)}”"
        _fact(console, "influence", f"{where}: {values}")
    for allowed in report.allowed:
        through = f" through {safe(allowed.carrier)}" if allowed.carrier else ""
        what = f"{safe(allowed.source)} to {safe(allowed.sink)}, {safe(allowed.path)}{through}"
        _fact(console, "allowed", f"{what}: {safe(allowed.reason) or 'no reason given'}")
    for warning in report.warnings:
        _fact(console, "warning", safe(warning))
    _fact(console, "ran", f"{report.executions} executions in {report.elapsed_s:.2f} s")


def print_lanes(console: Console, run: Run, finding: Finding | None) -> None:
    """The lanes side by side; those that do not fit are counted."""
    if not run.events:
        return
    grid = lay_out(run, finding)
    fitting, width = lane_width(console.width - STEP_WIDTH, len(grid.lanes))
    columns = range(fitting)
    emphasis = Emphasis(finding.crossing.sink.evidence if finding is not None else "")
    _pieces(console, heading(grid, columns, width))
    hidden = len(grid.lanes) - fitting
    for shown, index in enumerate(_rows(grid.columns, fitting)):
        if shown == _MOST_ROWS:
            _line(console, f"      … and {len(grid.events) - index} more rows; crosslane open shows them", "dim")
            break
        _pieces(console, row(grid, index, columns, width, emphasis))
    if hidden > 0:
        _line(console, f"      … and {hidden} more lane{'' if hidden == 1 else 's'}", "dim")


def _rows(columns: Sequence[int], fitting: int) -> Iterator[int]:
    """The rows of the lanes that are shown, and of background tasks."""
    return (index for index, column in enumerate(columns) if column < fitting)


def _pieces(console: Console, pieces: list[Piece]) -> None:
    text = Text(no_wrap=True, overflow="crop")
    for piece in pieces:
        text.append(piece.text, _STYLES[piece.role])
    text.rstrip()
    console.print(text)


def _line(console: Console, line: str, style: str = "") -> None:
    console.print(Text(line, style), soft_wrap=True)


def _fact(console: Console, label: str, text: str) -> None:
    console.print(Text.assemble((f"  {label:<9} ", "dim"), text), soft_wrap=True)
