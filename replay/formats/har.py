"""HAR 1.2, as browsers, proxies and recorders write it, with the liberties that they take.

Implements http://www.softwareishard.com/blog/har-12-spec/ read entry by entry. A HAR has no link from a request to the
calls that were made for it; `ties.py` finds them.
"""

# Decoded JSON is taken apart here.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
from __future__ import annotations

import base64
import binascii
import contextlib
import json
import math
import re
from typing import TYPE_CHECKING

from .found import Dropped, Format
from .json_stream import Broken, NoJson, elements, value_of
from .record import Headers, Message, Recorded, decoded, header
from .ties import exchanges
from .times import unix_ns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..trace.model import Json
    from .found import Item, Reading, Source

_HEAD = re.compile(rb'\s*\{\s*"log"\s*:\s*\{')
_SANITISED = "cookies and authorization were removed"
_PRIVATE = ("cookie", "authorization", "x-api-key", "api-key")


def detects(source: Source) -> bool:
    """A JSON object whose first member is `log`, with anything of a HAR in it."""
    return _HEAD.match(source.head) is not None and any(
        name in source.head for name in (b'"entries"', b'"creator"', b'"pages"', b'"version"')
    )


def read(source: Source, reading: Reading) -> Iterator[Item]:
    """Every entry, in the order of the file; one with upstream calls after the last of them."""
    sanitised = _sanitised(source)
    return exchanges(lambda: _records(source, sanitised), reading)


FORMAT = Format("har", detects, read)


def _entries(source: Source) -> Iterator[tuple[str, Json]]:
    number = 0
    with source.opened() as stream:
        try:
            for number, element in enumerate(elements(stream, ("log", "entries")), 1):
                place = f"{source.name}#{number}"
                try:
                    yield place, value_of(element)
                except NoJson as error:
                    yield place, Dropped(place, str(error))
        except Broken:
            place = f"{source.name}#{number + 1}"
            yield place, Dropped(place, "the file is cut off or broken here; what came before is kept")


def _records(source: Source, sanitised: bool) -> Iterator[Recorded | Dropped]:
    for place, entry in _entries(source):
        if isinstance(entry, Dropped):
            yield entry
            continue
        try:
            yield _record(place, entry, sanitised)
        except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError, IndexError, RecursionError) as error:
            yield Dropped(place, f"is no entry of a HAR ({type(error).__name__})")


def _sanitised(source: Source) -> bool:
    """Whether Chrome removed what is private: its export does so by default, and says nothing of it."""
    creator = source.head[:2_000]
    if b"WebInspector" not in creator:
        return False
    for _, entry in _entries(source):
        request = entry.get("request") if isinstance(entry, dict) else None
        if isinstance(request, dict) and any(header(_headers(request.get("headers")), name) for name in _PRIVATE):
            return False
    return True


def _record(place: str, entry: dict[str, Json], sanitised: bool) -> Recorded:
    request, response = entry["request"], entry.get("response") or {}
    lossy = [_SANITISED] if sanitised else []
    start_ns = unix_ns(entry["startedDateTime"])
    if start_ns is None:
        raise ValueError("no start")
    time_ms = _number(entry.get("time"))
    headers = _headers(request.get("headers"))
    reply_headers = _headers(response.get("headers"))
    body = _sent(request.get("postData"))
    mime = str((request.get("postData") or {}).get("mimeType") or "")
    if mime and not header(headers, "content-type"):
        headers = (*headers, ("content-type", mime))
    content = response.get("content") or {}
    reply, notes = _content(content)
    lossy += notes
    kind = str(content.get("mimeType") or "")
    if kind and kind != "x-unknown" and not header(reply_headers, "content-type"):
        reply_headers = (*reply_headers, ("content-type", kind))
    number = _number(response.get("status")) or 0
    status = int(number) if 100 <= number <= 999 else None
    if status is not None and reply is None and _number(content.get("size")):
        lossy.append("the text of a response is missing")
    return Recorded(
        place,
        str(request["method"]),
        str(request["url"]),
        headers,
        body,
        start_ns,
        None if time_ms is None else start_ns + int(time_ms * 1e6),
        status,
        reply_headers,
        reply,
        "ok" if status is not None else "error",
        "",
        str(entry.get("connection") or ""),
        _messages(entry, request, start_ns),
        tuple(lossy),
    )


def _number(value: Json) -> float | None:
    """A number that is one and not negative: -1 stands for what does not apply."""
    if isinstance(value, bool) or value is None or isinstance(value, (dict, list)):
        return None
    number = float(value)
    return number if math.isfinite(number) and number >= 0 else None


def _headers(value: Json) -> Headers:
    """Headers as objects, which the standard says, as pairs, or as one object."""
    items = list(value.items()) if isinstance(value, dict) else value if isinstance(value, list) else []
    pairs = [(item.get("name"), item.get("value")) if isinstance(item, dict) else item for item in items]
    return tuple((str(p[0]), str(p[1])) for p in pairs if isinstance(p, (list, tuple)) and len(p) == 2 and p[0])


def _sent(data: Json) -> str | bytes | None:
    if not isinstance(data, dict):
        return None
    text = data.get("text")
    if isinstance(text, str) and (text or not data.get("params")):
        if data.get("encoding", data.get("_encoding")) == "base64":
            with contextlib.suppress(ValueError):
                return base64.b64decode(text)
        return text
    params = data.get("params")
    if isinstance(params, list) and params:
        from urllib.parse import urlencode

        return urlencode([(str(p["name"]), str(p.get("value", ""))) for p in params])
    return None if text is None else json.dumps(text)


def _content(content: dict[str, Json]) -> tuple[str | bytes | None, tuple[str, ...]]:
    text = content.get("text")
    if not isinstance(text, str):
        return (None if text is None else json.dumps(text)), ()
    if content.get("encoding") != "base64":
        return text, ()
    try:
        if text.lstrip().startswith("["):
            # Polly.js: a JSON list of the pieces of a compressed body, each in base64.
            packed = b"".join(base64.b64decode(str(piece)) for piece in json.loads(text))
        else:
            packed = base64.b64decode(text)
    except (ValueError, binascii.Error, RecursionError):
        return text, ("a body that says it is base64 and is not",)
    return decoded(packed, "gzip") if packed[:2] == b"\x1f\x8b" else (packed, ())


def _messages(entry: dict[str, Json], request: dict[str, Json], start_ns: int) -> tuple[Message, ...] | None:
    kept = entry.get("_webSocketMessages")
    if not isinstance(kept, list):
        web_socket = entry.get("_resourceType") == "websocket" or str(request["url"]).startswith(("ws:", "wss:"))
        return () if web_socket else None
    messages: list[Message] = []
    for item in kept:
        if not isinstance(item, dict):
            continue
        data: str | bytes = str(item.get("data", ""))
        if item.get("opcode") == 2:
            with contextlib.suppress(ValueError):
                data = base64.b64decode(data)
        messages.append(Message(item.get("type") == "send", unix_ns(item.get("time")) or start_ns, data))
    return tuple(messages)
