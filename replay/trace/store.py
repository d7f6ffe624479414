"""The native trace file as a trace: exchanges put together from its events, and back. Reading forgives, writing keeps.

Each thing that cannot be used is reported with its line, and everything else is kept.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from ..errors import TraceError
from ..keeping import all_kept
from .events import EXAMPLE, LARGEST_NS, VERSION, lost_in, read_events
from .model import GRADES, Exchange, Json, Problem, Request, Response, Trace, Upstream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from .identity import Claim

_HTTP_FIELDS = ("method", "path", "query", "headers")
_BODIES = ("json", "text", "b64")
_MOST_BAD_WITHOUT_GOOD = 1_000
_LATE = 256  # exchanges that stay open a while after their end


def load(path: str | Path, on_line: Callable[[int], None] | None = None) -> Trace:
    """Read a trace, with all its parts. `on_line` is told the length of every line in bytes.

    Raises:
        TraceError: there is no such file, it cannot be opened, it is of a newer version, or nothing in it is usable.
    """
    reading = _Reading(Path(path))
    with all_kept():
        for number, event in read_events(Path(path), reading.problems, on_line):
            reading.event(number, event)
            if len(reading.problems) >= _MOST_BAD_WITHOUT_GOOD and not reading.exchanges:
                break
        return reading.trace()


def stream(
    path: Path, problems: list[Problem], on_line: Callable[[int], None] | None = None
) -> Iterator[Request | Exchange]:
    """A trace in one pass and little memory: each request when it begins, and its exchange once it is over.

    An exchange comes a little after its `res`, so that upstream calls that were written late are part of it. What was
    still in flight comes last. `on_line` is told the length of every line in bytes.

    Raises:
        TraceError: as `load`, but for a file without a usable request, which has none to give.
    """
    reading = _Reading(path)
    reading.problems = problems
    ended: deque[str] = deque()
    for number, event in read_events(path, problems, on_line):
        reading.latest = ""
        reading.event(number, event)
        if reading.latest:
            yield reading.exchanges[reading.latest].request
        elif event.get("k") == "res" and str(event.get("id")) in reading.exchanges:
            ended.append(str(event.get("id")))
            if len(ended) > _LATE and (done := reading.take(ended.popleft())):
                yield done
    for identity in list(reading.exchanges):
        if done := reading.take(identity):
            yield done


def of_events(events: Iterable[dict[str, Json]], name: str) -> Trace:
    """The trace of events that are at hand; `name` stands for its path in messages.

    Raises:
        TraceError: there is no request among them.
    """
    reading = _Reading(Path(name))
    for number, event in enumerate(events, 1):
        reading.event(number, event)
    return reading.trace()


def dump(exchanges: Iterable[Exchange], stream: IO[str], header: dict[str, Json] | None = None) -> int:
    """Write exchanges as a trace file, header and `end` included; how many. What `load` reads back is equal."""
    stream.write(json.dumps({**(header or {}), "k": "header", "v": VERSION}) + "\n")
    count = 0
    for exchange in exchanges:
        count += 1
        for event in events_of(exchange):
            stream.write(json.dumps(event) + "\n")
    stream.write(json.dumps({"k": "end", "n": count}) + "\n")
    return count


def events_of(exchange: Exchange) -> Iterator[dict[str, Json]]:
    """The events of a trace file that load as this exchange."""
    request, response = exchange.request, exchange.response
    yield request.to_json()
    for call in exchange.upstream:
        yield {
            "k": "up",
            "parent": request.id,
            "t": call.at_ns,
            "dt": call.duration_ns,
            "name": call.name,
            "in": call.sent,
            "out": call.answered,
        }
    if response is None:
        return
    times = response.chunks_at_ns or (response.at_ns,) * len(response.chunks)
    for chunk, at_ns in zip(response.chunks, times, strict=True):
        yield {"k": "chunk", "id": request.id, "t": at_ns, "text": chunk}
    event: dict[str, Json] = {"k": "res", "id": request.id, "t": response.at_ns, "end": response.end}
    if response.status is not None:
        event["status"] = response.status
    if response.headers:
        event["headers"] = [list(pair) for pair in response.headers]
    yield {**event, "json": response.body}


@dataclass(slots=True)
class _Open:
    """An exchange while its events are still coming."""

    request: Request
    response: Response | None = None
    chunks: list[str] = field(default_factory=list[str])
    chunks_at_ns: list[int] = field(default_factory=list[int])
    upstream: list[Upstream] = field(default_factory=list[Upstream])


class _Reading:
    """The state of one load: exchanges by request id, in the order in which they began."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.exchanges: dict[str, _Open] = {}
        self.problems: list[Problem] = []
        self.header: dict[str, Json] = {}
        self.closed = False
        self.lost = 0
        self._taken = 0
        self.latest = ""

    def event(self, number: int, event: dict[str, Json]) -> None:
        try:
            self._event(number, event)
        except (TypeError, ValueError, OverflowError) as error:
            self._problem(number, f"{error}; skipped")

    def trace(self) -> Trace:
        """The trace.

        Raises:
            TraceError: there is no request in it.
        """
        if not self.exchanges:
            if not self.problems and not self.header:
                raise TraceError("is empty", str(self.path), f"a line of a trace looks like {EXAMPLE}")
            first = self.problems[0] if self.problems else None
            why = f"line {first.line}: {first.message}" if first else "it has no request"
            raise TraceError(
                f"holds no usable request ({why})", str(self.path), f"a line of a trace looks like {EXAMPLE}"
            )
        finished = [self._finished(exchange) for exchange in self.exchanges.values()]
        finished.sort(key=lambda exchange: exchange.request.at_ns)
        return Trace(str(self.path), tuple(finished), tuple(self.problems), self.header, self.closed, self.lost)

    def take(self, identity: str) -> Exchange | None:
        """The exchange, which is forgotten here."""
        exchange = self.exchanges.pop(identity, None)
        return self._finished(exchange) if exchange else None

    # ---- events

    def _event(self, number: int, event: dict[str, Json]) -> None:
        kind = event.get("k")
        if kind is None:
            kind = "req"
        if kind == "header":
            self.header = self.header or event
        elif kind == "req":
            self._request(number, event)
        elif kind == "res":
            self._response(event)
        elif kind == "chunk":
            exchange = self._of(event)
            exchange.chunks.append(str(event.get("text", "")))
            exchange.chunks_at_ns.append(_ns(event.get("t", exchange.request.at_ns)))
        elif kind == "msg":
            self._message(event)
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
        elif kind in ("end", "lost"):
            self.closed = self.closed or kind == "end"
            self.lost += lost_in(event)
        elif not isinstance(kind, str):
            raise ValueError("has a kind `k` that is not a text")

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
            request = {key: event[key] for key in _HTTP_FIELDS if key in event} | self._body_fields(event)
            if isinstance(event.get("messages"), list):  # a websocket, also where the client never says anything
                request["messages"] = event["messages"]
        if message is not None and not isinstance(message, str):
            raise ValueError("has a message that is not a text; put other things into request")
        if message is None and request is None:
            raise ValueError("has neither message nor request")
        if message is not None and request is not None:
            raise ValueError("has both message and request; a request has one of them")
        at_ns = _ns(event["t"]) if "t" in event else number
        name = session if session is not None else str(user)
        claims, grade, source = claims_in(event.get("claims")), event.get("grade"), event.get("source")
        self.latest = identity
        self.exchanges[identity] = _Open(
            Request(
                identity,
                name,
                user,
                at_ns,
                message,
                request,
                number,
                claims,
                grade if grade in GRADES else "replayable",
                source if isinstance(source, str) else None,
            )
        )

    def _response(self, event: dict[str, Json]) -> None:
        exchange = self._of(event)
        if exchange.response is not None:
            raise ValueError("answers a request that was answered before")
        status = event.get("status")
        if status is not None and not isinstance(status, int):
            raise ValueError("has a status that is not a number")
        fields = self._body_fields(event)
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

    def _message(self, event: dict[str, Json]) -> None:
        """What the client said over a websocket becomes part of its request."""
        exchange = self._of(event)
        request = exchange.request.request
        if not isinstance(request, dict):
            raise ValueError("is a message of a request that is no websocket")
        said: Json = event["text"] if "text" in event else {"b64": event.get("b64", "")}
        messages = [*cast("dict[str, Json]", request).get("messages", []), said]
        exchange.request = replace(exchange.request, request={**request, "messages": messages})

    def _of(self, event: dict[str, Json], key: str = "id") -> _Open:
        identity = event.get(key, event.get("id"))
        exchange = self.exchanges.get(str(identity))
        if exchange is None:
            raise ValueError(f"belongs to a request {str(identity)[:40]!r} that is not in the trace")
        return exchange

    def _finished(self, exchange: _Open) -> Exchange:
        response = exchange.response
        if response is not None or exchange.chunks:
            chunks, times = tuple(exchange.chunks), tuple(exchange.chunks_at_ns)
            if response is None:
                # The recording ended in the middle of the stream; what had arrived was seen all the same.
                response = Response(times[-1], None, (), "".join(chunks), chunks, "cut", times)
            else:
                body = response.body if response.body is not None else ("".join(chunks) if chunks else None)
                response = replace(response, body=body, chunks=chunks, chunks_at_ns=times)
        return Exchange(exchange.request, response, tuple(exchange.upstream))

    def _body_fields(self, event: dict[str, Json]) -> dict[str, Json]:
        """The one body of an event, on the event itself or under `body`; a `ref` is read from beside the file."""
        inner = event.get("body")
        place = cast("dict[str, Json]", inner) if isinstance(inner, dict) else event
        found = {key: place[key] for key in (*_BODIES, "ref") if key in place}
        if len(found) > 1:
            raise ValueError(f"has more than one body ({', '.join(found)})")
        if "ref" not in found:
            return found
        from . import blobs

        return blobs.read(self.path, str(found["ref"]))

    def _problem(self, line: int, message: str) -> None:
        self.problems.append(Problem(line, message))


def _name(event: dict[str, Json], key: str) -> str | None:
    value = event.get(key)
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise ValueError(f"has a {key} that is neither text nor number")
    return str(value)


def claims_in(value: Json) -> tuple[Claim, ...]:
    """The claims of a `req` event; what is none is left out, since a claim is only evidence."""
    if not value:
        return ()
    from .identity import Claim

    items = cast("list[Json]", value) if isinstance(value, list) else []
    triples = [cast("list[Json]", item) for item in items if isinstance(item, list)]
    return tuple(
        Claim(triple[0], str(triple[1]), str(triple[2]))
        for triple in triples
        if len(triple) == 3 and triple[0] in ("session", "user")
    )


def _ns(value: Json) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("has a time that is not a number")
    if not -LARGEST_NS < value < LARGEST_NS:
        raise ValueError("has a time that does not fit into 64 bits")
    return int(value)


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
