"""`check` inside the test's own process, for small handlers whose verdict needs neither the pipe nor its watchers."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

from crosslane.replay.checking import check
from crosslane.replay.report import Report
from crosslane.replay.trace.model import Exchange, Request
from crosslane.replay.worker.job import Job

from ..conftest import turns
from .program import program_of

CODES = turns(("s1", "alice", "my code is ZX-4411"), ("s2", "bob", "my code is QW-9922"))


def bodies(*lines: tuple[str, dict[str, Any]]) -> tuple[Exchange, ...]:
    """Exchanges from (user, request object), each user in a session of its own."""
    return tuple(
        Exchange(Request(f"r{n}", f"s-{user}", user, n, None, body, n)) for n, (user, body) in enumerate(lines, 1)
    )


def checked(source: str, folder: Path, exchanges: tuple[Exchange, ...] = CODES, **options: Any) -> Report:
    """The report on a handler of which only the source is given; options are those of a `Job`."""
    options = {"switches": 1, "most_executions": 150, **options}
    program = program_of(textwrap.dedent(source), folder)
    return check(program, Job("check", "t", exchanges, "h", **options), lambda _: None).report


def carrier_in(report: Report) -> tuple[str, str]:
    """The name and kind of the first crossing's carrier, without the module's own name, which is made up."""
    carrier = report.crossings[0].carrier
    assert carrier is not None, report.crossings[0].explained
    return re.sub(r"^small_\d+\.", "", carrier.name), carrier.kind


def lines_in(report: Report) -> tuple[str, str]:
    """The source lines that wrote and read the first crossing's carrier."""
    first = report.crossings[0]
    return first.write.code if first.write else "", first.read.code if first.read else ""
