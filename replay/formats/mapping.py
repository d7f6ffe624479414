"""Which field of a plain record means what: the names that logs commonly use, and the user's own before them.

A place is a column or a dotted path. Session and user are not here: those are claims, see `trace/identity.py`.
"""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any, cast

from ..errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

USUAL: dict[str, tuple[str, ...]] = {
    "start": (
        "start_time", "startTime", "started_at", "startedAt", "ts", "t", "time", "timestamp", "@timestamp",
        "created_at", "createdAt", "start", "datetime", "date", "request.timestamp",
    ),
    "end": ("end_time", "endTime", "ended_at", "endedAt", "finished_at", "completed_at", "end", "response.timestamp"),
    "duration": (
        "duration_ms", "durationMs", "latency_ms", "latencyMs", "elapsed_ms", "response_time_ms", "duration_us",
        "duration_ns", "duration_s", "elapsed_s", "request_time", "latency", "elapsed", "duration", "response_time",
        "took",
    ),
    "id": ("request_id", "requestId", "req_id", "x_request_id", "correlation_id", "id"),
    "trace": ("trace_id", "traceId", "traceparent", "trace.id", "dd.trace_id"),
    "connection": ("connection_id", "connection", "conn_id"),
    "method": ("method", "http_method", "request_method", "request.method", "http.method", "verb"),
    "path": (
        "path", "url", "uri", "request_uri", "request_path", "request.path", "request.url", "http.path", "http.url",
        "http.target", "url.path", "endpoint", "route",
    ),
    "query": ("query_string", "request.query", "url.query"),
    "headers": ("headers", "request_headers", "request.headers"),
    "request": (
        "request.body", "request.json", "request", "request_body", "body", "payload", "input", "inputs", "messages",
        "prompt", "message", "query", "question",
    ),
    "response": (
        "response.body", "response.json", "response", "response_body", "output", "outputs", "reply", "answer",
        "completion",
    ),
    "response_headers": ("response_headers", "response.headers"),
    "status": ("status", "status_code", "response_code", "response.status", "response.status_code", "http_status"),
    "upstream": ("spans", "upstream"),
}  # fmt: skip
FIELDS = ("session", "user", *USUAL)
_ALSO = {"duration_ms": "duration", "body": "request", "url": "path"}


def mapping_of(pairs: Iterable[str], file: Path | None = None) -> dict[str, str]:
    """Field to place, from `field=path` texts and a TOML file of such pairs; the texts win.

    Raises:
        SettingsError: the file cannot be read, or a field is none.
    """
    given: dict[str, Any] = {} if file is None else _of_file(file)
    for pair in pairs:
        name, equals, place = pair.partition("=")
        if not equals or not place:
            raise SettingsError(f"cannot read the mapping {pair!r}", "--map", "write it like request=payload.text")
        given[name.strip()] = place.strip()
    mapping: dict[str, str] = {}
    for name, place in given.items():
        field = _ALSO.get(name, name)
        if field not in FIELDS or not isinstance(place, str):
            raise SettingsError(f"no field of a trace is called {name!r}", "mapping", f"known: {', '.join(FIELDS)}")
        mapping[field] = place
    return mapping


def _of_file(file: Path) -> dict[str, Any]:
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise SettingsError(f"cannot be read: {error.strerror}", str(file)) from None
    except ValueError as error:
        raise SettingsError(f"is not TOML: {error}", str(file), 'write lines like request = "payload.text"') from None
    inner = data.get("map", data)
    return cast("dict[str, Any]", inner) if isinstance(inner, dict) else data
