"""A finding as what happened, in order, for the exports that people read: one moment after another, each in a lane.

Where the observed run is at hand the moments are its events. A finding of a report has none; its moments are those
that follow from the finding alone: the requests, the write, the read, and what was answered.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..report import Crossing, Finding
    from .findings import ExportSource

GLYPHS = {
    "request": "▶",
    "await": "◇",
    "blocked": "⧖",
    "write": "◆",
    "read": "▷",
    "chunk": "▪",
    "output": "≡",
    "fault": "✂",
    "response": "●",
    "error": "✖",
    "crossing": "✗",
}


@dataclass(frozen=True, slots=True)
class Moment:
    """One thing that happened. `kind` is a kind of `run.Event`, or `crossing` where foreign data came out.

    `end` says which end of the drawn line it is: `write`, `read`, `sink`, or "".
    """

    lane: str
    kind: str
    text: str
    at: str = ""
    end: str = ""


def headline(crossing: Crossing) -> str:
    """One sentence: whose data came out where. Its lane names are raw text of the trace."""
    source, sink = crossing.source.lane, crossing.sink.lane
    if crossing.kind == "derived":
        return f"{sink} was shown something made of {source}'s data"
    match crossing.sink.where:
        case "upstream":
            return f"{source}'s data went into {sink}'s prompt"
        case "log":
            return f"{source}'s data was logged for {sink}"
        case "exception":
            return f"{sink} was shown {source}'s data"
        case _:
            return f"{sink} was answered with {source}'s data"


def facts(crossing: Crossing) -> list[tuple[str, str]]:
    """What is known of a finding: label and raw text."""
    rows = [("seen", f"{crossing.sink.evidence!r} in {crossing.sink.path} of {crossing.sink.request}")]
    if crossing.carrier is not None:
        place = f", {crossing.carrier.defined_at}" if crossing.carrier.defined_at else ""
        rows.append(("carrier", f"{crossing.carrier.name}, {crossing.carrier.kind_in_words}{place}"))
    for verb, access in (("written", crossing.write), ("read", crossing.read)):
        if access is not None:
            rows.append((verb, f"by {access.lane} at {access.at}: {access.code}"))
    rows.append(("needs", crossing.needs.in_words()))
    if crossing.critical is not None:
        at = f" at {crossing.critical.at}" if crossing.critical.at else ""
        rows.append(("switch", f"{crossing.critical.held} waits{at} while {crossing.critical.ran} runs"))
    if crossing.fix:
        rows.append(("fix", crossing.fix))
    if crossing.explained:
        rows.append(("note", crossing.explained))
    return rows


def lanes(crossing: Crossing) -> tuple[str, ...]:
    """The lanes of the repro, in order of their first request."""
    named = [str(request.get("lane", request.get("user", ""))) for request in crossing.requests]
    return tuple(dict.fromkeys((*named, crossing.source.lane, crossing.sink.lane)))


def moments(source: ExportSource) -> list[Moment]:
    """What happened, in order."""
    if source.finding is not None and source.finding.run.events:
        return list(_observed(source.finding))
    return list(_told(source.crossing))


def request_text(request: dict[str, Any]) -> str:
    """A request of a repro in a line: its message, or method, path and body."""
    if isinstance(request.get("message"), str):
        return str(request["message"])
    content = request.get("request")
    if not isinstance(content, dict) or "path" not in content:
        return json.dumps(content, ensure_ascii=False)
    http: dict[str, Any] = content  # pyright: ignore[reportUnknownVariableType]
    body = next((http[key] for key in ("json", "text", "body") if key in http), None)
    shown = body if isinstance(body, str) else "" if body is None else json.dumps(body, ensure_ascii=False)
    return f"{http.get('method', 'GET')} {http['path']} {shown}".rstrip()


def _observed(finding: Finding) -> Iterator[Moment]:
    ends = {finding.write_seq: "write", finding.read_seq: "read", finding.sink_seq: "sink"}
    known = set(lanes(finding.crossing))
    for event in finding.run.events:
        end = ends.get(event.seq, "")
        if event.lane not in known and not end:
            continue
        kind = "crossing" if end == "sink" else event.kind
        text = event.text
        if event.kind in ("await", "blocked"):
            text = event.code or ""
        elif event.kind in ("write", "read"):
            text = event.carrier or ""
        elif event.status is not None:
            text = f"{event.status} {text}"
        # Where an answer was returned says nothing of the crossing, and takes the room of what was answered.
        yield Moment(event.lane, kind, text, "" if event.kind == "response" else event.at or "", end)


def _told(crossing: Crossing) -> Iterator[Moment]:
    carrier = crossing.carrier.name if crossing.carrier is not None else ""
    write, read = crossing.write, crossing.read
    sequential = crossing.needs.cls == "sequential"
    late = [request for request in crossing.requests if sequential and request.get("lane") == crossing.sink.lane]
    early = [request for request in crossing.requests if request not in late]
    for request in early:
        yield Moment(str(request.get("lane", "")), "request", request_text(request))
    if write is not None:
        yield Moment(write.lane, "write", carrier, write.at, "write")
    for request in late:
        yield Moment(str(request.get("lane", "")), "request", request_text(request))
    if read is not None:
        yield Moment(read.lane, "read", carrier, read.at, "read")
    yield Moment(crossing.sink.lane, "crossing", crossing.sink.evidence, "", "sink")
