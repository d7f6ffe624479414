"""The interleavings that were tried in this session, in groups of the requests that they are of.

The findings of a search and the nearest runs that pass are there from the start. A finding is of the fewest requests
that still show it: where those are not the whole trace, it is a group of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from ..replay.detect.verbatim import Candidate
from ..replay.errors import CrosslaneError
from ..replay.explain.ends import ends
from ..replay.repro import repro_boundary, repro_trace
from ..replay.run import Decision
from ..replay.schedule.branching import branched
from ..replay.schedule.schedule import Schedule
from ..replay.trace.lanes import lane_name
from .interleavings import GLYPHS, Stretch, Verdict, tree_of
from .safe_text import safe

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..replay.report import Finding, Report, Result
    from ..replay.run import Run
    from ..replay.trace.model import Exchange, Request
    from ..replay.worker.job import Job
    from .session import OpenSession

MOST_KEPT = 300
_MOST_NAMED = 1_000
_VERDICTS: dict[str, Verdict] = {"clean": "clean", "contaminated": "crossing", "inconclusive": "inconclusive"}


@dataclass(slots=True, eq=False)
class Tried:
    """One interleaving.

    Attributes:
        decisions: its choices; of a run that is only known by its schedule, who ran and no more.
        origin: where it comes from, in words. `name` is what the user calls it, or "".
        run, finding, report, solo: None and empty as long as it was not executed for being looked at.
        found: the findings of the last search that this run shows.
        concurrency: how many requests could be in flight.
    """

    group: Group
    decisions: tuple[Decision, ...]
    verdict: Verdict
    origin: str
    name: str = ""
    run: Run | None = None
    finding: Finding | None = None
    found: list[Finding] = field(default_factory=list["Finding"])
    report: Report | None = None
    solo: dict[str, Run] = field(default_factory=dict[str, "Run"])
    concurrency: int | None = None

    @property
    def title(self) -> str:
        """Glyph, name and origin, safe to show."""
        said = f"{safe(self.name, 60)}  " if self.name else ""
        return f"{GLYPHS[self.verdict]} {said}{safe(self.origin, 120)}"

    def again(self) -> Job:
        """The job that executes it."""
        return self._job(_schedule(self.decisions), None)

    def branch(self, step: int, lane: str, fault: str) -> Job:
        """The job in which `lane` runs at `step` instead, or this is done to it there, and everything else stays as
        near as it can."""
        schedule, then = branched(self.decisions, step, lane, fault)
        return self._job(schedule, then)

    def _job(self, schedule: Schedule, then: Schedule | None) -> Job:
        session, concurrency = self.group.session, self.concurrency
        return session.job("replay", schedule=schedule, then=then, concurrency=concurrency, timeline_first=True)


Choice = tuple[Tried, int, str, str]
"""A run, the step (counted from 0) at which another lane shall run, that lane, and what is done to its request there
(`schedule.FAULTS`), or ""."""


@dataclass(slots=True, eq=False)
class Group:
    """What was tried with the same requests. `session` is the session on them."""

    session: OpenSession
    exchanges: tuple[Exchange, ...]
    title: str
    tried: list[Tried] = field(default_factory=list[Tried])

    def tree(self) -> Stretch:
        return tree_of([tried.decisions for tried in self.tried])


class TriedRuns:
    """See the module."""

    def __init__(self, session: OpenSession) -> None:
        self._session = session
        self.groups: list[Group] = []
        self._main: Group | None = None

    def add_search(self, result: Result, concurrency: int | None) -> Tried | None:
        """What a `check` found; answers the run that it shows where it found nothing."""
        self.main()
        for tried in [tried for group in self.groups for tried in group.tried]:
            tried.found.clear()
        for number, finding in enumerate(result.findings, 1):
            crossing = finding.crossing
            group = self._group(session_of(self._session, finding))
            found = self._add(group, finding.run.decisions, "crossing", f"finding {number}", concurrency)
            if not found.found:
                found.run, found.finding, found.report, found.solo = finding.run, finding, result.report, result.solo
            found.found.append(finding)
            found.verdict = "crossing"
            if crossing.critical is not None:
                before = finding.run.decisions[: crossing.critical.step]
                after = crossing.critical.passes[crossing.critical.step :]
                passes = (*before, *(Decision(lane, ()) for lane in after))
                origin = f"passes, one switch from finding {number}"
                self._add(group, passes, "clean", origin, concurrency)
        return None if result.findings else self.add(self.main(), result, "lockstep", concurrency)

    def add(self, group: Group, result: Result, origin: str, concurrency: int | None) -> Tried:
        """A run that was executed by itself."""
        finding = found_in(result)
        verdict = _VERDICTS[result.report.verdict]
        tried = self._add(group, result.run.decisions, verdict, origin, concurrency)
        tried.run, tried.finding, tried.report, tried.solo = result.run, finding, result.report, result.solo
        if tried.verdict != verdict:  # what was said of it before was of another crossing
            tried.verdict, tried.origin = verdict, origin
        return tried

    def of(self, finding: Finding) -> Tried | None:
        """The run of a finding of the search; None for a finding of one run by itself."""
        every = (tried for group in self.groups for tried in group.tried)
        return next((tried for tried in every if any(known is finding for known in tried.found)), None)

    def forget(self) -> None:
        """The program is another one now: what it did before is not what it does."""
        for group in self.groups:
            group.tried.clear()

    def main(self) -> Group:
        """The group of the whole trace."""
        if self._main is None:
            self._main = self._group(self._session)
        return self._main

    def _group(self, session: OpenSession) -> Group:
        exchanges = session.job("replay").exchanges
        for group in self.groups:
            if _same(group.exchanges, exchanges):
                return group
        group = Group(session, exchanges, _title(session, exchanges))
        self.groups.append(group)
        return group

    def _add(
        self, group: Group, decisions: tuple[Decision, ...], verdict: Verdict, origin: str, concurrency: int | None
    ) -> Tried:
        """The same choices again are the same interleaving, which keeps its name."""
        for tried in group.tried:
            if len(tried.decisions) == len(decisions) and same_choices(tried.decisions, decisions):
                tried.decisions = max(tried.decisions, decisions, key=lambda all_: sum(len(d.enabled) for d in all_))
                return tried
        tried = Tried(group, decisions, verdict, origin, concurrency=concurrency)
        group.tried.append(tried)
        self._forget_some()
        return tried

    def _forget_some(self) -> None:
        """Of very many, the oldest without a name that no search has found."""
        if sum(len(group.tried) for group in self.groups) > MOST_KEPT:
            for group in self.groups:
                oldest = next((t for t in group.tried[:-1] if not t.name and t.origin.startswith("choice ")), None)
                if oldest is not None:
                    group.tried.remove(oldest)
                    return


def same_choices(one: Iterable[Decision], other: Iterable[Decision]) -> bool:
    """Whether two runs choose alike, as far as the shorter goes."""
    return all((a.lane, a.action) == (b.lane, b.action) for a, b in zip(one, other, strict=False))


def parting_row(run: Run, before: Iterable[Decision]) -> int:
    """The first row of a run that belongs to a choice which the run before did not make."""
    choices = zip(run.decisions, before, strict=False)
    alike = len(list(takewhile(lambda pair: same_choices(pair[:1], pair[1:]), choices)))
    return next((row for row, event in enumerate(run.events) if event.step > alike), 0)


def found_in(result: Result) -> Finding | None:
    """The first finding of one execution, with the ends of its line as they are in the run that was asked for."""
    if not result.findings:
        return None
    finding = result.findings[0]
    if finding.run is result.run:
        return finding
    crossing = finding.crossing
    sink = crossing.sink
    shown = Candidate(
        crossing.source.lane,
        sink.lane,
        sink.request,
        sink.session,
        sink.where,
        sink.path,
        sink.evidence,
        crossing.evidence_all,
        sink.evidence,
        crossing.kind,
    )
    write, read, seen = ends(result.run, shown)
    return replace(finding, run=result.run, write_seq=write, read_seq=read, sink_seq=seen)


def _schedule(decisions: tuple[Decision, ...]) -> Schedule:
    faults = tuple((n, decision.action) for n, decision in enumerate(decisions) if decision.action)
    return Schedule(tuple(decision.lane for decision in decisions), faults)


def session_of(session: OpenSession, finding: Finding) -> OpenSession:
    """The session on a finding's own requests."""
    crossing = finding.crossing
    try:
        trace = repro_trace(crossing)
    except CrosslaneError:
        return session
    boundary = session.settings.boundary or "user"
    lanes = {str(request["id"]): request.get("lane") for request in crossing.requests}
    if any(_lane(exchange.request, boundary) != lanes.get(exchange.request.id) for exchange in trace.exchanges):
        boundary = repro_boundary(crossing)
    return replace(session, trace=trace, settings=replace(session.settings, boundary=boundary))


def _lane(request: Request, boundary: str) -> str | None:
    try:
        return lane_name(request, boundary)
    except CrosslaneError:
        return None


def _same(one: tuple[Exchange, ...], other: tuple[Exchange, ...]) -> bool:
    if len(one) != len(other):
        return False
    return all(_request(a.request) == _request(b.request) for a, b in zip(one, other, strict=True))


def _request(request: Request) -> tuple[Any, ...]:
    return request.id, request.session, request.user, request.message, request.request


def _title(session: OpenSession, exchanges: tuple[Exchange, ...]) -> str:
    boundary = session.settings.boundary or "user"
    lanes: dict[str, list[str]] = {}
    for exchange in exchanges[:_MOST_NAMED]:
        lanes.setdefault(_lane(exchange.request, boundary) or "", []).append(exchange.request.id)
    count = len(exchanges)
    who = ", ".join(f"{lane} {' '.join(requests[:3])}" for lane, requests in list(lanes.items())[:6])
    return safe(f"{count} request{'' if count == 1 else 's'}: {who}", 200)
