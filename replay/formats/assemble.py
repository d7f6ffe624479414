"""From the spans of a trace to the requests that caused them, with what was answered and the calls made meanwhile.

The request is the outermost server span; where there is none, the root that was given something, the agents' turns, or
the root as it is. What was not recorded is said (`lossy`, `grade`) and never made up.
"""

# Decoded JSON is taken apart here.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ..trace.identity import ROLES, Claim, Places, chosen, claims_of, places_of
from ..trace.model import Exchange, Grade, Request, Response, Upstream
from .content import Role, answered_of, input_of, output_of, recorded_input, role_of, sent_of, was_streamed
from .found import Dropped, Found, Item, Reading, Source
from .http_spans import http_request, is_http, response_of
from .messages import last_text, messages_in
from .spool import by_trace
from .tree import MISSING, Tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ..trace.model import Json
    from .spans import Span

_NO_BODY_NEEDED = ("GET", "HEAD", "DELETE", "OPTIONS", "TRACE")


def imported(items: Iterable[Span | Dropped], source: Source, reading: Reading) -> Iterator[Item]:
    """Every exchange of a file of spans, by the start of its trace."""
    for item in by_trace(items, source.name):
        if isinstance(item, Dropped):
            yield item
        else:
            try:
                yield from assembled(item, source.name, reading)
            except (RecursionError, ValueError, TypeError, OverflowError):
                yield Dropped(f"{source.name}#{item[0].trace_id[:40]}", "a trace that cannot be put together")


def assembled(spans: list[Span], name: str, reading: Reading) -> Iterator[Found]:
    """The exchanges that the spans of one trace tell of."""
    trace = _Trace(Tree(spans), name, reading)
    inbounds = _inbounds(trace)
    owners = _Owners(trace, inbounds)
    for inbound in inbounds:
        yield _exchange(trace, inbound, owners)


@dataclass(slots=True)
class _Inbound:
    """A request of a trace, with calls from elsewhere in the trace that were made during it."""

    span: Span
    calls: list[Span] = field(default_factory=list["Span"])
    lossy: list[str] = field(default_factory=list[str])


class _Trace:
    """A trace while it is put together. Roles and what was sent are asked for often and do not change."""

    def __init__(self, tree: Tree, name: str, reading: Reading) -> None:
        self.tree = tree
        self.name = name
        self.reading = reading
        self._roles: dict[str, Role] = {span.span_id: role_of(span) for span in tree}

        self._sent: dict[str, Json] = {}

    def role(self, span: Span) -> Role:
        return self._roles.get(span.span_id, "")

    def sent(self, span: Span) -> Json:
        if span.span_id not in self._sent:
            self._sent[span.span_id] = sent_of(span, self.role(span))
        return self._sent[span.span_id]


# ---- which spans are requests


def _inbounds(trace: _Trace) -> list[_Inbound]:
    tree = trace.tree
    # A cut root that is no server or agent is a piece of a request whose own span is elsewhere.
    pieces = [span for span in tree.cut if not _entries(trace, span)]
    cut = {span.span_id for span in pieces}
    whole = [span for span in tree.roots if span.span_id not in cut]
    found = [_Inbound(span) for root in whole for span in _entries(trace, root) or _as_they_are(trace, root)]
    if not found:
        by_parent: dict[str, list[Span]] = {}
        for span in pieces:
            by_parent.setdefault(str(span.parent_id), []).append(span)
        whole = [group[0] if len(group) == 1 else tree.join(group) for group in by_parent.values()]
        found = [_Inbound(span, [], [MISSING]) for root in whole for span in _as_they_are(trace, root)]
        pieces = []
    inside = {each.span_id for inbound in found for each in tree.below(inbound.span)}
    for root in (*whole, *pieces):
        for call in () if root.span_id in inside else _calls(trace, root):
            if call.span_id not in inside:
                _lend(call, found)
    return sorted(found, key=lambda inbound: (inbound.span.start_ns, inbound.span.span_id))


def _entries(trace: _Trace, root: Span) -> list[Span]:
    """The outermost server spans; without one, the root itself where it is an agent's turn."""
    servers = trace.tree.topmost(root, lambda span: trace.role(span) == "server" or (span is root and is_http(span)))
    return servers or ([root] if trace.role(root) == "agent" else [])


def _as_they_are(trace: _Trace, root: Span) -> list[Span]:
    """Without servers: the root that was given something, else what was given something below it, else the root."""
    if trace.role(root) in ("llm", "tool") or input_of(root) is not None:
        return [root]

    def is_turn(span: Span) -> bool:
        role = trace.role(span)
        return role == "agent" or (role == "" and recorded_input(span) is not None)

    return trace.tree.topmost(root, is_turn) or [root]


def _lend(call: Span, inbounds: list[_Inbound]) -> None:
    """Give a call that no request encloses to the one that was under way; to the one begun last if several were."""
    around = [i for i in inbounds if i.span.start_ns <= call.start_ns <= (i.span.end_ns or i.span.start_ns)]
    owner = max(around or inbounds, key=lambda inbound: inbound.span.start_ns)
    owner.calls.append(call)
    sure = len(inbounds) == 1 or len(around) == 1
    owner.lossy.append("upstream call tied by its time" if sure else "upstream call could belong to several requests")


# ---- one request


def _exchange(trace: _Trace, inbound: _Inbound, owners: _Owners) -> Found:
    span, lossy = inbound.span, list(inbound.lossy)
    calls = sorted([*_calls(trace, span), *inbound.calls], key=lambda call: (call.start_ns, call.span_id))
    message, request, grade = _request(trace, span, calls, lossy)
    claims = _claims(trace, span, request, owners)
    lossy += [f"the spans of the trace name different {role}s" for role in ROLES if _contradict(claims, role)]
    identity = f"{_short(span.trace_id)}-{_short(span.span_id, 36)}"
    named_session, named_user = chosen(claims, "session"), chosen(claims, "user")
    user = named_user.value if named_user else None
    if named_session:
        session = named_session.value
    elif user is not None:
        session = user
        lossy.append("no session: one for each user")
    elif trace.reading.fallback == "request":
        session = span.span_id
        lossy.append("no session: one for each request")
    else:
        session = span.trace_id
        lossy.append("no session: one for each trace")
    response = response_of(_ended(trace, span))
    if response is not None and response.body is None:
        response = _answer_below(trace, span, calls, response, lossy)
    if was_streamed(span):
        lossy.append("no chunk times")
    source = f"{trace.name}#{identity}"
    return Found(
        Exchange(
            Request(identity, session, user, span.start_ns, message, request, 0, claims, grade, source),
            response,
            tuple(_upstream(trace, call) for call in calls),
        ),
        tuple(dict.fromkeys(lossy)),
    )


def _request(trace: _Trace, span: Span, calls: list[Span], lossy: list[str]) -> tuple[str | None, Json, Grade]:
    """The message or the `request` object, and whether that is enough to replay."""
    role = trace.role(span)
    if role == "server" or is_http(span):
        request, notes = http_request(span)
        if not request:
            return _given(trace, span, calls, lossy)
        lossy += notes
        bare = str(request.get("method", "GET")).upper() in _NO_BODY_NEEDED and "method" in request
        if bare or "json" in request or "text" in request:
            return None, request, "replayable"
        lossy.append("the request's body was not recorded")
        return None, request, "needs-body"
    return _given(trace, span, calls, lossy)


def _given(trace: _Trace, span: Span, calls: list[Span], lossy: list[str]) -> tuple[str | None, Json, Grade]:
    """As `_request`, of what came in otherwise than over HTTP."""
    role = trace.role(span)
    given = input_of(span)
    if given is None and role == "tool":
        given = trace.sent(span)
    if isinstance(given, str):
        return given, None, "replayable"
    said = last_text(messages_in(given), "user") if isinstance(given, list) else None
    if said is not None:
        return said, None, "replayable"
    if isinstance(given, dict):
        return None, given, "replayable"
    if given is not None:
        return None, {"input": given}, "replayable"
    for call in calls:
        sent = trace.sent(call) if trace.role(call) == "llm" else None
        said = last_text(messages_in(sent), "user")
        if said is not None:
            lossy.append("the message is the user's last in the first call to a model")
            return said, None, "replayable"
    return None, {}, "needs-body" if calls or role not in ("", "server") else "timing-only"


def _ended(trace: _Trace, span: Span) -> Span:
    """The span, ended with the last below it where it has an answer and no end of its own."""
    if span.end_ns is not None or output_of(span) is None:
        return span
    return replace(span, end_ns=max(each.end_ns or each.start_ns for each in trace.tree.below(span)))


def _answer_below(trace: _Trace, span: Span, calls: list[Span], response: Response, lossy: list[str]) -> Response:
    """The response with what the agent below answered, else what the model answered last."""
    body: Json = None
    for below in trace.tree.below(span):
        if below is not span and trace.role(below) not in ("llm", "tool"):
            body = output_of(below)
            if body is not None:
                break
    if body is None:
        for call in sorted(calls, key=lambda each: each.end_ns or 0, reverse=True):
            if trace.role(call) == "llm" and call is not span:
                body = output_of(call)
                break
    if body is None:
        return response
    lossy.append("the response's body is what a span below it answered")
    return Response(response.at_ns, response.status, response.headers, body, (), response.end)


def _calls(trace: _Trace, root: Span) -> list[Span]:
    """The calls to models and tools at or below a span, each once though two instrumentations recorded it."""
    found: list[Span] = []
    waiting = [(root, False)]
    while waiting:
        span, told = waiting.pop()
        role = trace.role(span)
        if role == "tool":
            found.append(span)
        elif role == "llm" and not told:
            inner = any(trace.role(each) == "llm" and each is not span for each in trace.tree.below(span))
            told = trace.sent(span) is not None
            if told or not inner:
                found.append(span)
        waiting += [(each, told) for each in trace.tree.children(span)]
    return found


def _upstream(trace: _Trace, call: Span) -> Upstream:
    role = trace.role(call)
    duration = max(0, (call.end_ns or call.start_ns) - call.start_ns)
    return Upstream(call.start_ns, duration, call.name or role, trace.sent(call), answered_of(call, role))


# ---- whose it is


class _Owners:
    """Which claims the spans outside of each request make, so that identity on one span only reaches its request."""

    def __init__(self, trace: _Trace, inbounds: list[_Inbound]) -> None:
        self._rules = trace.reading.rules
        inside = {each.span_id for inbound in inbounds for each in trace.tree.below(inbound.span)}
        free: dict[Claim, None] = {}
        taken: dict[Claim, None] = {}
        for span in trace.tree:
            (taken if span.span_id in inside else free).update(dict.fromkeys(self.of(span)))
        self.free, self.taken = tuple(free), tuple(taken)

    def of(self, span: Span) -> tuple[Claim, ...]:
        return claims_of(Places(attribute=_texts(span.attributes), field=span.fields), self._rules)


def _claims(trace: _Trace, span: Span, request: Json, owners: _Owners) -> tuple[Claim, ...]:
    """The claims of the request, then of the spans above it, below it, and of the rest of its trace.

    What stands within another request of the trace is asked last, and only for a role that nothing else names.
    """
    http = is_http(span) or trace.role(span) == "server"
    own = places_of(request if http else {"json": request}, _texts(span.attributes), span.fields)
    found = list(claims_of(own, trace.reading.rules))
    for each in (*trace.tree.above(span), *trace.tree.below(span)):
        found += owners.of(each)
    found += owners.free
    silent = {role for role in ROLES if chosen(found, role) is None}
    found += [claim for claim in owners.taken if claim.role in silent]
    return tuple(sorted(dict.fromkeys(found), key=lambda claim: ROLES.index(claim.role)))


def _texts(attributes: Mapping[str, Json]) -> dict[str, str]:
    """What may be a name. Bodies and prompts are not looked at."""
    return {
        key: str(value)
        for key, value in attributes.items()
        if (isinstance(value, str) and len(value) <= 256) or (isinstance(value, int) and not isinstance(value, bool))
    }


def _contradict(claims: Iterable[Claim], role: str) -> bool:
    first: dict[str, str] = {}
    return any(first.setdefault(claim.place, claim.value) != claim.value for claim in claims if claim.role == role)


def _short(identity: str, longest: int = 12) -> str:
    """An id as it is if it is short, the end of a trace id in hex (its start is a time in some tools), else a hash."""
    if re.fullmatch(r"[0-9a-f]{32}", identity):
        return identity[-8:] if longest < 32 else identity
    if len(identity) <= longest and re.fullmatch(r"[\w.:-]+", identity):
        return identity
    return hashlib.blake2s(identity.encode("utf-8", "backslashreplace"), digest_size=6).hexdigest()
