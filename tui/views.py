"""The views of the same lanes: this run, each lane alone, and what was recorded; with what differs between them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..replay.run import Event, Run
from .emphasis import Mark
from .session import recorded_run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..replay.trace.model import Exchange, Request, Trace

_COMPARED = frozenset(("request", "chunk", "response", "error"))
"""What a user sees, which every view has; where a lane waited is known of observed runs alone."""

Key = tuple[str, str, int]

THIS_RUN, ALONE, RECORDED = "this run", "alone", "recorded"


@dataclass(frozen=True, slots=True)
class View:
    """A run under a title, the rows in which it differs, and how many rows the other one has that it has not."""

    title: str
    run: Run
    marks: Mapping[int, Mark]
    missing: int = 0

    def summary(self) -> str:
        """`alone  2 differ, 1 missing`."""
        differ = sum(mark.sign == "≠" for mark in self.marks.values())
        extra = sum(mark.sign == "+" for mark in self.marks.values())
        counted = ((differ, "differ" if differ != 1 else "differs"), (extra, "more"), (self.missing, "missing"))
        said = ", ".join(f"{count} {what}" for count, what in counted if count)
        return f"{self.title}  {said}".rstrip()


def views_of(run: Run, solo: Mapping[str, Run], trace: Trace, boundary: str) -> list[View]:
    """This run first, then its lanes alone where that is known, then as they were recorded."""
    recorded = _only(recorded_run(trace, boundary), run)
    if not run.outcomes:  # the recorded traffic itself
        return [View(RECORDED, run, {})]
    alone = alone_run(run, solo, trace)
    reference, than = (alone, ALONE) if alone.events else (recorded, RECORDED)
    views = [View(THIS_RUN, run, *marks(run, reference, than))]
    if alone.events:
        views.append(View(ALONE, alone, *marks(alone, run, THIS_RUN)))
    if recorded.events:
        views.append(View(RECORDED, recorded, *marks(recorded, run, THIS_RUN)))
    return views


def alone_run(run: Run, solo: Mapping[str, Run], trace: Trace) -> Run:
    """The lanes of a run, each alone, one after another: the steps that were observed, else requests and answers."""
    requests = {exchange.request.id: exchange.request for exchange in trace.exchanges}
    shown = {outcome.request for outcome in run.outcomes}
    events: list[Event] = []
    for lane in run.lanes:
        if lane in solo:
            own = solo[lane].events or _answers(solo[lane], requests)
            events += (event for event in own if event.lane == lane and event.request in shown)
    numbered = tuple(replace(event, seq=seq, step=0) for seq, event in enumerate(events, 1))
    return Run(run.lanes, (), numbered, ())


def place_alone(alone: Run, row: int, solo: Mapping[str, Run]) -> tuple[Run, int]:
    """Where a row of `alone_run` was observed: the run of its lane and the row there. Itself, where it was not."""
    event = alone.events[row]
    own = solo[event.lane]
    if not own.events:
        return alone, row
    shown = {known.request for known in alone.events}
    rows = [at for at, known in enumerate(own.events) if known.lane == event.lane and known.request in shown]
    return own, rows[sum(known.lane == event.lane for known in alone.events[:row])]


def asks_the_same(one: Exchange, other: Exchange) -> bool:
    a, b = one.request, other.request
    return (a.id, a.session, a.user, a.message, a.request) == (b.id, b.session, b.user, b.message, b.request)


def marks(run: Run, other: Run, than: str) -> tuple[dict[int, Mark], int]:
    """The rows of `run` that `other` has otherwise or not at all, and how many of its rows `run` has not.

    Only requests that both have are compared. An answer that is missing is marked at its request.
    """
    theirs = {key: event for _, key, event in _answers_of(other)}
    ours = list(_answers_of(run))
    both = {key[0] for key in theirs} & {key[0] for _, key, _ in ours}
    found: dict[int, Mark] = {}
    for row, key, event in ours:
        if key[0] not in both or key[1] == "request":
            continue
        match = theirs.get(key)
        if match is None:
            found[row] = Mark("+", f"not {than}")
        elif (match.text, match.status) != (event.text, event.status):
            status = f"{match.status} " if match.status is not None else ""
            found[row] = Mark("≠", than, f"{status}{match.text}")
    have = {key for _, key, _ in ours}
    missing = [key for key in theirs if key[0] in both and key not in have]
    begun = {key[0]: row for row, key, _ in ours if key[1] == "request"}
    for request, kind, _ in missing:
        if request in begun:
            found.setdefault(begun[request], Mark("−", f"{kind} {than}"))
    return found, len(missing)


def counterpart(event: Event, run: Run) -> int:
    """The row of another view that shows the same as this event, else one of its request, else the first."""
    same = [row for row, other in enumerate(run.events) if other.request == event.request]
    return next((row for row in same if run.events[row].kind == event.kind), same[0] if same else 0)


def _answers_of(run: Run) -> list[tuple[int, Key, Event]]:
    """(row, key, event) of the rows that are compared; the key is request, kind and which one of them it is."""
    counts: dict[tuple[str, str], int] = {}
    found: list[tuple[int, Key, Event]] = []
    for row, event in enumerate(run.events):
        if event.kind in _COMPARED:
            of = (event.request, event.kind)
            counts[of] = number = counts.get(of, 0) + 1
            found.append((row, (*of, number), event))
    return found


def _answers(run: Run, requests: Mapping[str, Request]) -> list[Event]:
    """What is known of a run that was not observed."""
    from ..replay.trace.wording import body_text, request_text

    events: list[Event] = []
    for outcome in run.outcomes:
        common = (0, 0, outcome.lane, outcome.session, outcome.request)
        if outcome.request in requests:
            events.append(Event(*common, "request", request_text(requests[outcome.request])))
        events += (Event(*common, "output", line) for line in outcome.output.splitlines() if line.strip())
        events += (Event(*common, "chunk", part) for part in outcome.chunks)
        if outcome.error is not None:
            events.append(Event(*common, "error", outcome.error, at=outcome.error_at, status=outcome.status))
        elif outcome.finished:
            events.append(Event(*common, "response", body_text(outcome.body), status=outcome.status))
    return events


def _only(recorded: Run, run: Run) -> Run:
    """Of the recorded traffic, the requests of a run."""
    shown = {outcome.request for outcome in run.outcomes}
    events = (event for event in recorded.events if event.request in shown)
    return replace(recorded, events=tuple(replace(event, seq=seq) for seq, event in enumerate(events, 1)))
