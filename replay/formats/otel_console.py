"""What OpenTelemetry's console exporter prints: one JSON object a span, over many lines or on one.

It is made for a terminal, so the program's own output may stand between the objects; that costs only itself.
"""

# Decoded JSON is taken apart here.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
from __future__ import annotations

import io
import zlib
from typing import IO, TYPE_CHECKING

from .assemble import imported
from .documents import decoded, records
from .found import Dropped, Format, Item, Reading, Source
from .spans import Event, Kind, Span, Status, binary_id, flat, metadata_of, time_ns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..trace.model import Json

_KINDS: dict[str, Kind] = {"SERVER": "server", "CONSUMER": "server", "CLIENT": "client", "PRODUCER": "client"}
_STATUSES: dict[str, Status] = {"OK": "ok", "ERROR": "error"}
_LONGEST = 16 << 20
_BOM = b"\xef\xbb\xbf"


def detects(source: Source) -> bool:
    """Whether the head holds a span whose context has ids and whose kind is named as the SDK does."""
    head = source.head.removeprefix(_BOM)
    found = _listed(source) if _is_list(source) else _printed(io.BytesIO(head), source.name)
    return any(not isinstance(item, Dropped) and _is_span(item[1]) for item in found)


def read(source: Source, reading: Reading) -> Iterator[Item]:
    """Every exchange in the file, trace by trace."""
    return imported(_spans(source), source, reading)


def _spans(source: Source) -> Iterator[Span | Dropped]:
    if _is_list(source):
        for item in _listed(source):
            yield item if isinstance(item, Dropped) else _span(item[1], item[0])
        return
    with source.opened() as stream:
        try:
            for item in _printed(stream, source.name):
                yield item if isinstance(item, Dropped) else _span(item[1], item[0])
        except (OSError, EOFError, zlib.error):
            yield Dropped(source.name, "the file cannot be read further; what came before is kept")


def _is_list(source: Source) -> bool:
    """Whether somebody has put the objects into a list."""
    return source.head.removeprefix(_BOM).lstrip()[:2] in (b"[\n", b"[\r", b"[{", b"[ ")


def _listed(source: Source) -> Iterator[tuple[str, Json] | Dropped]:
    for record in records(source, ("item", "")):
        yield record if isinstance(record, Dropped) else (record[0], record[2])


def _printed(stream: IO[bytes], name: str) -> Iterator[tuple[str, Json] | Dropped]:
    """The objects that begin and end at the start of a line, with the line on which each began."""
    lines: list[bytes] = []
    began = size = number = 0
    while line := stream.readline(_LONGEST):
        number += 1
        text = (line.removeprefix(_BOM) if number == 1 else line).rstrip()
        if not lines and not text:
            continue
        if text[:1] == b"{" and lines:
            yield Dropped(f"{name}:{began}", "is cut off")
            lines = []
        if not lines:
            began, size = number, 0
            if text != b"{":
                yield _value(text, f"{name}:{number}")
                continue
        lines.append(text)
        size += len(text)
        if text == b"}":
            yield _value(b"\n".join(lines), f"{name}:{began}")
            lines = []
        elif size > _LONGEST:
            yield Dropped(f"{name}:{began}", "is longer than 16 MB")
            lines = []
    if lines:
        yield Dropped(f"{name}:{began}", "is cut off")


def _value(text: bytes, where: str) -> tuple[str, Json] | Dropped:
    try:
        return where, decoded(text)
    except (ValueError, RecursionError):
        return Dropped(where, "is no span")


def _is_span(value: Json) -> bool:
    context = value.get("context") if isinstance(value, dict) else None
    if not isinstance(context, dict) or not {"trace_id", "span_id"} <= context.keys():
        return False
    return str(value.get("kind")).startswith("SpanKind.") or str(context["trace_id"]).startswith("0x")


def _span(value: Json, where: str) -> Span | Dropped:
    context = value.get("context") if isinstance(value, dict) else None
    if not isinstance(context, dict):
        return Dropped(where, "is no span")
    trace_id, span_id = binary_id(context.get("trace_id"), 16), binary_id(context.get("span_id"), 8)
    if trace_id is None or span_id is None:
        return Dropped(where, "a span without a usable id")
    start_ns = time_ns(value.get("start_time"))
    if start_ns is None:
        return Dropped(f"{where}#{span_id[:40]}", "a span without a start time")
    given, events, status = value.get("attributes"), value.get("events"), value.get("status")
    attributes = flat(given) if isinstance(given, dict) else {}
    return Span(
        trace_id,
        span_id,
        binary_id(value.get("parent_id"), 8),
        str(value.get("name") or ""),
        _KINDS.get(str(value.get("kind")).rpartition(".")[2].upper(), ""),
        start_ns,
        time_ns(value.get("end_time")),
        attributes,
        metadata_of(attributes),
        tuple(_event(each) for each in events if isinstance(each, dict)) if isinstance(events, list) else (),
        _STATUSES.get(str(status.get("status_code")).upper(), "") if isinstance(status, dict) else "",
    )


def _event(value: dict[str, Json]) -> Event:
    attributes = value.get("attributes")
    at_ns = time_ns(value.get("timestamp")) or 0
    return Event(str(value.get("name") or ""), at_ns, flat(attributes) if isinstance(attributes, dict) else {})


FORMAT = Format("otel_console", detects, read)
