"""The offline audit: what already crossed in recorded traffic, without a handler.

The trace is read twice, in little memory: once to learn which telling values each lane sent or was answered, once to
search the other lanes' answers and prompts for all of them. One reading cannot do: whether a value is one lane's own or
everybody's is known at the end, and until then every answer would have to be kept. Without a handler nothing can be
executed, so what is found is evidence in the traffic, ranked by how telling it is.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..errors import TraceError
from ..trace.events import EXAMPLE
from ..trace.identity import Claim, claims_of, disagreements, places_of
from ..trace.lanes import lane_name
from ..trace.model import Exchange, Problem, Request
from ..trace.store import stream
from .audited import Audit, Finding, Sink, Source, identity_of
from .owners import MOST_VALUES, Owners, Requests
from .searching import MOST_FINDINGS, Search
from .sinks import shown, texts
from .telling import accounts_in, header_values, identifying_in, values_sent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ..trace.identity import Disagreement

_MOST_PROBLEMS = 1_000
_MOST_CLAIMING = 200_000


def audit(
    path: Path,
    boundary: str = "user",
    progress: Callable[[str, int], None] | None = None,
    most_values: int = MOST_VALUES,
) -> Audit:
    """What of one lane was seen in another lane's recorded traffic. An interrupt ends it with what was found so far.

    Args:
        boundary: see `trace.lanes.lanes_of`.
        progress: told the phase and the length in bytes of every line read; each of two phases reads the whole trace.
        most_values: the most values of each class to keep in memory.

    Raises:
        TraceError: there is no usable trace at `path`.
        CrosslaneError: a request has nothing at `boundary`.
    """
    result = Audit(str(path))
    reading = _Reading(path, boundary, progress)
    owners = Owners(reading.requests, most_values)
    try:
        contradictions = _learn(reading, owners)
        result.problems = reading.problems[:_MOST_PROBLEMS]
        result.requests, result.lanes = len(reading.requests.ids), len(reading.requests.lanes)
        result.findings = [_identity(found, reading.requests, boundary) for found in contradictions]
        _raise_if_empty(result)
        search = Search(owners, reading.requests, reading.responses)
        result.values, result.capped = len(search.patterns) + owners.kept_by_hash, owners.capped
        result.kept_by_hash = owners.kept_by_hash
    except KeyboardInterrupt:
        result.stopped = "while reading which values each lane has"
        result.requests, result.lanes = len(reading.requests.ids), len(reading.requests.lanes)
        return result
    try:
        for item in reading.read("searching"):
            search.take(item, reading.lane(item.request if isinstance(item, Exchange) else item))
    except KeyboardInterrupt:
        result.stopped = "while searching"
    result.findings += search.findings()
    result.capped = result.capped or len(result.findings) >= MOST_FINDINGS
    result.findings.sort(key=lambda finding: (-finding.rank, finding.sink.request, finding.id))
    return result


class _Reading:
    """One trace, read more than once."""

    def __init__(self, path: Path, boundary: str, progress: Callable[[str, int], None] | None) -> None:
        self.path = path
        self.requests = Requests()
        self.responses = 0
        self.problems: list[Problem] = []
        self._boundary = boundary
        self._progress = progress

    def read(self, phase: str) -> Iterator[Request | Exchange]:
        tell = self._progress
        problems: list[Problem] = []
        yield from stream(self.path, problems, None if tell is None else lambda size: tell(phase, size))
        self.problems = problems

    def lane(self, request: Request) -> str:
        return lane_name(request, self._boundary)


def _learn(reading: _Reading, owners: Owners) -> list[Disagreement]:
    """The first reading: who has which values, and which requests contradict themselves."""
    claiming: dict[tuple[Claim, ...], Request] = {}
    requests = reading.requests
    for exchange in reading.read("learning"):
        if not isinstance(exchange, Exchange):
            continue
        request, response = exchange.request, exchange.response
        number = requests.add(exchange, reading.lane(request))
        lane = requests.lane_of[number]
        claims = _claims(request)
        if claims not in claiming and len(claiming) < _MOST_CLAIMING:
            # Requests with the same claims say the same; the first of them speaks.
            claiming[claims] = replace(request, message="", request=None, claims=claims)
        owners.send(values_sent(request, claims), lane, number, request.at_ns)
        for call in exchange.upstream:
            told = "\n".join(text for _, text in texts(call.answered, ""))
            owners.answer(set(identifying_in(told)), lane, number, call.at_ns + call.duration_ns, fetched=True)
        if response is not None:
            reading.responses += 1
            places = _body_texts(exchange)
            told = "\n".join(text for _, text in places)
            found = set(identifying_in(told))
            accounts = {value.text: value for value in accounts_in(places)}
            found = {accounts.get(value.text, value) if value.kind == "id" else value for value in found}
            for name, value in response.headers:
                if name.lower() == "set-cookie":
                    found.update(header_values(name, value))
            owners.answer(found, lane, number, response.at_ns, fetched=False)
    return list(disagreements(claiming.values()))


def _body_texts(exchange: Exchange) -> list[tuple[str, str]]:
    return [(path, text) for where, path, text in shown(exchange) if where == "response" and path[:7] != "headers"]


def _claims(request: Request) -> tuple[Claim, ...]:
    """The claims as recorded; else those of the request's own places, and what the trace says itself comes last."""
    if request.claims:
        return request.claims
    claims = claims_of(places_of(request.request))
    if claims and request.session != request.user:
        claims += (Claim("session", request.session, "field:session"),)
    return (*claims, Claim("user", request.user, "field:user")) if claims and request.user else claims


def _identity(found: Disagreement, requests: Requests, boundary: str) -> Finding:
    used, other = found.used, found.other
    number = requests.ids.index(found.request)
    session = requests.sessions[number]
    lane = requests.lanes[requests.lane_of[number]]
    source = Source(other.value, other.value if other.role == "session" else "", "")
    sink = Sink(lane, session, found.request, "identity", other.place, f"{used.place} says {used.value[:40]}")
    identity = identity_of("identity", other.value, lane, other.place + found.request)
    rank = 70.0 if other.role == boundary else 60.0
    return Finding(identity, "identity", other.role, source, sink, False, 0, rank)


def _raise_if_empty(result: Audit) -> None:
    if result.requests:
        return
    first = result.problems[0] if result.problems else None
    why = f" (line {first.line}: {first.message})" if first else ""
    raise TraceError(f"holds no usable request{why}", result.trace, f"a line of a trace looks like {EXAMPLE}")
