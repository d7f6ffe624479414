"""Findings after a search: kept for `crosslane export` and the start screen, made smaller, put in a result's place."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from ..replay.export.findings import save
from ..replay.repro import repro_schedule
from .folders import findings_folder
from .tried import session_of

if TYPE_CHECKING:
    from ..replay.report import Crossing, Finding, Result
    from ..replay.worker.job import Job
    from .session import OpenSession


def keep_findings(session: OpenSession, result: Result) -> None:
    """Keep what was found, as `check` does. A folder that cannot be written is no reason to fail."""
    with contextlib.suppress(OSError):
        crossings = result.report.crossings
        save(crossings, session.handler or "", session.kind, session.options.cwd, findings_folder(), result.findings)


def repro_job(session: OpenSession, finding: Finding) -> Job:
    """One execution of the finding's requests under its schedule, as far as an edited program still follows it."""
    schedule = repro_schedule(finding.crossing)
    return session_of(session, finding).job("replay", schedule=schedule, best_effort=True)


def smaller_job(session: OpenSession, finding: Finding) -> Job:
    """A search of the finding's requests, with no more switches than it needs."""
    needs = finding.crossing.needs
    return session_of(session, finding).job(
        "check", switches=needs.switches, faults=needs.cls in ("cancellation", "exception"), variants=False
    )


def with_smaller(result: Result, finding: Finding, searched: Result) -> tuple[Result, Finding]:
    """`result` with the smallest finding of `searched` that shows the same in the place of `finding`, and that one."""
    same = [other for other in searched.findings if same_crossing(other.crossing, finding.crossing)]
    best = min(same, key=lambda other: _size(other.crossing), default=finding)
    if _size(best.crossing) >= _size(finding.crossing):
        return result, finding
    findings = tuple(best if other is finding else other for other in result.findings)
    crossings = tuple(best.crossing if c == finding.crossing else c for c in result.report.crossings)
    return replace(result, findings=findings, report=replace(result.report, crossings=crossings)), best


def same_crossing(one: Crossing, other: Crossing) -> bool:
    """Whether two searches found the same thing: whose data, in whose sink of which kind, through what."""

    def about(crossing: Crossing) -> tuple[object, ...]:
        carrier = crossing.carrier.name if crossing.carrier is not None else ""
        return crossing.source.lane, crossing.sink.lane, crossing.sink.where, carrier

    return about(one) == about(other)


def _size(crossing: Crossing) -> tuple[int, ...]:
    """What a smaller finding has less of, the most telling first."""
    said = sum(len(str(request.get("message") or request.get("request"))) for request in crossing.requests)
    return crossing.needs.requests, crossing.needs.switches, len(crossing.schedule), said
