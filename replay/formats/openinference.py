"""OpenInference spans as Phoenix gives them out: a download or data frame as JSONL, a list, or the pages of its API.

Attributes come nested or flattened, in one object or as columns `attributes.…`, and are flattened first.
Names: openinference `spec/semantic_conventions.md`; the flat span: Phoenix's `schemas/openapi.json`.
"""

# Decoded JSON is taken apart here.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
from __future__ import annotations

from typing import TYPE_CHECKING

from .assemble import imported
from .documents import objects, records, samples
from .found import Dropped, Format, Item, Reading, Source, keep_json
from .spans import Event, Kind, Span, Status, flat, metadata_of, opaque_id, time_ns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..trace.model import Json

_KINDS: dict[str, Kind] = {"LLM": "llm", "EMBEDDING": "llm", "TOOL": "tool", "RETRIEVER": "tool", "RERANKER": "tool",
                           "AGENT": "agent", "SERVER": "server", "CLIENT": "client"}  # fmt: skip
_STATUSES: dict[str, Status] = {"OK": "ok", "ERROR": "error"}


def detects(source: Source) -> bool:
    """Whether the head holds flat spans: a context with ids, a kind, and a start time."""
    for value in objects(samples(source), "data"):
        context = _context(value)
        kind = value.get("span_kind", value.get("attributes.openinference.span.kind"))
        if "trace_id" in context and "span_id" in context and isinstance(kind, str) and "start_time" in value:
            return not str(context["trace_id"]).startswith("0x")
    return False


def read(source: Source, reading: Reading) -> Iterator[Item]:
    """Every exchange in the file, trace by trace."""
    return imported(_spans(source), source, reading)


def _spans(source: Source) -> Iterator[Span | Dropped]:
    for record in records(source, ("item", "data.item", "")):
        yield record if isinstance(record, Dropped) else _span(record[2], record[0])


def _span(value: Json, where: str) -> Span | Dropped:
    if not isinstance(value, dict):
        return Dropped(where, "is no span")
    context = _context(value)
    trace_id, span_id = opaque_id(context.get("trace_id")), opaque_id(context.get("span_id"))
    if trace_id is None or span_id is None:
        return Dropped(where, "a span without a usable id")
    start_ns = time_ns(value.get("start_time"))
    if start_ns is None:
        return Dropped(f"{where}#{span_id[:40]}", "a span without a start time")
    attributes = _attributes(value)
    kind = value.get("span_kind") or attributes.get("openinference.span.kind") or ""
    return Span(
        trace_id,
        span_id,
        opaque_id(value.get("parent_id")),
        str(value.get("name") or ""),
        _KINDS.get(str(kind).upper(), ""),
        start_ns,
        time_ns(value.get("end_time")),
        attributes,
        metadata_of(attributes),
        tuple(_events(keep_json(value.get("events")))),
        _STATUSES.get(str(value.get("status_code")).upper(), ""),
    )


def _context(value: dict[str, Json]) -> dict[str, Json]:
    context = value.get("context")
    if isinstance(context, dict):
        return context
    return {name: value[f"context.{name}"] for name in ("trace_id", "span_id") if f"context.{name}" in value}


def _attributes(value: dict[str, Json]) -> dict[str, Json]:
    given = keep_json(value.get("attributes"))
    columns = {key.removeprefix("attributes."): each for key, each in value.items() if key.startswith("attributes.")}
    nested = {**(given if isinstance(given, dict) else {}), **columns}
    return {key: each for key, each in flat(nested).items() if each is not None}


def _events(value: Json) -> Iterator[Event]:
    for event in value if isinstance(value, list) else ():
        if isinstance(event, dict):
            attributes = event.get("attributes")
            at_ns = time_ns(event.get("timestamp")) or 0
            yield Event(str(event.get("name") or ""), at_ns, flat(attributes) if isinstance(attributes, dict) else {})


FORMAT = Format("openinference", detects, read)
