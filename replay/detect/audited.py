"""What an audit found, as data: values of one lane in another's recorded traffic, and requests that contradict
themselves. The shapes of `crosslane audit --format json` are those of their `to_json`."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from ..trace.model import Problem

VERSION = 1


@dataclass(frozen=True, slots=True)
class Source:
    lane: str
    session: str
    request: str


@dataclass(frozen=True, slots=True)
class Sink:
    lane: str
    session: str
    request: str
    where: str
    path: str
    evidence: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A value of one lane in another lane's traffic; or, of kind `identity`, a request whose places contradict.

    Attributes:
        kind: `request-value` where the source sent it, `response-value` where it was only ever answered it.
        value_kind: secret, email, account, id, name or phrase; the place for an identity.
        overlapped: whether the two requests were in flight at the same time.
        after_ns: how long after the source had it the sink's answer came.
        count: at how many places of the sink's traffic it stands.
        rank: how telling it is, at most 100.
    """

    id: str
    kind: str
    value_kind: str
    source: Source
    sink: Sink
    overlapped: bool
    after_ns: int
    rank: float
    count: int = 1

    def to_json(self) -> dict[str, Any]:
        source, sink = self.source, self.sink
        return {
            "id": self.id,
            "kind": self.kind,
            "value_kind": self.value_kind,
            "source": {"lane": source.lane, "session": source.session, "request": source.request},
            "sink": {
                "lane": sink.lane,
                "session": sink.session,
                "request": sink.request,
                "where": sink.where,
                "path": sink.path,
                "evidence": sink.evidence,
            },
            "overlapped": self.overlapped,
            "after_ns": self.after_ns,
            "count": self.count,
            "rank": self.rank,
        }


@dataclass(slots=True)
class Audit:
    """What an audit found, most telling first.

    Attributes:
        values: how many were searched; `kept_by_hash` of them as whole words only, for want of memory.
        capped: some values were not searched at all, for want of memory.
        stopped: at what it was interrupted, empty where it was not.
    """

    trace: str
    requests: int = 0
    lanes: int = 0
    values: int = 0
    kept_by_hash: int = 0
    capped: bool = False
    stopped: str = ""
    findings: list[Finding] = field(default_factory=list[Finding])
    problems: list[Problem] = field(default_factory=list[Problem])

    @property
    def exit_code(self) -> int:
        return 1 if self.findings else 3 if self.stopped or self.capped else 0

    def to_json(self) -> dict[str, Any]:
        return {
            "version": VERSION,
            "trace": self.trace,
            "requests": self.requests,
            "lanes": self.lanes,
            "values": self.values,
            "kept_by_hash": self.kept_by_hash,
            "capped": self.capped,
            "stopped": self.stopped,
            "findings": [finding.to_json() for finding in self.findings],
            "problems": [{"line": problem.line, "message": problem.message} for problem in self.problems],
        }


def identity_of(*parts: str) -> str:
    """Short, and the same for the same finding on every machine."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()[:10]
