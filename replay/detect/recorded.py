"""The texts in the events of a trace: what a client sent, and what it was shown, each with its path.

What every client sends and every server answers (protocol headers) is left out.
"""

# Decoded JSON is taken apart here.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ..trace import blobs
from ..trace.lanes import lane_name
from ..trace.model import Json, Request
from .values import leaves

if TYPE_CHECKING:
    from pathlib import Path

_PROTOCOL = re.compile(
    r"host|user-agent|accept.*|content-.*|connection|cache-control|origin|referer|sec-.*|date|server|via|vary|etag|"
    r"traceparent|tracestate|transfer-encoding|upgrade.*|x-forwarded-(for|proto|host|port)|x-real-ip|x-request-id|"
    r"x-stainless-.*|if-.*|last-modified|expires|age|keep-alive|pragma|dnt|priority|x-trace.*|x-amzn-trace-id|baggage"
)


def lane_of_event(event: dict[str, Json], line: int, boundary: str) -> str | None:
    session, user = event.get("session"), event.get("user")
    if session in (None, "") and user in (None, ""):
        return None
    if boundary == "user":
        return str(user if user not in (None, "") else session)
    if boundary == "session":
        return str(session if session not in (None, "") else user)
    request = event.get("request", event)
    name = str(session or user)
    return lane_name(Request(str(event.get("id") or f"r{line}"), name, str(user), 0, None, request, line), boundary)


def sent_texts(event: dict[str, Json], path: Path) -> list[tuple[str, str]]:
    """What a client sent, without what every client sends."""
    inner = event.get("request")
    place: dict[str, Json] = inner if isinstance(inner, dict) else event  # pyright: ignore[reportUnknownVariableType]
    texts: list[tuple[str, str]] = []
    for name in ("message", "json", "text", "messages"):
        if name in event:
            texts += _content(event[name], name)
    if isinstance(inner, dict):
        for name, value in place.items():
            if name not in ("method", "path", "query", "headers", "message", "text"):
                texts += _content(value, str(name))
            elif name in ("message", "text"):
                texts += _content(value, name)
    elif inner is not None:
        texts += _content(inner, "request")
    body = event.get("body")
    if isinstance(body, dict):
        texts += _content(body, "body")
    if "ref" in event:
        texts += _content(_blob(path, str(event["ref"])), "body")
    for name in ("path", "query"):
        if place.get(name):
            texts += [text for text in leaves(place[name], name) if text[1]]
    texts += _headers(place.get("headers"), "headers")
    return texts


def shown_texts(event: dict[str, Json], path: Path) -> list[tuple[str, str]]:
    """What a client was shown, by path."""
    inner = event.get("body")
    place: dict[str, Json] = inner if isinstance(inner, dict) else event  # pyright: ignore[reportUnknownVariableType]
    texts: list[tuple[str, str]] = []
    for name in ("json", "text"):
        if name in place:
            texts += _content(place[name], "body")
    if "ref" in place:
        texts += _content(_blob(path, str(place["ref"])), "body")
    return texts + _headers(event.get("headers"), "headers")


def _content(value: Json, path: str) -> list[tuple[str, str]]:
    return [pair for pair in leaves(value, path) if len(pair[1]) > 2]


def _headers(headers: Json, path: str) -> list[tuple[str, str]]:
    pairs: list[Any] = list(headers.items()) if isinstance(headers, dict) else headers or []
    return [
        (f"{path}.{str(pair[0]).lower()}", str(pair[1]))
        for pair in pairs
        if len(pair) == 2 and not _PROTOCOL.fullmatch(str(pair[0]).lower())
    ]


def _blob(path: Path, name: str) -> Json:
    try:
        return next(iter(blobs.read(path, name).values()))
    except ValueError:
        return None
