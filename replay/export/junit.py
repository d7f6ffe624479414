"""`--format junit` and `export --as junit`: findings as test cases, which every CI service shows.

One case stands for the check itself: it passes when the trace is clean, and is in error, with the reason, when nothing
can be said. Each finding is a failed case of its own; a known one is skipped, with the reason of the baseline.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from .story import facts, headline
from .visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..report import Crossing, Report
    from .findings import ExportSource

_LINE = re.compile(r"(.+):(\d+)", re.DOTALL)


def junit(source: ExportSource) -> str:
    """One finding as a test suite with one failed case."""
    return _suite(source.handler, [_failed(source.crossing, source.handler)], 1, 0, 0, 0.0)


def junit_report(report: Report) -> str:
    """A whole report as a test suite."""
    known = {entry.id: entry.reason for entry in report.known}
    new = [crossing for crossing in report.crossings if crossing.id not in known]
    cases = [_of_the_check(report)]
    cases += [_failed(crossing, report.handler) for crossing in new]
    cases += [_skipped(c, report.handler, known[c.id]) for c in report.crossings if c.id in known]
    errors = int(bool(report.doubt))
    return _suite(report.handler, cases, len(new), errors, len(report.crossings) - len(new), report.elapsed_s)


def _suite(handler: str, cases: Iterable[str], failures: int, errors: int, skipped: int, elapsed_s: float) -> str:
    cases = list(cases)
    counts = f'tests="{len(cases)}" failures="{failures}" errors="{errors}" skipped="{skipped}" time="{elapsed_s:.3f}"'
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<testsuites name="crosslane" {counts}>',
        f"  <testsuite name={_attribute(f'crosslane {handler}')} {counts}>",
        *cases,
        "  </testsuite>",
        "</testsuites>",
    ]
    return "\n".join(lines) + "\n"


def _of_the_check(report: Report) -> str:
    lanes = ", ".join(report.coverage.interior_points) or "no lane"
    case = f"    <testcase classname={_attribute(report.handler)} name={_attribute(f'check of {lanes}')}"
    case += f' time="{report.elapsed_s:.3f}"'
    said = _lines([("coverage", report.coverage.statement), *(("escaped", e) for e in report.coverage.uncontrolled)])
    if report.doubt:
        error = f'<error type="inconclusive" message={_attribute(report.doubt)}>{said}</error>'
        return f"{case}>\n      {error}\n    </testcase>"
    return f"{case}>\n      <system-out>{said}</system-out>\n    </testcase>"


def _failed(crossing: Crossing, handler: str) -> str:
    failure = (
        f'<failure type="contaminated" message={_attribute(headline(crossing))}>{_lines(facts(crossing))}</failure>'
    )
    return f"{_case(crossing, handler)}>\n      {failure}\n    </testcase>"


def _skipped(crossing: Crossing, handler: str, reason: str) -> str:
    skipped = f"<skipped message={_attribute(f'known: {reason}' if reason else 'known')}/>"
    return f"{_case(crossing, handler)}>\n      {skipped}\n    </testcase>"


def _case(crossing: Crossing, handler: str) -> str:
    name = f"{crossing.id} {crossing.source.lane} to {crossing.sink.lane}"
    case = f"    <testcase classname={_attribute(handler)} name={_attribute(name)}"
    line = _LINE.fullmatch(crossing.read.at if crossing.read is not None else "")
    return f'{case} file={_attribute(line[1])} line="{line[2]}"' if line is not None else case


def _lines(rows: Iterable[tuple[str, str]]) -> str:
    return escape("\n".join(f"{label:<8} {visible(text, 1_000)}" for label, text in rows))


def _attribute(text: str) -> str:
    return quoteattr(visible(text, 300))
