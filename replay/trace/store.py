"""The native trace file: JSON lines, a header first, then one event a line. Reading forgives, writing does not lose.

Each thing that cannot be used is reported with its line, and everything else is kept. Lines are read one at a time;
`.gz` and `.zst` are told by their first bytes. Nothing in a trace is executed, and no message quotes more than a word
of it.
"""

from __future__ import annotations

import gzip
import io
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from ..errors import TraceError
from .model import Exchange, Json, Problem, Request, Response, Trace, Upstream

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

VERSION = 1
EXAMPLE = '{"session":"s1","user":"alice","message":"My name is Alice"}'
_HTTP_FIELDS = ("method", "path", "query", "headers")
_BODIES = ("json", "text", "b64")
_MOST_BAD_WITHOUT_GOOD = 1_000


def load(path: str | Path) -> Trace:
    """Read a trace.

    Raises:
        TraceError: there is no such file, it cannot be opened, it is of a newer version, or nothing in it is usable.
    """
    place = str(path)
    reading = _Reading(place)
    try:
        with _opened(Path(path)) as stream:
            for number, raw, whole in _lines(stream):
                reading.line(number, raw, whole)
                if len(reading.problems) >= _MOST_BAD_WITHOUT_GOOD and not reading.exchanges:
                    break
    except FileNotFoundError:
        raise TraceError("no such file", place, "the path is relative to the current directory") from None
    except IsADirectoryError:
        raise TraceError("is a directory", place, "name the trace file in it, such as trace.jsonl") from None
    except PermissionError:
        raise TraceError("may not be read (permission denied)", place) from None
    except (EOFError, gzip.BadGzipFile) as error:
        reading.problems.append(Problem(reading.lines, f"the compressed file is torn: {error}"))
    except OSError as error:
        raise TraceError(f"cannot be read: {error.strerror or error}", place) from None
    return reading.trace()


def dump(exchanges: Iterable[Exchange], stream: IO[str], header: dict[str, Json] | None = None) -> None:
    """Write exchanges as a trace file, header and `end` included. What `load` reads back is equal."""

    def write(event: dict[str, Json]) -> None:
        stream.write(json.dumps(event) + "\n")

    write({**(header or {}), "k": "header", "v": VERSION})
    count = 0
    for exchange in exchanges:
        request, response = exchange.request, exchange.response
        write(request.to_json())
        for call in exchange.upstream:
            write(
                {
                    "k": "up",
                    "parent": request.id,
                    "t": call.at_ns,
                    "dt": call.duration_ns,
                    "name": call.name,
                    "in": call.sent,
                    "out": call.answered,
                }
            )
        if response is not None:
            for chunk in response.chunks:
                write({"k": "chunk", "id": request.id, "t": response.at_ns, "text": chunk})
            event: dict[str, Json] = {"k": "res", "id": request.id, "t": response.at_ns, "end": response.end}
            if response.status is not None:
                event["status"] = response.status
            if response.headers:
                event["headers"] = [list(pair) for pair in response.headers]
            event["json"] = response.body
            write(event)
        count += 1
    write({"k": "end", "n": count})


def _opened(path: Path) -> IO[bytes]:
    stream = path.open("rb")
    start = stream.read(4)
    stream.seek(0)
    if start[:2] == b"\x1f\x8b":
        return cast("IO[bytes]", gzip.open(stream))
    if start == b"\x28\xb5\x2f\xfd":
        try:
            import zstandard
        except ImportError:
            stream.close()
            raise TraceError(
                "is compressed with zstd, which needs the zstandard package",
                str(path),
                'run pip install "crosslane[zstd]", or decompress it',
            ) from None
        reader: Any = zstandard.ZstdDecompressor().stream_reader(stream, read_across_frames=True)
        return io.BufferedReader(reader)
    return stream


def _lines(stream: IO[bytes]) -> Iterator[tuple[int, bytes, bool]]:
    """(line number, line, whether it ended in a newline)."""
    for number, line in enumerate(stream, 1):
        raw = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
        yield number, raw.rstrip(b"\r\n"), line.endswith(b"\n")


@dataclass(slots=True)
class _Open:
    """An exchange while its events are still coming."""

    request: Request
    response: Response | None = None
    chunks: list[str] = field(default_factory=list[str])
    upstream: list[Upstream] = field(default_factory=list[Upstream])


class _Reading:
    """The state of one load: exchanges by request id, in the order in which they began."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.exchanges: dict[str, _Open] = {}
        self.problems: list[Problem] = []
        self.header: dict[str, Json] = {}
        self.closed = False
        self.lines = 0
        self._taken = 0

    def line(self, number: int, raw: bytes, whole: bool) -> None:
        self.lines = number
        if not raw.strip():
            return
        try:
            event = json.loads(raw.decode("utf-8", "strict"), parse_constant=_refuse, object_pairs_hook=_once)
        except (ValueError, RecursionError) as error:
            if not whole:
                self._problem(
                    number, f"torn: the last line is cut off after {len(raw)} bytes; what came before is kept"
                )
            else:
                self._problem(number, _why(error, raw))
            return
        if not isinstance(event, dict):
            self._problem(number, "is not a JSON object; skipped")
            return
        try:
            self._event(number, cast("dict[str, Json]", event))
        except (TypeError, ValueError, OverflowError) as error:
            self._problem(number, f"{error}; skipped")

    def trace(self) -> Trace:
        """The trace.

        Raises:
            TraceError: there is no request in it.
        """
        if not self.exchanges:
            if not self.lines:
                raise TraceError("is empty", self.path, f"a line of a trace looks like {EXAMPLE}")
            first = self.problems[0] if self.problems else None
            why = f"line {first.line}: {first.message}" if first else "it has no request"
            raise TraceError(f"holds no usable request ({why})", self.path, f"a line of a trace looks like {EXAMPLE}")
        finished = [self._finished(exchange) for exchange in self.exchanges.values()]
        finished.sort(key=lambda exchange: exchange.request.at_ns)
        return Trace(self.path, tuple(finished), tuple(self.problems), self.header, self.closed)

    # ---- events

    def _event(self, number: int, event: dict[str, Json]) -> None:
        kind = event.get("k")
        if kind is None:
            kind = "req"
        if kind == "header":
            self._header(event)
        elif kind == "req":
            self._request(number, event)
        elif kind == "res":
            self._response(event)
        elif kind == "chunk":
            self._of(event).chunks.append(str(event.get("text", "")))
        elif kind == "up":
            self._of(event, "parent").upstream.append(
                Upstream(
                    _ns(event.get("t", 0)),
                    _ns(event.get("dt", 0)),
                    str(event.get("name", "")),
                    event.get("in"),
                    event.get("out"),
                )
            )
        elif kind == "end":
            self.closed = True
        elif not isinstance(kind, str):
            raise ValueError("has a kind `k` that is not a text")

    def _header(self, event: dict[str, Json]) -> None:
        version = event.get("v", VERSION)
        if not isinstance(version, int) or version > VERSION:
            raise TraceError(
                f"is of trace version {str(version)[:20]}, and this Crosslane reads up to {VERSION}",
                self.path,
                "upgrade Crosslane",
            )
        self.header = event

    def _request(self, number: int, event: dict[str, Json]) -> None:
        session, user = _name(event, "session"), _name(event, "user")
        if session is None and user is None:
            raise ValueError(f"has neither session nor user; expected {EXAMPLE}")
        self._taken += 1
        identity = _name(event, "id") or f"r{self._taken}"
        if identity in self.exchanges:
            raise ValueError(f"repeats the request id {identity[:40]!r}")
        message, request = event.get("message"), event.get("request")
        if request is None and "path" in event:
            request = {key: event[key] for key in _HTTP_FIELDS if key in event} | _body_fields(event)
        if message is not None and not isinstance(message, str):
            raise ValueError("has a message that is not a text; put other things into request")
        if message is None and request is None:
            raise ValueError("has neither message nor request")
        if message is not None and request is not None:
            raise ValueError("has both message and request; a request has one of them")
        at_ns = _ns(event["t"]) if "t" in event else number
        self.exchanges[identity] = _Open(
            Request(identity, session if session is not None else str(user), user, at_ns, message, request, number)
        )

    def _response(self, event: dict[str, Json]) -> None:
        exchange = self._of(event)
        if exchange.response is not None:
            raise ValueError("answers a request that was answered before")
        status = event.get("status")
        if status is not None and not isinstance(status, int):
            raise ValueError("has a status that is not a number")
        fields = _body_fields(event)
        body: Json = None
        if "b64" in fields:
            body = {"b64": fields["b64"]}
        elif fields:
            body = next(iter(fields.values()))
        exchange.response = Response(
            _ns(event.get("t", exchange.request.at_ns)),
            status,
            _pairs(event.get("headers")),
            body,
            (),
            str(event.get("end", "ok")),
        )

    def _of(self, event: dict[str, Json], key: str = "id") -> _Open:
        identity = event.get(key, event.get("id"))
        exchange = self.exchanges.get(str(identity))
        if exchange is None:
            raise ValueError(f"belongs to a request {str(identity)[:40]!r} that is not in the trace")
        return exchange

    def _finished(self, exchange: _Open) -> Exchange:
        response = exchange.response
        if response is not None or exchange.chunks:
            chunks = tuple(exchange.chunks)
            if response is None:
                # The recording ended in the middle of the stream; what had arrived was seen all the same.
                response = Response(exchange.request.at_ns, None, (), "".join(chunks), chunks, "cut")
            else:
                body = response.body if response.body is not None else ("".join(chunks) if chunks else None)
                response = Response(response.at_ns, response.status, response.headers, body, chunks, response.end)
        return Exchange(exchange.request, response, tuple(exchange.upstream))

    def _problem(self, line: int, message: str) -> None:
        self.problems.append(Problem(line, message))


def _refuse(constant: str) -> Json:
    raise ValueError(f"{constant} is not JSON")


def _once(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("the same key twice in one object")
    return members


def _why(error: Exception, raw: bytes) -> str:
    size = f" ({len(raw) / 1e6:.0f} MB)" if len(raw) > 1_000_000 else ""
    if isinstance(error, RecursionError):
        return f"is nested too deeply{size}; skipped"
    if isinstance(error, UnicodeDecodeError):
        return f"is binary or not UTF-8 (byte {error.start}){size}; skipped"
    if isinstance(error, json.JSONDecodeError):
        return f"is not JSON: {error.msg.lower()} at column {error.colno}{size}; skipped"
    return f"is not usable: {re.sub(r'[^ -~]', '?', str(error))[:80]}{size}; skipped"


def _name(event: dict[str, Json], key: str) -> str | None:
    value = event.get(key)
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise ValueError(f"has a {key} that is neither text nor number")
    return str(value)


def _ns(value: Json) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("has a time that is not a number")
    return int(value)


def _body_fields(event: dict[str, Json]) -> dict[str, Json]:
    """The one body of an event, on the event itself or under `body`."""
    inner = event.get("body")
    place = cast("dict[str, Json]", inner) if isinstance(inner, dict) else event
    found = {key: place[key] for key in _BODIES if key in place}
    if len(found) > 1:
        raise ValueError(f"has more than one body ({', '.join(found)})")
    return found


def _pairs(value: Json) -> tuple[tuple[str, str], ...]:
    if value is None:
        return ()
    if isinstance(value, dict):
        return tuple((str(k), str(v)) for k, v in cast("dict[str, Json]", value).items())
    if not isinstance(value, list):
        raise ValueError("has headers that are not pairs")
    pairs: list[tuple[str, str]] = []
    for item in cast("list[Json]", value):
        pair = cast("list[Json]", item) if isinstance(item, list) else []
        if len(pair) != 2:
            raise ValueError("has headers that are not pairs")
        pairs.append((str(pair[0]), str(pair[1])))
    return tuple(pairs)
