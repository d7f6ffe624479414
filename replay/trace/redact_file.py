"""A trace that exists already, redacted.

It is read twice, so that a value is replaced also where it stood before it was known to be secret: the first reading
only learns, the second writes. The parts of a stream are held until it ends, because a value may be cut over several
of them, each in its own JSON. The result is written beside its name and renamed at the end.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from ..errors import CrosslaneError
from . import blobs
from .events import read_events
from .streams import Edit, edited, edits_across, joined

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from .model import Json, Problem
    from .redaction import Redactor

_ASIDE = 256 << 10


@dataclass(frozen=True, slots=True)
class Redacted:
    """What was done. `events` were written; `problems` are lines that could not be read, which are left out."""

    events: int
    problems: tuple[Problem, ...]


def redact_file(
    source: Path, target: Path, redactor: Redactor, progress: Callable[[str, int], None] | None = None
) -> Redacted:
    """Write `source` to `target` with its secrets replaced.

    Raises:
        TraceError: the source cannot be read. CrosslaneError: the target cannot be written, or is the source.
    """
    if target.exists() and source.exists() and target.samefile(source):
        raise CrosslaneError("is the trace itself", str(target), "give another -o; the original is never overwritten")
    problems: list[Problem] = []
    streams: dict[str, list[dict[str, Json]]] = {}
    for number, (_, event) in enumerate(read_events(source, problems)):
        for each in _whole(event, streams, source):
            _told(redactor, each)
        if progress is not None and number % 2000 == 0:
            progress("learning", number)
    redactor.counts.clear()
    streams.clear()
    unfinished = target.with_name(f".{target.name}.{os.getpid()}")
    written = 0
    try:
        with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as out:
            for number, (_, event) in enumerate(read_events(source, [])):
                for each in _whole(event, streams, source):
                    written += _write(out, target, _told(redactor, each))
                if progress is not None and number % 2000 == 0:
                    progress("writing", number)
            for held in streams.values():  # cut off by the end of the recording
                written += _write(out, target, _told(redactor, held))
        unfinished.replace(target)
    except OSError as error:
        raise CrosslaneError(f"cannot be written: {error.strerror}", str(target)) from None
    finally:
        unfinished.unlink(missing_ok=True)
    return Redacted(written, tuple(problems))


def _whole(
    event: dict[str, Json], streams: dict[str, list[dict[str, Json]]], source: Path
) -> Iterator[list[dict[str, Json]]]:
    """Events that must be looked at together: the parts of a stream, once it has ended; any other alone."""
    kind, identity = event.get("k"), str(event.get("id"))
    if kind == "chunk":
        streams.setdefault(identity, []).append(event)
        return
    if kind == "res" and identity in streams:
        yield streams.pop(identity)
    if "ref" in event:
        try:
            inline = blobs.read(source, str(event["ref"]))
        except ValueError:
            inline = {"text": ""}
        event = {key: value for key, value in event.items() if key not in ("ref", "bytes")} | inline
    yield [event]


def _told(redactor: Redactor, events: list[dict[str, Json]]) -> list[dict[str, Json]]:
    if events[0].get("k") == "header":
        return [{**events[0], "redaction": redactor.header()}]
    if events[0].get("k") != "chunk":
        return redactor.events(events[0])
    parts = [str(event.get("text", "")) for event in events]
    for stream in joined("".join(parts)):
        found = redactor.edits(stream.text)
        if found:
            parts = edited(parts, edits_across(stream, found))
    wire = "".join(parts)
    parts = edited(parts, _by_line(redactor, wire))
    return [{**event, "text": text} for event, text in zip(events, parts, strict=True)]


def _by_line(redactor: Redactor, wire: str) -> list[Edit]:
    """The edits of a wire text. A line of an event stream that is JSON is looked at as such, for its keys."""
    edits = redactor.edits(wire)
    at = 0
    for line in wire.splitlines(keepends=True):
        body = line.rstrip("\r\n")
        start = body.find("{")
        if 0 <= start <= 6:
            told = redactor.nested(body[start:])
            if told != body[start:]:
                edits.append(Edit(at + start, at + len(body), told))
        at += len(line)
    return edits


def _write(out: IO[str], target: Path, events: list[dict[str, Json]]) -> int:
    for event in events:
        body = {key: event[key] for key in ("json", "text", "b64") if key in event}
        line = json.dumps(event, separators=(",", ":"))
        if len(line) > _ASIDE and len(body) == 1 and event.get("k") in ("req", "res"):
            moved = blobs.aside(target, body)
            if moved is not None:
                rest = {key: value for key, value in event.items() if key not in body}
                line = json.dumps({**rest, **moved}, separators=(",", ":"))
        out.write(line + "\n")
    return len(events)
