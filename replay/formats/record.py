"""What a record becomes: its body as JSON, text or base64, whose it is, and whether it can be replayed.

Every importer of HTTP-shaped records ends here, so that the same request reads the same from each of them.
"""

# Decoded JSON is taken apart here.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
from __future__ import annotations

import base64
import json
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..trace.identity import Rules, chosen, claims_of, places_of
from ..trace.model import Exchange, Grade, Json, Request, Response, Upstream
from .found import TOO_LONG, Found

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..trace.identity import Claim
    from .found import Reading

Headers = tuple[tuple[str, str], ...]
NO_CHUNK_TIMES = "no chunk times: a stream came as one text"
_LARGEST_BODY = 256 << 20
_WITH_BODY = ("POST", "PUT", "PATCH")


@dataclass(frozen=True, slots=True)
class Message:
    """What one side said over a websocket."""

    from_client: bool
    at_ns: int
    content: str | bytes


@dataclass(frozen=True, slots=True)
class Recorded:
    """One HTTP exchange as a capture tool kept it. Times are Unix nanoseconds; a body that it did not keep is None.

    Attributes:
        id: the tool's own, empty where it has none. connection: likewise, the client's.
        end: as in `Response`; `cut` where no response was recorded.
        messages: of a websocket, in order.
    """

    source: str
    method: str
    url: str
    headers: Headers
    body: bytes | str | None
    start_ns: int
    end_ns: int | None
    status: int | None
    reply_headers: Headers = ()
    reply_body: bytes | str | None = None
    end: str = "ok"
    id: str = ""
    connection: str = ""
    messages: tuple[Message, ...] | None = None
    lossy: tuple[str, ...] = ()


def found(record: Recorded, reading: Reading, upstream: Sequence[Upstream] = (), lossy: Sequence[str] = ()) -> Found:
    """The exchange of a record, with the upstream calls that were made for it."""
    request = request_of(record)
    claims = claims_of(places_of(request), reading.rules)
    trace = trace_id(record.headers)
    session, user, guessed = owner(claims, reading.fallback, record.source, trace, record.connection)
    grade: Grade = "replayable"
    if record.body is None and record.messages is None and _expects_body(record):
        grade = "needs-body"
    notes = [*record.lossy, *lossy, *guessed]
    if record.end_ns is None and record.status is not None:
        notes.append("no end time")
    if record.reply_body is not None and "text/event-stream" in header(record.reply_headers, "content-type"):
        notes.append(NO_CHUNK_TIMES)
    made = Request(record.id, session, user, record.start_ns, None, request, 1, claims, grade, record.source)
    return Found(Exchange(made, response_of(record), tuple(upstream)), tuple(dict.fromkeys(notes)))


def request_of(record: Recorded) -> dict[str, Json]:
    """The `request` object as the trace model has it."""
    url = urlsplit(record.url)
    request: dict[str, Json] = {"method": record.method.upper(), "path": url.path or "/"}
    if url.query:
        request["query"] = url.query
    # HTTP/2 names the host and the target in pseudo headers, which no server's application sees.
    host = next((value for name, value in record.headers if name == ":authority"), None)
    headers = [[name, value] for name, value in record.headers if not name.startswith(":")]
    if host is not None and not any(name.lower() == "host" for name, _ in headers):
        headers.insert(0, ["host", host])
    request["headers"] = headers
    if record.messages is not None:
        request["messages"] = [_said(message) for message in record.messages if message.from_client]
        return request
    if record.body is not None and len(record.body):
        request |= content(record.body, header(record.headers, "content-type"))
    return request


def response_of(record: Recorded) -> Response | None:
    """What came back, None where the recording ended before it did."""
    if record.status is None and record.end == "cut":
        return None
    said = [message for message in record.messages or () if not message.from_client]
    texts = tuple(m.content if isinstance(m.content, str) else _base64(m.content) for m in said)
    end_ns = record.end_ns if record.end_ns is not None else record.start_ns
    body = body_of(record.reply_body, header(record.reply_headers, "content-type"))
    if body is None and texts:
        body = "".join(texts)
    times = tuple(message.at_ns for message in said)
    return Response(end_ns, record.status, record.reply_headers, body, texts, record.end, times)


def upstream_of(record: Recorded) -> Upstream:
    """The record as a call that the service made."""
    url = urlsplit(record.url)
    duration = 0 if record.end_ns is None else max(0, record.end_ns - record.start_ns)
    sent = body_of(record.body, header(record.headers, "content-type"))
    answered = body_of(record.reply_body, header(record.reply_headers, "content-type"))
    name = f"{record.method.upper()} {url.netloc.rpartition('@')[2]}{url.path}"
    return Upstream(record.start_ns, duration, name, sent, answered)


def content(body: bytes | str, content_type: str) -> dict[str, Json]:
    """A body as exactly one of `json`, `text`, `b64`. An event stream stays text."""
    if isinstance(body, bytes):
        try:
            body = body.decode("utf-8")
        except UnicodeDecodeError:
            return {"b64": _base64(body)}
    kind = content_type.lower()
    if "json" in kind or (not kind and body.lstrip()[:1] in ("{", "[")):
        value = strict_json(body)
        if value is not _NONE:
            return {"json": value}
    return {"text": body}


def body_of(body: bytes | str | None, content_type: str) -> Json:
    """The same as `Response.body` and `Upstream` have it: the bare value, or `{"b64": …}`."""
    if body is None or not len(body):
        return None
    fields = content(body, content_type)
    return fields if "b64" in fields else next(iter(fields.values()))


def strict_json(text: str | bytes) -> Json:
    """The value, or a mark that is nothing else where the text is no JSON that a trace may hold."""
    try:
        return _DECODER.decode(text if isinstance(text, str) else text.decode("utf-8"))
    except (ValueError, RecursionError):
        return _NONE


def no_json(text: str | bytes) -> str:
    """Why `strict_json` found no value."""
    try:
        _DECODER.decode(text if isinstance(text, str) else text.decode("utf-8"))
    except RecursionError:
        return "is nested too deeply"
    except json.JSONDecodeError:
        return "is not JSON"
    except UnicodeDecodeError as error:
        return f"is not UTF-8 (byte {error.start})"
    except ValueError as error:
        return TOO_LONG if "digits" in str(error) else "is not JSON"
    return "is not a JSON object"


def owner(
    claims: Sequence[Claim], fallback: str, source: str, trace: str = "", connection: str = ""
) -> tuple[str, str | None, tuple[str, ...]]:
    """(session, user, what was guessed): the session that is claimed, else the user, else what the fallback names."""
    session, user = chosen(claims, "session"), chosen(claims, "user")
    name = user.value if user else None
    if session is not None:
        return session.value, name, ()
    if name is not None:
        return name, name, ()
    file = source.rpartition(":")[0].rpartition("#")[0] or source.rpartition(":")[0] or source
    if fallback == "trace" and trace:
        return f"trace {trace[:32]}", None, ("session guessed: one for each trace",)
    if fallback == "connection" and connection:
        return f"connection {connection[:64]} of {file}", None, ("session guessed: one for each connection",)
    return f"request {source}", None, ("session guessed: one for each request",)


def rules_with(rules: Rules, mapping: Mapping[str, str]) -> Rules:
    """The rules, with the session and user columns that a mapping names before them."""
    session = (f"field:{mapping['session']}",) if "session" in mapping else ()
    user = (f"field:{mapping['user']}",) if "user" in mapping else ()
    return Rules((*session, *rules.session), (*user, *rules.user)) if session or user else rules


def header(headers: Headers, name: str) -> str:
    """The value of a header, empty where there is none."""
    return next((value for key, value in headers if key.lower() == name), "")


def trace_id(headers: Headers) -> str:
    """The trace id of a `traceparent` header (W3C Trace Context), empty where there is none."""
    parts = header(headers, "traceparent").split("-")
    valid = len(parts) >= 4 and len(parts[1]) == 32 and parts[1].strip("0")
    return parts[1].lower() if valid else ""


def decoded(body: bytes, encoding: str) -> tuple[bytes, tuple[str, ...]]:
    """A body without its content encoding, and what could not be undone."""
    for name in reversed([part.strip().lower() for part in encoding.split(",") if part.strip()]):
        if name == "identity":
            continue
        unpacked = _inflated(body, name) if name in ("gzip", "x-gzip", "deflate") else _unzstd(body, name)
        if unpacked is None:
            known = name if name in ("br", "gzip", "x-gzip", "deflate", "zstd", "compress") else "unknown"
            return body, (f"a body is still encoded ({known})",)
        body = unpacked
    return body, ()


def _inflated(body: bytes, name: str) -> bytes | None:
    # Servers send `deflate` both with and without the zlib header, and RFC 9110 knows that they do.
    for bits in (zlib.MAX_WBITS | 16,) if name != "deflate" else (zlib.MAX_WBITS, -zlib.MAX_WBITS):
        engine = zlib.decompressobj(bits)
        try:
            unpacked = engine.decompress(body, _LARGEST_BODY)
        except zlib.error:
            continue
        if engine.unconsumed_tail:
            return None
        return unpacked
    return None


def _unzstd(body: bytes, name: str) -> bytes | None:
    if name != "zstd":
        return None
    try:
        import zstandard

        return zstandard.ZstdDecompressor().stream_reader(body).read(_LARGEST_BODY)
    except ImportError:
        return None
    except Exception as error:
        if type(error).__name__ != "ZstdError":
            raise
        return None


def _expects_body(record: Recorded) -> bool:
    return record.method.upper() in _WITH_BODY and header(record.headers, "content-length") != "0"


def _said(message: Message) -> Json:
    return message.content if isinstance(message.content, str) else {"b64": _base64(message.content)}


def _base64(body: bytes) -> str:
    return base64.b64encode(body).decode("ascii")


def _refuse(constant: str) -> Json:
    raise ValueError(f"{constant} is not JSON")


_NONE = object()
_DECODER = json.JSONDecoder(parse_constant=_refuse)
