"""A trace on its way through the pipe: in pieces, so that who waits is told how far it is, and can break it off.

A worker keeps what it was given: the next job on the same exchanges, and a search that is shared, say nothing again.
"""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from ..trace.identity import Claim
from ..trace.model import Exchange, Request, Response, Upstream

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_PIECE = 1 << 19
_REQUEST = tuple(field.name for field in fields(Request))
_RESPONSE = tuple(field.name for field in fields(Response))
_UPSTREAM = tuple(field.name for field in fields(Upstream))


def pieces(exchanges: Iterable[Exchange]) -> Iterator[tuple[int, bytes]]:
    """(how many exchanges so far, the line that hands over the latest of them)."""
    waiting: list[str] = []
    size = count = 0
    for exchange in exchanges:
        text = json.dumps(_data(exchange))
        waiting.append(text)
        size += len(text)
        count += 1
        if size >= _PIECE:
            yield count, _line(waiting)
            waiting, size = [], 0
    if waiting:
        yield count, _line(waiting)


def exchanges_of(data: Iterable[dict[str, Any]], recorded: bool) -> Iterator[Exchange]:
    """The exchanges of a piece. `recorded` says whether the LLM's recorded answers are to be repeated."""
    return (_exchange(exchange, recorded) for exchange in data)


def are_same(one: Sequence[Exchange] | None, other: Sequence[Exchange]) -> bool:
    """Whether they are the very same exchanges, object for object: that is quick to tell."""
    return one is not None and len(one) == len(other) and all(map(_is, one, other))


def _is(one: object, other: object) -> bool:
    return one is other


def _line(texts: list[str]) -> bytes:
    return f'{{"do": "take", "exchanges": [{",".join(texts)}]}}\n'.encode("ascii")


def _data(exchange: Exchange) -> dict[str, Any]:
    # Not `asdict`: it copies every value of every body, which takes longer than all the rest.
    request, response = exchange.request, exchange.response
    return {
        "request": {
            **{name: getattr(request, name) for name in _REQUEST},
            "claims": [asdict(claim) for claim in request.claims],
        },
        "response": None if response is None else {name: getattr(response, name) for name in _RESPONSE},
        "upstream": [{name: getattr(call, name) for name in _UPSTREAM} for call in exchange.upstream],
    }


def _exchange(data: dict[str, Any], recorded: bool) -> Exchange:
    response = data["response"]
    if response is not None:
        headers = tuple((name, value) for name, value in response["headers"])
        of_response: dict[str, Any] = {**response, "headers": headers, "chunks": tuple(response["chunks"])}
        of_response["chunks_at_ns"] = tuple(response["chunks_at_ns"])
        response = Response(**of_response)
    request: dict[str, Any] = {
        **data["request"],
        "claims": tuple(Claim(**claim) for claim in data["request"]["claims"]),
    }
    upstream = tuple(Upstream(**call) for call in data["upstream"])
    request["answers"] = tuple((call.name, call.sent, call.answered) for call in upstream) if recorded else ()
    return Exchange(Request(**request), response, upstream)
