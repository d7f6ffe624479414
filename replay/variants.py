"""Other requests than the recorded ones, for what a recording seldom has: a later look, two users who ask the same,
two clients that number their requests alike, one who says more."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from itertools import combinations, permutations
from typing import TYPE_CHECKING, Any, cast

from .detect.confirm import stand_in
from .detect.derived import versions
from .detect.values import tokens
from .handler.bind import MESSAGE_NAMES, message_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .investigation import Investigation
    from .trace.lanes import Lane
    from .trace.model import Request

_AGAIN = "~again"
_MOST_PAIRED = 3
_SHORT = 2
# What a client calls a request, to know its answer by: no name of a thing.
_REQUEST_IDS = frozenset(
    {
        *("requestid", "reqid", "xrequestid", "correlationid", "xcorrelationid", "callid", "rpcid", "msgid"),
        *("messageid", "idempotencykey", "xidempotencykey"),
    }
)


def variants_of(investigation: Investigation) -> Iterator[Investigation]:
    """The trace with other requests than were recorded."""
    lanes = investigation.lanes
    yield investigation.on(with_probes(lanes), "when each session sends its last request once more")
    few = lanes[:_MOST_PAIRED]
    for source, sink in permutations(few, 2):
        same = with_equal_inputs(source, sink)
        if same is not None:
            what = f"when {sink.name} says the same as {source.name}"
            yield investigation.on((source, same), what)
    for source, sink in combinations(few, 2):
        same = with_equal_ids(source, sink)
        if same is not None:
            what = f"when {sink.name}'s requests happen to have the ids of {source.name}'s"
            yield investigation.on((source, same), what)
    for source, sink in permutations(few, 2):
        more = with_more_words(source, lanes)
        if more != source:
            yield investigation.on((more, sink), f"when {source.name} says something else, and more of it")


def with_probes(lanes: tuple[Lane, ...]) -> tuple[Lane, ...]:
    """Every session sends its last request once more at the end: what persists shows in a later request."""
    return tuple(
        replace(lane, requests=(*lane.requests, replace(lane.requests[-1], id=f"{lane.requests[-1].id}{_AGAIN}")))
        for lane in lanes
    )


def with_equal_inputs(source: Lane, sink: Lane) -> Lane | None:
    """The sink's lane, saying what the source says; None where nothing would change or it cannot be told where."""
    said = message_of(source.requests[-1].to_json())
    changed = tuple(_saying(request, said) for request in sink.requests)
    if any(request is None for request in changed):
        return None
    made = replace(sink, requests=cast("tuple[Request, ...]", changed))
    return None if made == sink else made


def with_equal_ids(source: Lane, sink: Lane) -> Lane | None:
    """The sink's lane, with the numbers that the source's client gave its requests: clients that count from one do so
    all the time. Ids of things, which the user asks for, stay. None where there are none, or they are equal."""
    pairs = zip(sink.requests, source.requests, strict=False)
    changed = tuple(
        replace(mine, request=_with_ids(mine.request, _ids_in(theirs.request, ""), "")) for mine, theirs in pairs
    )
    made = replace(sink, requests=(*changed, *sink.requests[len(changed) :]))
    return None if made == sink else made


def _is_id(name: str, beside: Iterable[str]) -> bool:
    folded = name.casefold().replace("-", "").replace("_", "")
    return folded in _REQUEST_IDS or (folded == "id" and "jsonrpc" in beside)


def _ids_in(value: Any, path: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    members = _named(value)
    beside = {name for name, _ in members}
    for name, item in members:
        inner = f"{path}.{name}"
        if isinstance(item, (dict, list)):
            found.update(_ids_in(item, inner))
        elif _is_id(name, beside):
            found[inner] = item
    return found


def _named(value: Any) -> list[tuple[str, Any]]:
    """The members of an object, or of a list of pairs, as which headers are told."""
    if isinstance(value, dict):
        return list(cast("dict[str, Any]", value).items())
    pairs = cast("list[Any]", value) if isinstance(value, list) else []
    return [(pair[0], pair[1]) for pair in pairs if _is_pair(pair)]


def _is_pair(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and len(cast("list[Any]", value)) == 2 and isinstance(value[0], str)


def _with_ids(value: Any, ids: dict[str, Any], path: str) -> Any:
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value).items()
        return {name: _with_ids(item, ids, f"{path}.{name}") for name, item in members}
    if isinstance(value, list):
        pairs = cast("list[Any]", value)
        return [[p[0], _with_ids(p[1], ids, f"{path}.{p[0]}")] if _is_pair(p) else p for p in pairs]
    return ids.get(path, value)


def with_more_words(source: Lane, others: Iterable[Lane]) -> Lane:
    """The lane with other and longer words: two users whose texts happen to be equally long hide what depends on a
    length."""
    kept = frozenset[str]()
    for lane in (source, *others):
        for request in lane.requests:
            kept = kept.union(tokens(request.session), tokens(request.user or ""))
    made = versions(source, kept)[1]
    # A text of a character or two is nobody's own wherever it turns up, so something that is goes with it.
    return replace(made, requests=tuple(_telling(request) for request in made.requests))


def _telling(request: Request) -> Request:
    said = message_of(request.to_json())
    if not isinstance(said, str) or any(len(token) > _SHORT for token in tokens(said)):
        return request
    told = stand_in(f"words{hashlib.sha256(request.id.encode('utf-8', 'surrogatepass')).hexdigest()[:6]}")
    return _saying(request, f"{said} {told}".strip()) or request


def _saying(request: Request, said: Any) -> Request | None:
    if not isinstance(said, str):
        return None
    if request.message is not None:
        return replace(request, message=said)
    payload: Any = request.request
    if not isinstance(payload, dict):
        return None
    fields = cast("dict[str, Any]", payload)
    body: Any = fields.get("json")
    for place, inner in (("json", body), ("", fields)):
        for name in MESSAGE_NAMES:
            if isinstance(inner, dict) and name in inner and (place or "method" not in fields):
                members = {**cast("dict[str, Any]", inner), name: said}
                return replace(request, request={**fields, "json": members} if place else members)
    return None
