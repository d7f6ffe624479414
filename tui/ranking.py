"""Findings in the order of how much each tells, and the rows of the table that lists them.

What is said apart of findings comes after them: crossings that a baseline knows or a rule allows, and influences.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from .safe_text import safe
from .words import CROSSING, headline

if TYPE_CHECKING:
    from ..replay.report import Allowed, Crossing, Finding, Influence, Known, Result

Row = tuple[str, str, str, str, str]
COLUMNS: Row = ("kind", "lanes", "carrier", "needs", "first seen")
_PLACES = ("response", "upstream", "exception", "log")
_CLASSES = ("sequential", "interleaved", "cancellation", "exception")
_MOST_APART = 100


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the table. `about` is what the detail is made of; a heading has a text."""

    what: Literal["finding", "known", "allowed", "influence", "heading"]
    row: Row
    about: Finding | Allowed | Influence | str
    reason: str = ""


def how_telling(crossing: Crossing) -> tuple[int | bool, ...]:
    """Sorts the finding that proves most first: in an answer, verbatim, through a named thing whose lines are
    known, with the simplest schedule, the fewest requests and the longest evidence."""
    return (
        _PLACES.index(crossing.sink.where),
        crossing.kind != "verbatim",
        crossing.carrier is None,
        crossing.write is None or crossing.read is None,
        _CLASSES.index(crossing.needs.cls),
        crossing.needs.switches,
        crossing.needs.requests,
        -len(crossing.sink.evidence),
    )


def entries(result: Result) -> list[Entry]:
    """The table, top down."""
    report = result.report
    known = {entry.id: entry for entry in report.known}
    findings = sorted(result.findings, key=lambda finding: how_telling(finding.crossing))
    new = [finding for finding in findings if finding.crossing.id not in known]
    made = [_finding(finding, None) for finding in new]
    old = [_finding(finding, known[finding.crossing.id]) for finding in findings if finding.crossing.id in known]
    made += _under("known", "the baseline lists these: they are reported, and fail nothing", old)
    allowed = [
        Entry("allowed", ("allowed", _pair(a.source, a.sink), safe(a.carrier, 40), "", ""), a) for a in report.allowed
    ]
    made += _under("allowed", "sharing on purpose: a rule of the settings allows these", allowed)
    influences = [
        Entry("influence", ("influence", safe(i.lane, 30), "", safe(f"{i.request} {i.path}", 40), ""), i)
        for i in report.influences[:_MOST_APART]
    ]
    about = "no contamination: answers that differ from those alone, without any foreign data in them"
    return made + _under("influences", about, influences)


def _finding(finding: Finding, known: Known | None) -> Entry:
    crossing = finding.crossing
    needs = crossing.needs
    switches = f" {needs.switches}" if needs.switches else ""
    row = (
        f"{CROSSING} {crossing.kind}" if known is None else "known",
        _pair(crossing.source.lane, crossing.sink.lane),
        safe(crossing.carrier.name, 40) if crossing.carrier is not None else "not named",
        f"{needs.cls}{switches}",
        f"schedule {crossing.found_after}" if crossing.found_after else "",
    )
    return Entry("finding" if known is None else "known", row, finding, known.reason if known is not None else "")


def _under(title: str, about: str, below: list[Entry]) -> list[Entry]:
    return [Entry("heading", (f"── {title}", "", "", "", ""), about), *below] if below else []


def _pair(source: str, sink: str) -> str:
    return f"{safe(source, 20)} → {safe(sink, 20)}"


def said(entry: Entry) -> str:
    """The entry in one line, for the title of its detail."""
    from ..replay.report import Finding

    return headline(entry.about.crossing) if isinstance(entry.about, Finding) else entry.row[0].strip("─ ")
