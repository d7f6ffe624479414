"""The texts of an answer, each with its path: headers, body, streamed parts put together again, upstream prompts.

A streamed value may be cut anywhere: in the middle of a part, or over several events of a server-sent stream, each of
which is a JSON object of its own. So parts are joined first, and then the same member of successive events is.
"""

# Decoded JSON is taken apart here.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ..trace.model import is_websocket
from .spelled import is_events, spelled
from .telling import decoded, opened
from .values import leaves

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..trace.model import Exchange, Response

_SPELLED = 24  # letters of a message: more are no piece of one
_NO_SINKS = frozenset({"content-length", "date"})


def shown(exchange: Exchange) -> Iterator[tuple[str, str, str]]:
    """(where, path, text) of everything that a request's user was shown, or that was sent upstream for it."""
    response = exchange.response
    if response is not None:
        for name, value in response.headers:
            if name.lower() not in _NO_SINKS:
                yield "response", f"headers.{name.lower()}", value
        for path, text in (
            _messages(response) if response.chunks and is_websocket(exchange.request.request) else _body(response)
        ):
            yield "response", path, text
    for index, call in enumerate(exchange.upstream):
        for path, text in texts(call.sent, f"upstream.{call.name}[{index}]"):
            yield "upstream", path, text


def at_a_glance(exchange: Exchange) -> str | None:
    """All that `shown` gives in one text, without paths and many times quicker; None where only `shown` can tell."""
    response = exchange.response
    told = [flat(call.sent) for call in exchange.upstream]
    if response is not None:
        body = response.body
        if response.chunks or (isinstance(body, str) and is_events(body)):
            return None
        if isinstance(body, dict) and "b64" in body:
            return None
        told.append(flat(body))
        told.append("\n".join(value for _, value in response.headers))
    return None if None in told else "\n".join(text for text in told if text)


def flat(value: Any) -> str | None:
    """The texts of a JSON value as they stand in its JSON; None where escapes hide some of them."""
    try:
        told = json.dumps(value, ensure_ascii=False)
    except (ValueError, RecursionError):
        return None
    if "\\" not in told:
        return told
    if "\\\\" in told:
        return None
    told = told.replace("\\n", "\n").replace('\\"', '"')
    return None if "\\" in told else told


def texts(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Every text in a JSON value, with its path; of a text that holds JSON itself, what is in it."""
    for at, text in leaves(value, path):
        inner = opened(text)
        if inner is None:
            yield at, text
        else:
            yield from leaves(inner, at)


def _messages(response: Response) -> Iterator[tuple[str, str]]:
    """The messages of a websocket, each by itself; short ones all together too, since they may spell an answer out."""
    messages = response.chunks
    for index, message in enumerate(messages):
        yield from texts(message, f"messages[{index}]")
    whole = "\n".join(messages)
    if len(messages) > 1 and is_events(whole):
        yield from spelled(whole, "messages")
    elif len(messages) > 1 and len(whole) < _SPELLED * len(messages):
        yield "messages", "".join(messages)


def _body(response: Response) -> Iterator[tuple[str, str]]:
    body = response.body
    streamed = "".join(response.chunks)
    if isinstance(body, dict) and body.keys() == {"b64"}:
        body = decoded(body["b64"]) or None
    if body == streamed:
        body = None
    if isinstance(body, str) and is_events(body):
        yield from spelled(body, "body")
    elif body is not None:
        yield from texts(body, "body")
    if streamed:
        yield from spelled(streamed, "chunks") if is_events(streamed) else (("chunks", streamed),)
