"""Langfuse: the download of a trace, exports of its tables as JSON, JSONL or CSV, and rows of its blob storage export.

A row of the traces is the root of its observations. The observations table leaves the session out, so an export of the
traces that stands beside one of the observations (`…traces….jsonl`, `…observations….jsonl`, or folders of these names)
is read with it, whichever of the two is named. Times without a zone are UTC, as Langfuse documents.
"""

# Decoded JSON is taken apart here.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import TraceError
from ..trace.events import open_any
from .assemble import imported
from .documents import REST, decoded, objects, records, samples
from .found import Dropped, Format, Item, Reading, Source, keep_json
from .spans import Kind, Span, flat, opaque_id, time_ns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..trace.model import Json

_PATHS = ("trace", "observations.item", "item", "data.item", REST)
_KINDS: dict[str, Kind] = {"GENERATION": "llm", "EMBEDDING": "llm", "TOOL": "tool", "RETRIEVER": "tool",
                           "AGENT": "agent"}  # fmt: skip
_TYPES = {*_KINDS, "SPAN", "EVENT", "CHAIN", "EVALUATOR", "GUARDRAIL"}
_OF_TRACES = {"bookmarked", "projectId", "project_id", "totalCost", "total_cost", "observationCount", "observations",
              "release", "htmlPath", "scores"}  # fmt: skip
_OF_OBSERVATIONS = {"parentObservationId", "parent_observation_id", "completionStartTime", "completion_start_time",
                    "providedModelName", "provided_model_name", "statusMessage", "status_message"}  # fmt: skip
_IDENTITY = ("sessionId", "session_id", "userId", "user_id")
_LONGEST_FIELD = 64 << 20


def detects(source: Source) -> bool:
    """Whether the head holds a trace with its observations, or rows of one of the two tables."""
    header = _csv_header(source.head)
    if header:
        return _is_observation(dict.fromkeys(header, "")) or _is_trace(dict.fromkeys(header, ""))
    for value in objects(samples(source), "data"):
        trace = value.get("trace")
        if (
            isinstance(trace, dict)
            and "id" in trace
            and ("observations" in value or {"projectId", "sessionId"} & trace.keys())
        ):
            return True
        if _is_observation(value) or _is_trace(value):
            return True
    return False


def read(source: Source, reading: Reading) -> Iterator[Item]:
    """Every exchange in the file, trace by trace, joined with the other table where that stands beside it."""
    traces, other = _beside(source)
    return imported(_spans(source, other), replace(source, name=traces), reading)


def _spans(source: Source, other: Source | None) -> Iterator[Span | Dropped]:
    for each in (source, other):
        if each is not None:
            rows = _csv_rows(each) if _csv_header(each.head) else _json_rows(each)
            for row in rows:
                yield row if isinstance(row, Dropped) else _span(row[1], row[0])


def _json_rows(source: Source) -> Iterator[tuple[str, Json] | Dropped]:
    trace = ""
    for record in records(source, _PATHS):
        if isinstance(record, Dropped):
            yield record
            continue
        where, path, value = record
        if path == "trace" and isinstance(value, dict):
            trace = str(value.get("id") or "")
        if path == "observations.item":
            yield from _of_trace(where, [value], trace)
        elif path in ("item", "data.item"):
            yield from _whole(where, value)
        elif path == "trace" or value.keys() & {"id", "traceId", "trace_id"}:
            yield where, value
        elif not value.keys() <= {"meta"} and not trace:
            yield Dropped(where, "is no row of a Langfuse export")
        if path == REST:
            trace = ""


def _whole(where: str, value: Json) -> Iterator[tuple[str, Json]]:
    """A row, and what it holds: a download has its trace and observations, a trace of the API its observations."""
    inner = value.get("trace") if isinstance(value, dict) else None
    row = inner if isinstance(inner, dict) else value
    yield where, row
    observations = value.get("observations") if isinstance(value, dict) else None
    if isinstance(observations, list):
        yield from _of_trace(where, observations, str(row.get("id") or ""))


def _of_trace(where: str, observations: list[Json], trace: str) -> Iterator[tuple[str, Json]]:
    for value in observations:
        # Rows of the traces table name their observations by id alone.
        if isinstance(value, dict):
            yield where, {"traceId": trace, **value} if trace else value
        elif not isinstance(value, str):
            yield where, value


# ---- rows


def _span(row: Json, where: str) -> Span | Dropped:
    if not isinstance(row, dict):
        return Dropped(where, "is no row of a Langfuse export")
    identity, trace_id = opaque_id(row.get("id")), opaque_id(_either(row, "traceId", "trace_id"))
    start_ns = time_ns(_either(row, "startTime", "start_time", "timestamp"))
    if identity is None:
        return Dropped(where, "a row without an id")
    if start_ns is None:
        return Dropped(f"{where}#{identity[:40]}", "a row without a start time")
    end_ns = time_ns(_either(row, "endTime", "end_time"))
    if trace_id is None:
        return _span_of(row, identity, identity, None, start_ns, _after(start_ns, row.get("latency")))
    parent = opaque_id(_either(row, "parentObservationId", "parent_observation_id")) or trace_id
    return _span_of(row, trace_id, identity, parent, start_ns, end_ns)


def _span_of(
    row: dict[str, Json], trace_id: str, span_id: str, parent: str | None, start_ns: int, end_ns: int | None
) -> Span:
    metadata = _value(row.get("metadata"))
    fields = metadata if isinstance(metadata, dict) else {}
    recorded = keep_json(fields.get("attributes"))  # what OpenTelemetry spans had that Langfuse has no column for
    attributes = flat(recorded) if isinstance(recorded, dict) else {}
    for name, value in (
        ("input.value", _value(row.get("input"))),
        ("output.value", _value(row.get("output"))),
        ("gen_ai.request.model", _either(row, "model", "providedModelName", "provided_model_name")),
        ("langfuse.observation.completion_start_time", _either(row, "completionStartTime", "completion_start_time")),
    ):
        if value is not None and value != "":
            attributes[name] = value
    kind = _KINDS.get(str(row.get("type")).upper(), "")
    if not kind and parent is not None:
        attributes.pop("gen_ai.request.model", None)
    return Span(
        trace_id,
        span_id,
        parent,
        str(row.get("name") or ""),
        kind,
        start_ns,
        end_ns,
        attributes,
        {**fields, **{name: row[name] for name in _IDENTITY if row.get(name)}},
        (),
        "error" if str(row.get("level")).upper() == "ERROR" else "",
    )


def _value(value: Json) -> Json:
    """What Langfuse writes as a JSON text, texts among them."""
    if isinstance(value, str) and len(value) > 1 and value[0] == value[-1] == '"':
        try:
            return decoded(value)
        except (ValueError, RecursionError):
            return value
    return keep_json(value)


def _after(start_ns: int, latency: Json) -> int | None:
    try:
        return start_ns + int(float(latency) * 1e9) if latency not in (None, "") and 0 <= float(latency) < 1e6 else None
    except (TypeError, ValueError):
        return None


def _is_observation(row: dict[str, Json]) -> bool:
    if not (({"id", "traceId", "startTime"} <= row.keys()) or ({"id", "trace_id", "start_time"} <= row.keys())):
        return False
    return bool(_OF_OBSERVATIONS & row.keys()) or row.get("type") in _TYPES


def _is_trace(row: dict[str, Json]) -> bool:
    return {"id", "timestamp"} <= row.keys() and bool(_OF_TRACES & row.keys()) and "run_type" not in row


def _either(row: dict[str, Json], *names: str) -> Json:
    return next((row[name] for name in names if row.get(name) not in (None, "")), None)


# ---- CSV


def _csv_header(head: bytes) -> list[str]:
    """The columns where the first line is a CSV header."""
    first = head.removeprefix(b"\xef\xbb\xbf").partition(b"\n")[0].strip()
    if b"," not in first or first[:1] in (b"{", b"["):
        return []
    return next(csv.reader([first.decode("utf-8", "replace")]), [])


def _csv_rows(source: Source) -> Iterator[tuple[str, Json] | Dropped]:
    csv.field_size_limit(_LONGEST_FIELD)
    with source.opened() as stream, io.TextIOWrapper(stream, "utf-8-sig", "replace", newline="") as text:
        rows = csv.reader(text, strict=False)
        header: list[str] = []
        while True:
            try:
                cells = next(rows, None)
            except csv.Error:
                yield Dropped(f"{source.name}:{rows.line_num}", "is not CSV")
                continue
            except (OSError, EOFError):
                yield Dropped(source.name, "the file cannot be read further; what came before is kept")
                return
            if cells is None:
                return
            if not header:
                header = cells
            elif len(cells) != len(header):
                if cells:
                    yield Dropped(f"{source.name}:{rows.line_num}", "has another number of columns than the header")
            else:
                yield f"{source.name}:{rows.line_num}", {k: v for k, v in zip(header, cells, strict=True) if v != ""}


# ---- the other table


def _beside(source: Source) -> tuple[str, Source | None]:
    """The name of the traces of an export, and its other table as a source; None where that is not there.

    The requests are named after the traces whichever table was read, so that importing both finds each once.
    """
    for this, wanted in (("observations", "traces"), ("traces", "observations")):
        other = _sibling(source.path, this, wanted)
        found = None if other is None else _source_of(other, source)
        if found is not None and detects(found):
            return found.name if wanted == "traces" else source.name, found
    return source.name, None


def _source_of(path: Path, beside: Source) -> Source | None:
    try:
        with open_any(path) as stream:
            head = stream.read(64 << 10)
    except (OSError, EOFError, TraceError):
        return None
    named = Path(beside.name)
    if path.name == beside.path.name and named.parent.name:
        named = named.parent.with_name(path.parent.name) / named.name
    else:
        named = named.with_name(path.name)
    return Source(str(named), path, head, lambda: open_any(path))


def _sibling(path: Path, this: str, wanted: str) -> Path | None:
    """The file of the other table: in the folder of that name, as blob storage has them, or with that name beside.

    Beside, the name may also differ in the time of the export, as long as there is just one.
    """
    if path.parent.name == this:
        return other if (other := path.parent.with_name(wanted) / path.name).is_file() else None
    if this not in path.name:
        return None
    exact = path.with_name(path.name.replace(this, wanted))
    if exact.is_file():
        return exact
    pattern = re.sub(r"\d+", "", exact.name)
    try:
        found = [each for each in path.parent.iterdir() if re.sub(r"\d+", "", each.name) == pattern and each.is_file()]
    except OSError:
        return None
    return found[0] if len(found) == 1 else None


FORMAT = Format("langfuse", detects, read)
