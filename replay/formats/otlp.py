"""OTLP/JSON: what collectors, Tempo and OpenTelemetry's file exporters write, one `TracesData` a line or one document.

Ids are read in hex as the specification has it and in base64 as protobuf's own JSON writes them; enumerations by number
and by name; keys in both cases. GenAI messages that travel as log records are given to the spans they belong to.
Specification: opentelemetry-proto, and opentelemetry-specification `protocol/file-exporter.md`.
"""

# Decoded JSON is taken apart here.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
from __future__ import annotations

import re
from itertools import product
from typing import TYPE_CHECKING

from .assemble import imported
from .documents import objects, records, samples
from .found import Dropped, Format, Item, Reading, Source
from .spans import Event, Kind, Span, Status, binary_id, flat, integer, metadata_of, unix_ns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..trace.model import Json

_RESOURCES = ("resourceSpans", "resource_spans", "batches")
_SCOPES = ("scopeSpans", "scope_spans", "instrumentationLibrarySpans")
_SPANS = [
    f"{outer}{resource}.item.{scope}.item.spans.item"
    for outer, resource, scope in product(("", "item.", "trace.", "result."), _RESOURCES, _SCOPES)
]
_LOGS = [
    f"{outer}{resource}.item.{scope}.item.{records}.item"
    for outer, (resource, scope, records) in product(
        ("", "item."),
        (("resourceLogs", "scopeLogs", "logRecords"), ("resource_logs", "scope_logs", "log_records")),
    )
]
_KINDS: dict[str, Kind] = {"2": "server", "server": "server", "3": "client", "client": "client", "4": "client",
                           "producer": "client", "5": "server", "consumer": "server"}  # fmt: skip
_STATUSES: dict[str, Status] = {"1": "ok", "ok": "ok", "2": "error", "error": "error"}


def detects(source: Source) -> bool:
    """Whether the head holds `resourceSpans` (or logs of the same make) with scopes in it."""
    for value in objects(samples(source)):
        # Tempo and Jaeger's API put the trace into an envelope.
        inner = next((value[name] for name in ("trace", "result") if isinstance(value.get(name), dict)), value)
        for name in (*_RESOURCES, "resourceLogs", "resource_logs"):
            groups = inner.get(name)
            if isinstance(groups, list) and all(isinstance(group, dict) for group in groups):
                known = {"resource", "schemaUrl", *_SCOPES, "scopeLogs", "scope_logs"}
                return name != "batches" or any(known & group.keys() for group in groups)
    return False


def read(source: Source, reading: Reading) -> Iterator[Item]:
    """Every exchange in the file, trace by trace."""
    return imported(_spans(source), source, reading)


def _spans(source: Source) -> Iterator[Span | Dropped]:
    for record in records(source, (*_SPANS, *_LOGS, "")):
        if isinstance(record, Dropped):
            yield record
            continue
        where, path, value = record
        if path in _LOGS:
            yield from _log(value)
        elif path:
            yield _span(value, where)
        elif not (isinstance(value, dict) and value.keys() <= {*_RESOURCES, "resourceMetrics", "resourceLogs"}):
            # An envelope without spans is a metrics line or an empty batch, which is in order.
            yield Dropped(where, "is no OTLP trace")


def _span(value: Json, where: str) -> Span | Dropped:
    if not isinstance(value, dict):
        return Dropped(where, "a span that is no object")
    trace_id = binary_id(_either(value, "traceId", "trace_id"), 16)
    span_id = binary_id(_either(value, "spanId", "span_id"), 8)
    start_ns = unix_ns(_either(value, "startTimeUnixNano", "start_time_unix_nano"))
    if trace_id is None or span_id is None:
        return Dropped(where, "a span without a usable id")
    if start_ns is None:
        return Dropped(f"{where}#{span_id[:40]}", "a span without a start time")
    attributes = _attributes(value.get("attributes"))
    events = value.get("events")
    status = value.get("status")
    return Span(
        trace_id,
        span_id,
        binary_id(_either(value, "parentSpanId", "parent_span_id"), 8),
        str(value.get("name") or ""),
        _KINDS.get(_enumerated(value.get("kind"), "span_kind_"), ""),
        start_ns,
        unix_ns(_either(value, "endTimeUnixNano", "end_time_unix_nano")),
        attributes,
        metadata_of(attributes),
        tuple(_event(event) for event in events if isinstance(event, dict)) if isinstance(events, list) else (),
        _STATUSES.get(_enumerated(status.get("code"), "status_code_"), "") if isinstance(status, dict) else "",
    )


def _event(value: dict[str, Json]) -> Event:
    at_ns = unix_ns(_either(value, "timeUnixNano", "time_unix_nano")) or 0
    return Event(str(value.get("name") or ""), at_ns, _attributes(value.get("attributes")))


def _log(value: Json) -> Iterator[Span]:
    """A log record that is a message of a conversation, as an event for its span. Other logs are none of ours."""
    if not isinstance(value, dict):
        return
    attributes = _attributes(value.get("attributes"))
    name = _either(value, "eventName", "event_name") or attributes.get("event.name")
    trace_id = binary_id(_either(value, "traceId", "trace_id"), 16)
    span_id = binary_id(_either(value, "spanId", "span_id"), 8)
    if not isinstance(name, str) or not name.startswith("gen_ai.") or trace_id is None or span_id is None:
        return
    at_ns = unix_ns(_either(value, "timeUnixNano", "time_unix_nano"))
    at_ns = at_ns or unix_ns(_either(value, "observedTimeUnixNano", "observed_time_unix_nano"))
    body = _plain(value.get("body"))
    if isinstance(body, dict) and name.endswith(".details"):
        attributes = flat(body) | attributes
    elif body is not None:
        attributes["body"] = body
    if at_ns is not None:
        event = Event(name, at_ns, attributes)
        yield Span(trace_id, f"{span_id}+{name}@{at_ns}", span_id, name, "log", at_ns, None, {}, {}, (event,))


def _attributes(value: Json) -> dict[str, Json]:
    """Attributes flat: a list of key and value, or an object where a tool has simplified them."""
    if isinstance(value, dict):
        return flat(value)
    pairs = [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
    return flat({str(pair["key"]): _plain(pair.get("value")) for pair in pairs if "key" in pair})


def _plain(value: Json, depth: int = 0) -> Json:
    """An `AnyValue` as a JSON value."""
    if not isinstance(value, dict) or depth > 64:
        return value
    for key, inner in value.items():
        kind = key.replace("_", "").lower()
        if kind == "intvalue":
            return integer(inner)
        if kind in ("arrayvalue", "kvlistvalue"):
            values = inner.get("values") if isinstance(inner, dict) else None
            items = values if isinstance(values, list) else []
            if kind == "arrayvalue":
                return [_plain(item, depth + 1) for item in items]
            return {
                str(p["key"]): _plain(p.get("value"), depth + 1) for p in items if isinstance(p, dict) and "key" in p
            }
        if kind in ("stringvalue", "doublevalue", "boolvalue", "bytesvalue"):
            return inner
    return None


def _either(value: dict[str, Json], *names: str) -> Json:
    return next((value[name] for name in names if value.get(name) is not None), None)


def _enumerated(value: Json, prefix: str) -> str:
    return re.sub(rf"^{prefix}", "", str(value).lower()) if isinstance(value, (str, int)) else ""


FORMAT = Format("otlp", detects, read)
