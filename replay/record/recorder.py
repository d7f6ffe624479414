"""One recording: exchanges from any of the recorders, turned into events of the trace file as they happen.

A request is written when it has come in whole, a part of a stream when it passes, a response when it ends; so what a
crash leaves behind shows who was in flight. Whose request it was is told from the request itself, and secrets are
replaced before anything is written.

This module imports the standard library alone and its siblings: it lives in the recorded service.
"""

from __future__ import annotations

import base64
import codecs
import contextlib
import gzip
import itertools
import json
import os
import zlib
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlsplit

from ..trace.blobs import aside
from ..trace.identity import Claim, Rules, chosen, claims_of, places_of
from .writer import Limits, Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from ..trace.live_redaction import LiveRedactor
    from .relay import Relayed
    from .writer import Origin

Headers: TypeAlias = "tuple[tuple[str, str], ...]"
Raw: TypeAlias = "Iterable[Sequence[Any]]"
"""Headers as a server has them: pairs of text, or of bytes."""
STREAMED = ("text/event-stream", "application/x-ndjson", "application/stream+json", "application/jsonl")
"""Content types whose parts are written one by one as they pass."""
Message: TypeAlias = "tuple[dict[str, Any], bytes, Raw]"
"""One side of an upstream call: what is said of it, its body, and the headers that tell how to read the body."""
_TEXTUAL = ("text/", "application/json", "application/xml", "application/x-www-form-urlencoded", "application/graphql")

CURRENT: ContextVar[Recording | Relayed | None] = ContextVar("crosslane_recording", default=None)
"""The exchange that this task or thread works for; upstream calls are attributed by it."""


@dataclass(frozen=True, slots=True)
class Note:
    """What a live view wants to know: something happened in a lane.

    Attributes:
        what: `request`, `chunk`, `response` or `upstream`.
        status: of a response, None where there is none.
        end: how a response ended: `ok`, `error`, `cancelled`; empty for the other kinds.
    """

    what: str
    request: str
    session: str
    user: str | None
    title: str
    at_ns: int
    status: int | None = None
    end: str = ""


class Recorder:
    """Writes exchanges to a trace file.

    Args:
        path: the trace. `shared` as in `Writer`.
        rules: where to look for session and user first.
        source: for the header: `proxy`, `asgi`, `aiohttp` or `wsgi`.
        redact: what to write in place of an event, without its secrets; None keeps them (`--no-redact`).
        header: further members of the header line.
        told: called with a `Note` for every event; must be quick.
        before_each: called before every exchange; must be quick.
        origin, now: what is recorded happened in another process, at that process's times.

    Raises:
        OSError: the file cannot be created.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        rules: Rules | None = None,
        source: str = "",
        redact: LiveRedactor | None = None,
        header: dict[str, Any] | None = None,
        limits: Limits | None = None,
        shared: bool = False,
        told: Callable[[Note], None] | None = None,
        before_each: Callable[[], None] | None = None,
        origin: Origin | None = None,
        now: Callable[[], int] | None = None,
    ) -> None:
        self.path = Path(path)
        self.rules = rules or Rules()
        self.limits = limits or Limits()
        self.exchanges = 0
        members = {"tool": "crosslane", "source": {"kind": source}, **(header or {})}
        if redact is not None:
            members["redaction"] = redact.header()
        if self.rules.session or self.rules.user:
            members["identity"] = {"session": list(self.rules.session), "user": list(self.rules.user)}
        self._writer = Writer(self.path, members, self.limits, shared, origin)
        self.now_ns: Callable[[], int] = now or self._writer.now_ns
        """The time on the trace's clock."""
        self._redact = redact
        self._told = told
        self._before_each = before_each
        self._numbers = itertools.count(1)
        self._prefix = ""
        self._pid = 0

    @property
    def lost(self) -> int:
        """How many events could not be kept."""
        return self._writer.lost

    @property
    def unmet(self) -> list[str]:
        """The user's rules for redaction that nothing matched so far."""
        return [] if self._redact is None else self._redact.unmet

    def count_lost(self, events: int) -> None:
        """Events were lost before they came here."""
        self._writer.lost += events

    def begin(self, method: str, target: str, headers: Raw, connection: str = "") -> Recording:
        """An exchange whose request line and headers have come. `target` is path and query as sent.

        `connection` names the session where nothing in the request does.
        """
        if self._before_each is not None:
            self._before_each()
        if self._pid != os.getpid():  # also after a fork: ids stay unique over all parts
            self._pid = os.getpid()
            self._prefix = f"{self._writer.pid:x}-{self.now_ns() & 0xFFFFF:x}"
        identity = f"{self._prefix}-{next(self._numbers)}"
        return Recording(self, identity, self.now_ns(), method, target, text_headers(headers), connection)

    def close(self, in_order: bool = True) -> None:
        """Close the file. Not in order: what was recorded was cut off, and the trace says so by having no end."""
        if self._redact is not None:
            for event in self._redact.rest():
                self._writer.put(event)
        self._writer.close(in_order)

    # ---- for Recording

    def write(self, event: dict[str, Any]) -> dict[str, Any]:
        """Put an event into the file, as it is returned: with its secrets replaced."""
        if self._redact is None:
            self._writer.put(event)
            return event
        for each in self._redact.events(event):
            self._writer.put(each)
            event = each
        return event

    @property
    def heard(self) -> bool:
        """Whether anybody wants to be told."""
        return self._told is not None

    def tell(self, note: Note) -> None:
        if self._told is not None:
            self._told(note)

    def body(self, raw: bytes, headers: Headers) -> dict[str, Any]:
        """The member of an event that holds a body: `json`, `text`, `b64` or, for a large one, `ref`."""
        cut = len(raw) - self.limits.kept_bytes
        if cut > 0:
            raw = raw[: self.limits.kept_bytes]
        held = body_member(raw, headers)
        if cut > 0:
            held["cut_bytes"] = cut
        if len(raw) <= self.limits.body_bytes or not held:
            return held
        if self._redact is not None:
            held = self._redact.body(held)
        return aside(self.path, held) or held


class Recording:
    """One exchange while it happens. Every method may be called from any thread, and none of them raises."""

    __slots__ = (
        "_decoder", "_kept", "_parts", "_recorder", "_size", "_streamed", "_unpack", "at_ns", "ended",
        "headers", "id", "method", "response_headers", "session", "started", "status", "target", "user",
    )  # fmt: skip

    def __init__(
        self, recorder: Recorder, identity: str, at_ns: int, method: str, target: str, headers: Headers, connection: str
    ) -> None:
        self._recorder = recorder
        self.id = identity
        self.at_ns = at_ns
        self.method = method
        self.target = target
        self.headers = headers
        self.session = connection or identity
        self.user: str | None = None
        self.started = False
        self.ended = False
        self.status: int | None = None
        self.response_headers: Headers = ()
        self._parts: list[bytes] = []
        self._size = 0
        self._kept = recorder.limits.kept_bytes
        self._streamed = False
        self._decoder: codecs.IncrementalDecoder | None = None
        self._unpack: Any = None

    # ---- the request

    def request(self, body: bytes = b"", extra: dict[str, Any] | None = None) -> None:
        """The request has come in whole, or as much of it as will come."""
        if self.started:
            return
        self.started = True
        recorder = self._recorder
        held = recorder.body(body, self.headers) if body else {}
        path, _, query = self.target.partition("?")
        request: dict[str, Any] = {
            "method": self.method,
            "path": path,
            "headers": [[name, value] for name, value in _told_headers(self.headers, bool(body))],
            **({"query": query} if query else {}),
        }
        claims = claims_of(
            places_of({**request, **(held if "ref" not in held else body_member(body, self.headers))}), recorder.rules
        )
        session, user = chosen(claims, "session"), chosen(claims, "user")
        if session is None and user is None:
            claims = (Claim("session", self.session, "connection"),)
        self.session = session.value if session else user.value if user else self.session
        event: dict[str, Any] = {
            "k": "req",
            "id": self.id,
            "t": self.at_ns,
            "session": self.session,
            **({"user": user.value} if user else {}),
            **request,
            **held,
            "claims": [claim.to_json() for claim in claims],
            **(extra or {}),
        }
        recorder.exchanges += 1
        written = recorder.write(event)
        self.session, self.user = written["session"], written.get("user")
        self._note("request", f"{self.method} {path}")

    def said(self, message: str | bytes) -> None:
        """The client sent a message over a websocket."""
        self.request()
        part = {"text": message} if isinstance(message, str) else {"b64": base64.b64encode(message).decode("ascii")}
        self._recorder.write({"k": "msg", "id": self.id, "t": self._recorder.now_ns(), **part})

    # ---- the response

    def respond(self, status: int, headers: Raw, streamed: bool | None = None) -> None:
        """The response has begun. `streamed` says whether parts are written one by one; None leaves it to the type."""
        if self.ended:
            return
        self.request()
        self.status = status
        self.response_headers = text_headers(headers)
        self._streamed = is_streamed(self.response_headers) if streamed is None else streamed
        if self._streamed:
            self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
            packing = _value(self.response_headers, "content-encoding").lower()
            if packing in ("gzip", "deflate"):
                self._unpack = zlib.decompressobj(47)

    def part(self, data: bytes | str) -> None:
        """A part of the response's body passed."""
        if self.ended or data == b"":
            return
        self.request()
        if isinstance(data, str):
            self._chunk(data)
            return
        if self._streamed and self._decoder is not None:
            if self._unpack is not None:
                try:
                    unpacked: bytes = self._unpack.decompress(data)
                except zlib.error:
                    self._unpack, unpacked = None, data
                data = unpacked
            text = self._decoder.decode(data)
            if text:
                self._chunk(text)
            return
        if self._size < self._kept:
            self._parts.append(bytes(data))
        self._size += len(data)

    def skipped(self, size: int) -> None:
        """So much of the response's body passed beyond what is kept."""
        self._size += size

    def finish(self, end: str = "ok", error: str = "", last: bytes = b"") -> None:
        """The response has ended: `ok`, `error`, `cancelled` or `timeout`. Only the first call counts.

        `last` is a part of its body that came with the end.
        """
        if self.ended:
            return
        self.request()
        if last:
            self.part(last)
        self.ended = True
        if self._decoder is not None and (rest := self._decoder.decode(b"", True)):
            self._chunk(rest)
        recorder = self._recorder
        event: dict[str, Any] = {"k": "res", "id": self.id, "t": recorder.now_ns(), "end": end}
        if self.status is not None:
            event["status"] = self.status
        if self.response_headers:
            event["headers"] = [[name, value] for name, value in _told_headers(self.response_headers, True)]
        if error:
            event["error"] = error
        if self._parts:
            event |= recorder.body(b"".join(self._parts), self.response_headers)
            if self._size > recorder.limits.kept_bytes:
                event["cut_bytes"] = self._size - recorder.limits.kept_bytes
            self._parts = []
        recorder.write(event)
        self._note("response", f"{self.method} {self.target.partition('?')[0]}", end)

    # ---- upstream

    def upstream(self, name: str, sent: Message, answered: Message, at_ns: int, end: str = "ok") -> None:
        """A call that was made to serve this request. Times are on the recorder's clock (`now_ns`)."""
        self.request()
        event = {
            "k": "up",
            "parent": self.id,
            "t": at_ns,
            "dt": self._recorder.now_ns() - at_ns,
            "name": name,
            "in": {**sent[0], **body_member(sent[1], text_headers(sent[2]))},
            "out": {**answered[0], **self._recorder.body(answered[1], text_headers(answered[2]))},
        }
        if end != "ok":
            event["end"] = end
        self._recorder.write(event)
        self._note("upstream", name)

    def now_ns(self) -> int:
        return self._recorder.now_ns()

    def _chunk(self, text: str) -> None:
        self._recorder.write({"k": "chunk", "id": self.id, "t": self._recorder.now_ns(), "text": text})
        self._note("chunk", "")

    def _note(self, what: str, title: str, end: str = "") -> None:
        recorder = self._recorder
        if not recorder.heard:
            return
        note = Note(what, self.id, self.session, self.user, title, recorder.now_ns(), self.status, end)
        recorder.tell(note)


def body_member(raw: bytes, headers: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """A body as `json` or `text` where it is one, after unpacking gzip and deflate, else as `b64`."""
    if not raw:
        return {}
    packing = _value(headers, "content-encoding").lower()
    if packing in ("gzip", "deflate"):
        with contextlib.suppress(OSError, EOFError, zlib.error):
            raw = gzip.decompress(raw) if packing == "gzip" else zlib.decompress(raw, 47)
    elif packing not in ("", "identity"):
        return {"b64": base64.b64encode(raw).decode("ascii")}
    kind = _value(headers, "content-type").partition(";")[0].strip().lower()
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return {"b64": base64.b64encode(raw).decode("ascii")}
    if kind == "application/json" or kind.endswith("+json") or (not kind and text[:1] in ("{", "[")):
        with contextlib.suppress(ValueError, RecursionError):
            return {"json": json.loads(text)}
    if kind and not kind.startswith(_TEXTUAL) and not kind.endswith(("+xml", "+json")) and "\0" in text:
        return {"b64": base64.b64encode(raw).decode("ascii")}
    return {"text": text}


def is_streamed(headers: Headers) -> bool:
    """Whether parts of a body with these headers are written one by one."""
    return _value(headers, "content-type").partition(";")[0].strip().lower() in STREAMED


def text_headers(headers: Raw) -> Headers:
    """Headers as text, whatever the server has them as."""
    return tuple((_text(name), _text(value)) for name, value in headers)


def _text(value: Any) -> str:
    return value if type(value) is str else bytes(value).decode("latin-1") if not isinstance(value, str) else str(value)


def _told_headers(headers: Headers, decoded: bool) -> Iterator[tuple[str, str]]:
    """Headers as they stood, without the packing of a body that was unpacked."""
    return (
        pair
        for pair in headers
        if not (decoded and pair[0].lower() == "content-encoding" and pair[1] in ("gzip", "deflate"))
    )


def _value(headers: Iterable[tuple[str, str]], name: str) -> str:
    return next((value for key, value in headers if key.lower() == name), "")


def upstream_name(method: str, url: str) -> str:
    """What an HTTP call is called: its host and path, without the query, which may hold keys."""
    parts = urlsplit(url)
    return f"{method} {parts.hostname or ''}{parts.path}"
