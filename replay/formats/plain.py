"""Plain request logs: one JSON object a line, a JSON list of them, or CSV with a header line.

No two of them have the same fields, so each field is looked for under the names that logs commonly use, after the
user's own mapping, and the summary prints what was read from where. A line of a log that is no request is said to be.
"""

# Decoded JSON is taken apart here.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
from __future__ import annotations

import csv
import re
from collections import defaultdict
from typing import TYPE_CHECKING

from ..trace.identity import claims_of, places_of
from ..trace.model import Exchange, Grade, Json, Request, Response, Upstream
from .found import Dropped, Format, Found, keep_json
from .json_stream import Broken, elements
from .mapping import USUAL
from .record import Recorded, no_json, owner, request_of, rules_with, strict_json
from .source import lines
from .times import has_zone, span_ns, unix_ns

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .found import Item, Reading, Source

_LEVELS = ("level", "levelname", "severity", "log.level")
_SAID = ("message", "msg")
_TEXTS = ("prompt", "message", "query", "question", "input")
_HTTP = ("path", "url", "uri", "headers", "body", "json", "method")
_REQUEST_LINE = re.compile(r"([A-Z]{3,10}) (\S+) HTTP/[\d.]+")
_ABSENT = object()
_LARGEST_CELL = 4 << 20
_MOST_LINES = 2_000  # of one row; more is a quote that is never closed
_MOST_SHAPES = 256


def detects(source: Source) -> bool:
    """A JSON object on one of the first lines, a list of objects, or a header line with a column that is known."""
    head = source.head.lstrip()
    if head.startswith(b"["):
        return head[1:].lstrip().startswith(b"{")
    first = head.split(b"\n", 20)
    whole = first if len(source.head) < 60_000 else first[:-1]
    if any(line.lstrip().startswith(b"{") and isinstance(strict_json(line), dict) for line in whole):
        return True
    if len(first) == 1 and head.startswith(b"{"):
        return len(source.head) >= 60_000
    return _columns(first[0]) is not None


def read(source: Source, reading: Reading) -> Iterator[Item]:
    """Every record, in the order of the file."""
    record = _Reader(source.name, reading)
    for place, value in _records(source):
        if isinstance(value, Dropped):
            yield value
            continue
        try:
            yield record(place, value)
        except (ValueError, TypeError, ArithmeticError, AttributeError, KeyError, IndexError, RecursionError) as error:
            yield Dropped(place, f"is not usable ({type(error).__name__})")


FORMAT = Format("plain", detects, read)


# ---- records


def _records(source: Source) -> Iterator[tuple[str, dict[str, Json] | Dropped]]:
    head = source.head.lstrip()
    if head.startswith(b"["):
        return _of_list(source)
    return _of_csv(source) if not head.startswith(b"{") and _is_csv(head) else _of_lines(source)


def _of_lines(source: Source) -> Iterator[tuple[str, dict[str, Json] | Dropped]]:
    with source.opened() as stream:
        for number, line in lines(stream):
            place = f"{source.name}:{number}"
            value = None if line is None else strict_json(line)
            if line is None:
                yield place, Dropped(place, "is a line of more than 64 MB")
            elif isinstance(value, dict):
                yield place, value
            else:
                yield place, Dropped(place, no_json(line))


def _of_list(source: Source) -> Iterator[tuple[str, dict[str, Json] | Dropped]]:
    number = 0
    with source.opened() as stream:
        try:
            for number, element in enumerate(elements(stream, ()), 1):
                place = f"{source.name}#{number}"
                value = strict_json(element)
                yield place, value if isinstance(value, dict) else Dropped(place, no_json(element))
        except Broken:
            place = f"{source.name}#{number + 1}"
            yield place, Dropped(place, "the file is cut off or broken here; what came before is kept")


def _of_csv(source: Source) -> Iterator[tuple[str, dict[str, Json] | Dropped]]:
    csv.field_size_limit(_LARGEST_CELL)
    with source.opened() as stream:
        numbered = lines(stream)
        _, header = next(numbered)
        separator, columns = _columns(header or b"") or (",", [])
        again: list[tuple[int, str]] = []
        taken: list[tuple[int, str]] = []

        def texts() -> Iterator[str]:
            while len(taken) < _MOST_LINES:
                if again:
                    taken.append(again.pop())
                else:
                    following = next(numbered, None)
                    if following is None:
                        return
                    taken.append((following[0], (following[1] or b"").decode("utf-8", "replace") + "\n"))
                yield taken[-1][1]

        while True:
            taken.clear()
            try:
                row = next(csv.reader(texts(), delimiter=separator), None)
            except csv.Error:
                row = []
            if row is None:
                return
            place = f"{source.name}:{taken[0][0]}"
            torn = _is_torn(taken, separator)
            if len(row) == len(columns) and not torn:
                cells = zip(columns, row, strict=True)
                yield place, {name: keep_json(cell) for name, cell in cells if cell != ""}
                continue
            # A quote that is never closed takes the lines after it along; those get a chance of their own.
            again.extend(reversed(taken[1:]))
            columned = f"has {len(row)} columns, and the header has {len(columns)}"
            yield place, Dropped(place, "has a quote that is never closed" if torn else columned)


def _is_torn(taken: list[tuple[int, str]], separator: str) -> bool:
    """Whether a row ends inside a quote: only a strict reader tells, and that one refuses what many programs write."""
    text = "".join(line for _, line in taken)
    if text.count('"') % 2 == 0:
        return False
    try:
        next(csv.reader([text], delimiter=separator, strict=True), None)
    except csv.Error as error:
        return "end of data" in str(error)
    return False


def _is_csv(head: bytes) -> bool:
    return _columns(head.split(b"\n", 1)[0]) is not None


def _columns(line: bytes) -> tuple[str, list[str]] | None:
    """(separator, names) of a header line, None where no column of it is known."""
    try:
        text = line.decode("utf-8").strip()
    except UnicodeDecodeError:
        return None
    separator = max(",\t;", key=text.count)
    names = [name.strip().strip('"') for name in text.split(separator)]
    known = {name for usual in USUAL.values() for name in usual} | {"session_id", "session", "user_id", "user"}
    return (separator, names) if len(names) > 1 and not known.isdisjoint(names) else None


# ---- one record


class _Reader:
    """Turns records into exchanges; counts up where they have no time."""

    def __init__(self, name: str, reading: Reading) -> None:
        self._name = name
        self._reading = reading
        self._rules = rules_with(reading.rules, reading.mapping)
        own = {field: (place,) for field, place in reading.mapping.items() if field in USUAL}
        self._own = frozenset(own)
        self._by_first_key: dict[str, list[tuple[int, int, str, str]]] = defaultdict(list)
        for order, (field, names) in enumerate({**USUAL, **own}.items()):
            for rank, place in enumerate(names):
                for key in {place, place.partition(".")[0]}:
                    self._by_first_key[key].append((order, rank, field, place))
        self._looked: dict[tuple[str, ...], tuple[tuple[str, str], ...]] = {}
        self._last_ns = 0
        self._mappings: dict[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]] = {}

    def __call__(self, place: str, record: dict[str, Json]) -> Found | Dropped:
        log_line = any(name in record for name in _LEVELS)
        found: dict[str, Json] = {}
        used: list[tuple[str, str]] = []
        for field, name in self._candidates(record):
            if field in found or (log_line and name in _SAID and field not in self._own):
                continue
            value = _at(record, name)
            if value is not _ABSENT and value is not None:
                found[field] = value
                used.append((field, name))
        places = dict(used)
        lossy: list[str] = []
        request, message, graded = self._request(found, places)
        claims = claims_of(places_of(request if "path" in request else {"json": request}, fields=record), self._rules)
        if message is None and not request:
            if log_line and "path" not in found and not claims:
                return Dropped(place, "is a line of a log, not a request")
            if not claims:
                return Dropped(place, "names neither a request nor a session")
            graded = "timing-only"
        trace, connection = str(found.get("trace", "")), str(found.get("connection", ""))
        trace = trace.split("-")[1] if re.fullmatch(r"\w\w-\w{32}-\w{16}-\w\w", trace) else trace
        session, user, guessed = owner(claims, self._reading.fallback, place, trace, connection)
        at_ns, end_ns = self._times(found, places, lossy)
        made = Request(
            _identity(found.get("id")),
            session,
            user,
            at_ns,
            message,
            None if message is not None else request,
            1,
            claims,
            graded,
            place,
        )
        response = _response(found, at_ns if end_ns is None else end_ns)
        if response is not None and end_ns is None:
            lossy.append("no end time")
        upstream = _upstream(found.get("upstream"), at_ns)
        mapping = tuple(used)
        return Found(
            Exchange(made, response, upstream), (*lossy, *guessed), self._mappings.setdefault(mapping, mapping)
        )

    def _candidates(self, record: dict[str, Json]) -> tuple[tuple[str, str], ...]:
        """(field, place) that a record with these members may have, in the order in which they are believed."""
        keys = tuple(record)
        known = self._looked.get(keys)
        if known is None:
            possible = {each for key in keys for each in self._by_first_key.get(key, ())}
            known = tuple((field, name) for _, _, field, name in sorted(possible))
            if len(self._looked) < _MOST_SHAPES:
                self._looked[keys] = known
        return known

    def _request(
        self, found: Mapping[str, Json], places: Mapping[str, str]
    ) -> tuple[dict[str, Json], str | None, Grade]:
        """(request, message, grade): an HTTP request where there is a path, else what a function is called with."""
        body = keep_json(found.get("request"))
        method, path, headers = found.get("method"), found.get("path"), found.get("headers")
        line = _REQUEST_LINE.fullmatch(body) if isinstance(body, str) else None
        if line:
            method, path, body = line[1], path or line[2], None
        elif isinstance(body, dict) and places.get("request") == "request" and not body.keys().isdisjoint(_HTTP):
            body = body.get("json", body.get("body")) if {"path", "url", "uri", "method"} & body.keys() else body
        if isinstance(path, str) and path:
            known = body is not None
            wire = Recorded("", str(method or ("POST" if known else "GET")), path, _pairs(headers), None, 0, None, None)
            request = request_of(wire)
            if "query" in found and "query" not in request and isinstance(found["query"], (str, dict)):
                request["query"] = found["query"]
            if known:
                request |= {"text": body} if isinstance(body, str) else {"json": body}
            whole = known or str(method or "").upper() in ("GET", "HEAD", "DELETE", "OPTIONS")
            return request, None, "replayable" if whole else "needs-body"
        if isinstance(body, str) and places.get("request", "").rpartition(".")[2] in (*_TEXTS, "request", "body"):
            return {}, body, "replayable"
        if isinstance(body, dict):
            return body, None, "replayable"
        if body is not None:
            return {places["request"].rpartition(".")[2]: body}, None, "replayable"
        return {}, None, "timing-only"

    def _times(self, found: Mapping[str, Json], places: Mapping[str, str], lossy: list[str]) -> tuple[int, int | None]:
        start, end = unix_ns(found.get("start")), unix_ns(found.get("end"))
        span = span_ns(found["duration"], places["duration"]) if "duration" in found else None
        if any(key in found and not has_zone(found[key]) for key in ("start", "end")):
            lossy.append("times without a zone, read as UTC")
        if span is not None and (start is None or end is None):
            if span[1]:
                lossy.append(f"the unit of {places['duration']} was guessed")
            if start is None and end is not None:
                start = end - span[0]
            elif start is not None:
                end = start + span[0]
        if start is None:
            start = end
        if start is None:
            lossy.append("no time: kept in the order of the file")
            start = self._last_ns + 1
        self._last_ns = start
        return start, None if end is None else max(start, end)


def _at(record: Json, path: str) -> Json:
    """The value at a column or a dotted path."""
    if path in record:
        return record[path]
    head, dot, rest = path.partition(".")
    if not dot:
        return _ABSENT
    inner = record.get(head)
    return _at(inner, rest) if isinstance(inner, dict) else _ABSENT


def _identity(value: Json) -> str:
    return str(value)[:200] if isinstance(value, (str, int)) and not isinstance(value, bool) else ""


def _pairs(value: Json) -> tuple[tuple[str, str], ...]:
    value = keep_json(value)
    if isinstance(value, dict):
        many = ((key, item) for key, items in value.items() for item in (items if isinstance(items, list) else [items]))
        return tuple((str(key), str(item)) for key, item in many)
    pairs = value if isinstance(value, list) else []
    found = [(p["name"], p["value"]) if isinstance(p, dict) and {"name", "value"} <= p.keys() else p for p in pairs]
    return tuple((str(p[0]), str(p[1])) for p in found if isinstance(p, (list, tuple)) and len(p) == 2)


def _response(found: Mapping[str, Json], at_ns: int) -> Response | None:
    body, status = keep_json(found.get("response")), found.get("status")
    if isinstance(body, dict) and not body.keys().isdisjoint(("body", "json")) and "status" in body:
        status, body = body["status"] if status is None else status, body.get("json", body.get("body"))
    if isinstance(status, str):
        status = int(status) if re.fullmatch(r"\d{3}", status) else None
    status = status if isinstance(status, int) and not isinstance(status, bool) else None
    if body is None and status is None:
        return None
    return Response(at_ns, status, _pairs(found.get("response_headers")), body, (), "ok")


def _upstream(value: Json, at_ns: int) -> tuple[Upstream, ...]:
    """The calls of nested spans, each with a name and any of start, end, duration, input and output."""
    calls: list[Upstream] = []
    for span in value if isinstance(value, list) else ():
        if not isinstance(span, dict):
            continue
        known = {
            field: (span[name], name)
            for field in ("start", "end", "duration")
            for name in reversed(USUAL[field])
            if name in span
        }
        start = (unix_ns(known["start"][0]) if "start" in known else None) or at_ns
        end = unix_ns(known["end"][0]) if "end" in known else None
        span_of = span_ns(*known["duration"]) if "duration" in known else None
        duration = end - start if end is not None else span_of[0] if span_of else 0
        name = str(span.get("name", span.get("type", "call")))[:200]
        sent = keep_json(span.get("input", span.get("inputs", span.get("request"))))
        answered = keep_json(span.get("output", span.get("outputs", span.get("response"))))
        calls.append(Upstream(start, max(0, duration), name, sent, answered))
    return tuple(calls)
