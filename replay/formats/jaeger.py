"""Jaeger's UI and API JSON: traces with spans, tags and references, times in microseconds.

The tags have the keys of OpenTelemetry's attributes; lists in them are JSON texts, and backends may have cut long ones.
"""

# Decoded JSON is taken apart here.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
from __future__ import annotations

from typing import TYPE_CHECKING

from .assemble import imported
from .documents import objects, records, samples
from .found import Dropped, Format, Item, Reading, Source
from .spans import Event, Kind, Span, Status, binary_id, flat, integer, metadata_of, unix_ns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..trace.model import Json

_KINDS: dict[str, Kind] = {"server": "server", "consumer": "server", "client": "client", "producer": "client"}
_STATUSES: dict[str, Status] = {"OK": "ok", "ERROR": "error"}


def detects(source: Source) -> bool:
    """Whether the head holds traces whose spans have an operation name."""
    for value in objects(samples(source), "data"):
        spans = value.get("spans")
        if "traceID" in value and isinstance(spans, list):
            return not spans or (isinstance(spans[0], dict) and {"spanID", "operationName"} & spans[0].keys() != set())
    return False


def read(source: Source, reading: Reading) -> Iterator[Item]:
    """Every exchange in the file, trace by trace."""
    return imported(_spans(source), source, reading)


def _spans(source: Source) -> Iterator[Span | Dropped]:
    for record in records(source, ("data.item.spans.item", "spans.item", "item.spans.item", "")):
        if isinstance(record, Dropped):
            yield record
        elif record[1]:
            yield _span(record[2], record[0])
        elif not isinstance(record[2], dict) or not record[2].keys() & {"data", "spans"}:
            yield Dropped(record[0], "is no Jaeger trace")


def _span(value: Json, where: str) -> Span | Dropped:
    if not isinstance(value, dict):
        return Dropped(where, "a span that is no object")
    trace_id, span_id = binary_id(value.get("traceID"), 16), binary_id(value.get("spanID"), 8)
    if trace_id is None or span_id is None:
        return Dropped(where, "a span without a usable id")
    started = integer(value.get("startTime"))
    start_ns = unix_ns(started * 1000) if started is not None else None
    if start_ns is None:
        return Dropped(f"{where}#{span_id[:40]}", "a span without a start time")
    lasted = integer(value.get("duration"))
    tags = _tags(value.get("tags"))
    logs = value.get("logs")
    failed = str(tags.get("error")).lower() == "true"
    return Span(
        trace_id,
        span_id,
        _parent(value, trace_id),
        str(value.get("operationName") or ""),
        _KINDS.get(str(tags.get("span.kind")).lower(), ""),
        start_ns,
        None if lasted is None else unix_ns(start_ns + lasted * 1000),
        tags,
        metadata_of(tags),
        tuple(_log(log) for log in logs if isinstance(log, dict)) if isinstance(logs, list) else (),
        "error" if failed else _STATUSES.get(str(tags.get("otel.status_code")).upper(), ""),
    )


def _parent(value: dict[str, Json], trace_id: str) -> str | None:
    """The span it is the child of; a reference into another trace is a link."""
    given = value.get("references")
    references = [each for each in given if isinstance(each, dict)] if isinstance(given, list) else []
    for kind in ("CHILD_OF", "FOLLOWS_FROM"):
        for each in references:
            if each.get("refType") == kind and binary_id(each.get("traceID"), 16) == trace_id:
                return binary_id(each.get("spanID"), 8)
    return binary_id(value.get("parentSpanID"), 8)


def _tags(value: Json) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for tag in value if isinstance(value, list) else ():
        if isinstance(tag, dict) and "key" in tag:
            given = tag.get("value")
            found[str(tag["key"])] = integer(given) if tag.get("type") == "int64" else given
    return flat(found)


def _log(value: dict[str, Json]) -> Event:
    fields = _tags(value.get("fields"))
    at = integer(value.get("timestamp"))
    return Event(str(fields.get("event", fields.get("name", ""))), (unix_ns(at * 1000) if at else None) or 0, fields)


FORMAT = Format("jaeger", detects, read)
