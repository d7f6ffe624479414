"""A part of a trace as a trace: by time, by session, by user, or whatever could have touched one request.

The file is read twice and never held: first who was in flight when, a few hundred bytes for each request, then the
events of what is kept. Times stay as they are, so that a request has the same time and id as in the whole trace.
"""

from __future__ import annotations

import json
import math
import re
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from ..errors import TraceError
from .blobs import folder
from .events import parts, read_events
from .whole_file import whole_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .model import Json, Problem

_BLOB = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Selection:
    """What to keep; each member that is given narrows it.

    Attributes:
        begin, end: seconds from the first request, or an ISO 8601 time: what was in flight in between.
        around: the id of a request: what was in flight at any time from `margin_ns` before it to `margin_ns` after, and
            what the sessions of those did before, since that is where state is written.
    """

    begin: str | None = None
    end: str | None = None
    sessions: frozenset[str] = frozenset()
    users: frozenset[str] = frozenset()
    around: str | None = None
    margin_ns: int = 0


@dataclass(frozen=True, slots=True)
class Sliced:
    """How much was kept of how much."""

    requests: int
    of_requests: int
    sessions: int
    of_sessions: int
    problems: tuple[Problem, ...]


@dataclass(slots=True)
class _Flight:
    """When a request was in flight, and whose it was."""

    session: str
    user: str | None
    start_ns: int
    end_ns: int
    answered: bool


def slice_trace(path: Path, target: Path, selection: Selection) -> Sliced:
    """Write what is selected of a trace as a trace of its own.

    Raises:
        TraceError: nothing is selected, a time or id is not in the trace, or the target cannot be written.
    """
    if any(file.exists() and target.exists() and file.samefile(target) for file in parts(path)):
        raise TraceError("is the trace itself", str(target), "write the slice to another file")
    problems: list[Problem] = []
    flights, header = _flights(path, problems)
    kept = _kept(flights, header, selection, str(path))
    if not kept:
        raise TraceError(f"none of its {len(flights)} requests is selected", str(path), _near(flights, selection))
    try:
        with whole_file(target) as stream:
            for event in _events(path, kept):
                _copy_blob(event, path, target)
                stream.write(json.dumps(event) + "\n")
    except OSError as error:
        raise TraceError(f"cannot be written: {error.strerror or error}", str(target)) from None
    sessions = {flights[identity].session for identity in kept}
    everyone = {flight.session for flight in flights.values()}
    return Sliced(len(kept), len(flights), len(sessions), len(everyone), tuple(problems))


def _named(path: Path, problems: list[Problem]) -> Iterator[tuple[str, str | None, dict[str, Json]]]:
    """(kind, the request it belongs to, event): hand-written requests get the id and time that `load` gives them."""
    taken = 0
    ids: set[str] = set()
    for number, event in read_events(path, problems):
        kind = event.get("k", "req")
        if kind == "req":
            if not any(_is_name(event.get(key)) for key in ("session", "user")):
                continue
            taken += 1
            event = {**event, "id": str(event.get("id") or f"r{taken}"), "t": event.get("t", number)}  # noqa: PLW2901
            if event["id"] in ids:
                continue
            ids.add(event["id"])
            yield "req", event["id"], event
        else:
            owner = event.get("parent", event.get("id")) if kind == "up" else event.get("id")
            yield str(kind), None if owner is None else str(owner), event


def _flights(path: Path, problems: list[Problem]) -> tuple[dict[str, _Flight], dict[str, Json]]:
    flights: dict[str, _Flight] = {}
    header: dict[str, Json] = {}
    names: dict[str, str] = {}
    closed = timed = False
    last_ns = 0
    for kind, owner, event in _named(path, problems):
        if kind == "header":
            header = header or event
        closed = closed or kind == "end"
        at_ns = event.get("t")
        if not isinstance(at_ns, (int, float)) or owner is None or not math.isfinite(at_ns):
            continue
        at_ns = int(at_ns)
        until_ns = at_ns + event["dt"] if kind == "up" and isinstance(event.get("dt"), int) else at_ns
        last_ns = max(last_ns, until_ns)
        if kind == "req":
            session, user = str(event.get("session") or event.get("user")), event.get("user")
            user = None if user is None else names.setdefault(str(user), str(user))
            flights[owner] = _Flight(names.setdefault(session, session), user, at_ns, at_ns, False)
        elif owner in flights:
            timed = True
            flights[owner].end_ns = max(flights[owner].end_ns, until_ns)
            flights[owner].answered = flights[owner].answered or kind == "res"
    if timed and not closed:
        # Recording broke off: what had no answer yet was in flight to the end.
        for flight in flights.values():
            if not flight.answered:
                flight.end_ns = last_ns
    return flights, header


def _kept(flights: dict[str, _Flight], header: dict[str, Json], selection: Selection, where: str) -> set[str]:
    first_ns = min((flight.start_ns for flight in flights.values()), default=0)
    begin_ns = _time_ns(selection.begin, header, first_ns, where)
    end_ns = _time_ns(selection.end, header, first_ns, where)
    kept = {
        identity
        for identity, flight in flights.items()
        if (begin_ns is None or flight.end_ns >= begin_ns)
        and (end_ns is None or flight.start_ns <= end_ns)
        and (not selection.sessions or flight.session in selection.sessions)
        and (not selection.users or flight.user in selection.users)
    }
    if selection.around is None:
        return kept
    if selection.around not in flights:
        some = ", ".join(list(flights)[:3])
        raise TraceError(f"has no request {selection.around[:40]!r}", where, f"its ids look like {some}")
    return kept & _around(flights, flights[selection.around], selection.margin_ns)


def _around(flights: dict[str, _Flight], centre: _Flight, margin_ns: int) -> set[str]:
    beginning, ending = centre.start_ns - margin_ns, centre.end_ns + margin_ns
    near = {
        identity for identity, flight in flights.items() if flight.end_ns >= beginning and flight.start_ns <= ending
    }
    sessions = {flights[identity].session for identity in near}
    before = {
        identity
        for identity, flight in flights.items()
        if flight.session in sessions and flight.start_ns <= centre.end_ns
    }
    return near | before


def _events(path: Path, kept: set[str]) -> Iterator[dict[str, Json]]:
    """The events of what is kept, with the first header and, where recording closed in order, its end."""
    begun = False
    end: dict[str, Json] | None = None
    for kind, owner, event in _named(path, []):
        if kind == "header":
            if not begun:
                begun = True
                yield event
        elif kind == "end":
            end = event
        elif owner is None or owner in kept:
            yield event
    if end is not None:
        yield {key: value for key, value in end.items() if key != "crc"} | {"n": len(kept)}


def _copy_blob(event: dict[str, Json], path: Path, target: Path) -> None:
    inner = event.get("body")
    body = cast("dict[str, Json]", inner) if isinstance(inner, dict) else event
    name = body.get("ref")
    if not isinstance(name, str) or not _BLOB.fullmatch(name) or not (folder(path) / name).is_file():
        return
    folder(target).mkdir(mode=0o700, exist_ok=True)
    if not (folder(target) / name).exists():
        shutil.copy(folder(path) / name, folder(target) / name)


def _time_ns(text: str | None, header: dict[str, Json], first_ns: int, where: str) -> int | None:
    if text is None:
        return None
    try:
        return first_ns + int(float(text.removesuffix("s")) * 1e9)
    except (ValueError, OverflowError):
        pass
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise TraceError(
            f"cannot read the time {text[:40]!r}", where, "write seconds from the start, or 2026-11-20T10:00:00Z"
        ) from None
    clock = header.get("clock")
    wall0_ns = cast("dict[str, Json]", clock).get("wall0_ns") if isinstance(clock, dict) else None
    if not isinstance(wall0_ns, int):
        raise TraceError("does not say when it was recorded", where, "give the time in seconds from its start")
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return round((at - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1e6) * 1_000 - wall0_ns


def _near(flights: dict[str, _Flight], selection: Selection) -> str:
    """What there is to select, for the message."""
    if selection.sessions and not selection.sessions & {flight.session for flight in flights.values()}:
        return "its sessions are " + _some({flight.session for flight in flights.values()})
    if selection.users and not selection.users & {str(flight.user) for flight in flights.values()}:
        return "its users are " + _some({flight.user for flight in flights.values() if flight.user is not None})
    starts = [flight.start_ns for flight in flights.values()] or [0]
    return f"its requests span {(max(starts) - min(starts)) / 1e9:g} seconds"


def _some(names: set[str]) -> str:
    shown = ", ".join(name[:40] for name in sorted(names)[:3]) or "not named"
    return shown + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _is_name(value: Json) -> bool:
    return isinstance(value, (str, int)) and not isinstance(value, bool) and value != ""
