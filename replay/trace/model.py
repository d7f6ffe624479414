"""The trace: recorded requests and responses in time order. Pure data, and its JSON shapes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .identity import Claim

Json: TypeAlias = Any
"""What `json.loads` returns: dict, list, str, int, float, bool or None."""

Grade: TypeAlias = Literal["replayable", "needs-body", "timing-only"]
GRADES: tuple[Grade, ...] = ("replayable", "needs-body", "timing-only")


def is_websocket(request: Json) -> bool:
    """Whether a request, as it was recorded, opened a websocket: then it has messages, be it none."""
    if not isinstance(request, dict):
        return False
    members = cast("dict[str, Json]", request)
    return "path" in members and isinstance(members.get("messages"), list)


@dataclass(frozen=True, slots=True)
class Request:
    """One recorded request.

    Attributes:
        id: unique in the trace (`r1`, `r2`, … when the record had none).
        session: the conversation it belongs to; equal to `user` when the record named only a user.
        user: who sent it, or None when the record did not say.
        at_ns: nanoseconds since the header's clock; hand-written lines count up by one.
        message: the text of a hand-written line, None when the record has `request`.
        request: the `request` object as recorded, None when the record has `message`.
        line: the line of the file it stands on, from 1.
        claims: every place that named its session or user, the one that was used first.
        grade: whether it can be replayed: `replayable`, `needs-body` (the request is known, its content is not), or
            `timing-only` (when it ran and for whom, no more).
        source: where an imported record stood, as `file:line` or `file#id`.
        answers: (name, sent, answered) of its recorded upstream calls, where a replay is to repeat them. They are its
            own content as much as what it sent; a trace file has them as `up` events.
    """

    id: str
    session: str
    user: str | None
    at_ns: int
    message: str | None
    request: Json
    line: int
    claims: tuple[Claim, ...] = ()
    grade: Grade = "replayable"
    source: str | None = None
    answers: tuple[tuple[str, Json, Json], ...] = ()

    def to_json(self) -> dict[str, Json]:
        """The `req` event of a trace file that loads as this request."""
        record: dict[str, Json] = {"k": "req", "id": self.id, "t": self.at_ns, "session": self.session}
        if self.user is not None:
            record["user"] = self.user
        if self.message is not None:
            record["message"] = self.message
        else:
            record["request"] = self.request
        if self.claims:
            record["claims"] = [claim.to_json() for claim in self.claims]
        if self.grade != "replayable":
            record["grade"] = self.grade
        if self.source is not None:
            record["source"] = self.source
        return record


@dataclass(frozen=True, slots=True)
class Response:
    """What was answered when the trace was recorded.

    Attributes:
        status: the HTTP status, None for functions.
        headers: ordered pairs.
        body: decoded JSON, or text; base64 stays as recorded under `{"b64": …}`.
        chunks: the text of each streamed part, in order.
        end: `ok`, `error`, `cancelled` or `timeout`; `cut` where the recording ended before the response did.
        chunks_at_ns: when each part came; empty where the source kept no times.
    """

    at_ns: int
    status: int | None
    headers: tuple[tuple[str, str], ...]
    body: Json
    chunks: tuple[str, ...]
    end: str
    chunks_at_ns: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Upstream:
    """One recorded call to an LLM or tool, made while a request was in flight."""

    at_ns: int
    duration_ns: int
    name: str
    sent: Json
    answered: Json


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request with what came back. `response` is None when the recording ended while it was in flight."""

    request: Request
    response: Response | None = None
    upstream: tuple[Upstream, ...] = ()


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing the store had to pass over, so that nothing is lost in silence. `line` is 0 for the whole file.

    `skipped` is False where the line itself could be used."""

    line: int
    message: str
    skipped: bool = True


@dataclass(frozen=True, slots=True)
class Trace:
    """A loaded trace: exchanges in time order, and everything the store could not use."""

    path: str
    exchanges: tuple[Exchange, ...]
    problems: tuple[Problem, ...] = ()
    header: Mapping[str, Json] = field(default_factory=dict[str, Json])
    closed: bool = False
    """Whether an `end` event was there: the recording closed in order."""
    lost: int = 0
    """How many events the recorder says it had to leave out, because what writes could not keep up."""

    @property
    def skipped(self) -> int:
        """How many lines could not be used."""
        return sum(problem.skipped for problem in self.problems)

    @property
    def requests(self) -> tuple[Request, ...]:
        return tuple(exchange.request for exchange in self.exchanges)
