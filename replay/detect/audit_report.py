"""What an audit of recorded traffic found. Pure data, and its JSON shape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..trace.model import Json, Problem


@dataclass(frozen=True, slots=True)
class Place:
    """One request of a finding."""

    lane: str
    session: str
    request: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A value of one lane in another's traffic, or a request whose places contradict each other.

    Attributes:
        kind: `request-value` (the source had sent it), `response-value` (only the source had been shown it before), or
            `identity`.
        where, path: the sink, such as `response` and `body.reply`, `upstream` and `upstream.chat`.
        evidence: the value as it stood in the sink. `what` is its kind in words.
        overlapped: whether both requests were in flight at once. `gap_ns`: else how long after the source's end.
        rank: how telling it is; `times`: how many requests of the sink lane showed it at such a path.
    """

    id: str
    kind: str
    source: Place
    sink: Place
    where: str
    path: str
    evidence: str
    what: str
    overlapped: bool
    gap_ns: int
    rank: int
    times: int = 1
    values: int = 1

    def to_json(self) -> dict[str, Json]:
        return {
            "id": self.id,
            "kind": self.kind,
            "source": {"lane": self.source.lane, "session": self.source.session, "request": self.source.request},
            "sink": {
                "lane": self.sink.lane,
                "session": self.sink.session,
                "request": self.sink.request,
                "where": self.where,
                "path": self.path,
                "evidence": self.evidence,
            },
            "what": self.what,
            "overlapped": self.overlapped,
            "gap_ms": round(self.gap_ns / 1e6, 3),
            "rank": self.rank,
            "times": self.times,
            "values": self.values,
        }


@dataclass(frozen=True, slots=True)
class Audit:
    """The result of an audit.

    Attributes:
        values: how many values were searched for. `capped`: whether there were more than fit into bounded memory; the
            least telling were left out then.
        complete: False where it was interrupted, and what is here was found until then.
    """

    trace: str
    requests: int
    lanes: int
    values: int
    capped: bool
    findings: tuple[Finding, ...]
    problems: tuple[Problem, ...]
    complete: bool = True

    def to_json(self) -> dict[str, Json]:
        return {
            "version": 1,
            "trace": self.trace,
            "requests": self.requests,
            "lanes": self.lanes,
            "values": self.values,
            "capped": self.capped,
            "complete": self.complete,
            "findings": [finding.to_json() for finding in self.findings],
            "problems": [{"line": problem.line, "message": problem.message} for problem in self.problems],
        }
