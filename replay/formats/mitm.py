"""mitmproxy's flow files: tagged netstrings back to back (https://tnetstrings.info), read without mitmproxy.

Nothing marks where a flow begins but the end of the one before, so a flow that is damaged inside costs only itself,
while after a damaged length there is nothing to go on by. The files of all versions since 0.18 look alike where it
matters here; what is no HTTP flow is said to be none.
"""

# Decoded flows are taken apart here.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
from __future__ import annotations

import re
from typing import IO, TYPE_CHECKING, cast

from .found import Dropped, Format
from .record import Headers, Message, Recorded, decoded, header
from .ties import exchanges
from .times import unix_ns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..trace.model import Json
    from .found import Item, Reading, Source

_HEAD = re.compile(rb"[1-9]\d{1,11}:\d{1,4}:[a-z_]+[,;]")
_LARGEST_FLOW = 1 << 30
_AT_ONCE = 1 << 20
_DEEPEST = 40
_TEXT_FRAME = 1
_CUT = "the file is cut off here; what came before is kept"


def detects(source: Source) -> bool:
    """A length, then a dictionary with a name of a flow for its first key."""
    return _HEAD.match(source.head) is not None


def read(source: Source, reading: Reading) -> Iterator[Item]:
    """Every flow, in the order of the file; one with upstream calls after the last of them."""
    return exchanges(lambda: _records(source), reading)


FORMAT = Format("mitm", detects, read)


def _records(source: Source) -> Iterator[Recorded | Dropped]:
    with source.opened() as stream:
        for number, flow in enumerate(_flows(stream), 1):
            place = f"{source.name}#{number}"
            if isinstance(flow, str):
                yield Dropped(place, flow)
                continue
            try:
                yield _record(place, cast("dict[str, Json]", _pop(flow, 0, len(flow), 0)[0]))
            except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError, IndexError) as error:
                yield Dropped(
                    place, str(error) if isinstance(error, _OtherFlowError) else "is no flow that can be read"
                )


class _OtherFlowError(ValueError):
    """Its text is the reason, and quotes nothing of the flow."""


def _flows(stream: IO[bytes]) -> Iterator[bytes | str]:
    """Each flow as the bytes of one netstring, or why there is none."""
    while True:
        prefix = b""
        while (byte := stream.read(1)).isdigit() and len(prefix) < 12:
            prefix += byte
        if not byte:
            if prefix:
                yield _CUT
            return
        if byte != b":" or not prefix:
            yield "the file is damaged here, and where the next flow begins is unknown; what came before is kept"
            return
        left = int(prefix) + 1
        whole = [] if left > _LARGEST_FLOW else [prefix, byte]
        while left and (part := stream.read(min(left, _AT_ONCE))):
            left -= len(part)
            if whole:
                whole.append(part)
        if left:
            yield _CUT
            return
        yield b"".join(whole) if whole else "is a flow of more than a gigabyte"


def _pop(data: bytes, at: int, end: int, depth: int) -> tuple[Json, int]:
    """(value, where the next begins) of the netstring at a place.

    Raises:
        ValueError: there is none.
    """
    colon = data.find(b":", at, at + 13)
    if colon <= at or not data[at:colon].isdigit() or depth > _DEEPEST:
        raise ValueError("length")
    start = colon + 1
    stop = start + int(data[at:colon])
    if stop >= end:
        raise ValueError("too long")
    kind = data[stop : stop + 1]
    if kind in (b"}", b"]"):
        items: list[Json] = []
        while start < stop:
            item, start = _pop(data, start, stop, depth + 1)
            items.append(item)
        if kind == b"]":
            return items, stop + 1
        return {_text(key): value for key, value in zip(items[::2], items[1::2], strict=True)}, stop + 1
    value = data[start:stop]
    if kind == b",":
        return value, stop + 1
    if kind == b";":
        return value.decode("utf-8", "replace"), stop + 1
    if kind == b"#":
        return int(value), stop + 1
    if kind == b"^":
        return float(value), stop + 1
    if kind == b"!":
        return value == b"true", stop + 1
    if kind == b"~":
        return None, stop + 1
    raise ValueError("type")


def _record(place: str, flow: dict[str, Json]) -> Recorded:
    kind = _text(flow.get("type", "http"))
    if kind != "http":
        raise _OtherFlowError(
            f"is a {kind if kind in ('tcp', 'udp', 'dns', 'websocket') else 'strange'} flow, not an HTTP one"
        )
    request, response, error = flow["request"], flow.get("response"), flow.get("error")
    headers, body, lossy = _message(request)
    start_ns = unix_ns(request["timestamp_start"])
    if start_ns is None:
        raise ValueError("no start")
    end_ns, status = unix_ns(request.get("timestamp_end")), None
    reply_headers: Headers = ()
    reply: bytes | None = None
    end = "cut"
    if isinstance(response, dict):
        reply_headers, reply, more = _message(response)
        lossy = (*lossy, *more)
        end_ns = unix_ns(response.get("timestamp_end")) or unix_ns(response.get("timestamp_start")) or end_ns
        code = response.get("status_code", response.get("code"))
        status, end = int(code) if isinstance(code, int) else None, "ok"
        if reply is None:
            lossy = (*lossy, "a response was streamed through and not kept")
    if isinstance(error, dict):
        end_ns = unix_ns(error.get("timestamp")) or end_ns
        end = "cancelled" if "disconnect" in _text(error.get("msg", "")).lower() else "error"
    client = flow.get("client_conn")
    connection = client.get("id") or client.get("peername") or client.get("address") if isinstance(client, dict) else ""
    messages = _said(flow.get("websocket"))
    if messages:
        end_ns = max(end_ns or 0, *(message.at_ns for message in messages))
    return Recorded(
        place,
        _text(request["method"]),
        _url(request),
        headers,
        body,
        start_ns,
        end_ns,
        status,
        reply_headers,
        reply,
        end,
        _text(flow.get("id", "")),
        connection if isinstance(connection, str) else _text(connection),
        messages,
        lossy,
    )


def _message(part: dict[str, Json]) -> tuple[Headers, bytes | None, tuple[str, ...]]:
    """(headers, body, what was lost); a body that could be unpacked no longer has an encoding."""
    headers = tuple((_text(name), _text(value)) for name, value in part["headers"])
    body = part.get("content")
    if not isinstance(body, bytes):
        return headers, None, ()
    encoding = header(headers, "content-encoding")
    if not encoding or not body:
        return headers, body, ()
    body, lossy = decoded(body, encoding)
    if not lossy:
        headers = tuple(pair for pair in headers if pair[0].lower() != "content-encoding")
    return headers, body, lossy


def _url(request: dict[str, Json]) -> str:
    host, port = _text(request.get("host", "")), request.get("port")
    scheme = _text(request.get("scheme") or "http") or "http"
    shown = "" if port in (None, 80, 443) else f":{port}"
    path = _text(request["path"])
    return path if "://" in path.partition("?")[0] else f"{scheme}://{host}{shown}{path if path[:1] == '/' else '/'}"


def _said(web_socket: Json) -> tuple[Message, ...] | None:
    if not isinstance(web_socket, dict):
        return None
    messages: list[Message] = []
    for item in web_socket.get("messages") or ():
        opcode, from_client, content, at = item[:4]
        raw = content if isinstance(content, bytes) else str(content).encode()
        text = raw.decode("utf-8", "replace") if opcode == _TEXT_FRAME else raw
        messages.append(Message(bool(from_client), unix_ns(at) or 0, text))
    return tuple(messages)


def _text(value: Json) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return value if isinstance(value, str) else "" if value is None else str(value)
