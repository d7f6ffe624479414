"""A run: one execution of a trace against a handler under a schedule. Pure data and its JSON form.

The worker sends runs to the screen as JSON lines, so each class here converts both ways and nothing in it needs more
than `json` can carry.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .sight import Sight

EVENT_KINDS = ("request", "await", "blocked", "write", "read", "chunk", "output", "fault", "response", "error")
"""What can happen in a lane:

request   the request entered the handler; `text` is the message or `METHOD /path body`
await     the lane was suspended at `at`, and could have been kept waiting there; `code` is that source line
blocked   the lane was suspended at `at` on something only another lane can release (a lock, a queue)
write     the line at `at` changed `carrier`, a shared thing; `text` is a short picture of its value
read      the line at `at` used `carrier`
chunk     one part of a streamed response; `text` is the part
output    something the handler printed or logged; `text` is the line
fault     something was done to the request from outside; `text` says what: the client is gone, a time limit passed
response  the request was answered; `text` is the body, `status` the HTTP status
error     the request ended in an exception; `text` is `Type: message`, `at` the user's line that raised
"""


@dataclass(frozen=True, slots=True)
class Event:
    """One row of the timeline. `seq` counts rows from 1; `step` is the scheduler's step that the row belongs to."""

    seq: int
    step: int
    lane: str
    session: str
    request: str
    kind: str
    text: str = ""
    at: str | None = None
    code: str | None = None
    carrier: str | None = None
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """One choice: at this step `lane` ran, out of `enabled`; it had been suspended at `at` (None: before its request).

    `preempted` says that the lane which ran before could have gone on: these are the switches that a finding counts.
    `action` is what was done to the lane's request at this step (`schedule.FAULTS`), or "". `faults` is what could have
    been done to it, as far as that was looked at.
    """

    lane: str
    enabled: tuple[str, ...]
    at: str | None = None
    preempted: bool = False
    action: str = ""
    faults: tuple[str, ...] = ()


@dataclass(slots=True)
class Outcome:
    """What one request observed, everything its user could see. Nothing changes it; frozen, it would take four times as
    long to make, and each execution makes one for each of its requests.

    Attributes:
        status: HTTP status, None for functions.
        headers: ordered pairs, names in lower case.
        body: JSON value (dict, list, str, number, None) of the answer; for a stream, the parts put together.
        chunks: the parts of a stream in order; empty when the answer came in one piece.
        error: `Type: message` when the handler raised, else None. `error_at` is the user's line that raised.
        output: what the handler printed or logged while this request's lane ran.
        logs: (logger, message) of each log record made for this request.
        upstream: (name, arguments) of each upstream call made for it; the arguments are a JSON value.
        fault: what was done to the request from outside (`schedule.FAULTS`), or "".
        finished: False when the request never got its answer (blocked for ever, stopped by the watchdog).
    """

    request: str
    lane: str
    session: str
    status: int | None
    headers: tuple[tuple[str, str], ...]
    body: Any
    chunks: tuple[str, ...] = ()
    error: str | None = None
    error_at: str | None = None
    output: str = ""
    finished: bool = True
    logs: tuple[tuple[str, str], ...] = ()
    upstream: tuple[tuple[str, Any], ...] = ()
    fault: str = ""

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Outcome:
        fields: dict[str, Any] = {
            **data,
            "headers": tuple((k, v) for k, v in data["headers"]),
            "chunks": tuple(data["chunks"]),
            "logs": tuple((name, text) for name, text in data["logs"]),
            "upstream": tuple((name, sent) for name, sent in data["upstream"]),
        }
        return cls(**fields)


@dataclass(frozen=True, slots=True)
class Run:
    """One execution.

    Attributes:
        lanes: lane names, in order of first appearance in the trace.
        decisions: the schedule that was followed, one choice a step. Feeding the lane names back repeats the run.
        events: the timeline; empty unless the run was observed.
        outcomes: one a request that was started, in the order in which the trace has them.
        uncontrolled: what escaped control (`thread started at app.py:12`), in order of appearance, no repeats.
        stopped: why the run ended before every request was answered ("" when all were): a deadlock, a blocked loop.
        diverged: the first decision at which a given schedule could not be followed, else None.
        sight: stacks, locals and shared state at each event; None unless the run was observed.
    """

    lanes: tuple[str, ...]
    decisions: tuple[Decision, ...]
    events: tuple[Event, ...]
    outcomes: tuple[Outcome, ...]
    uncontrolled: tuple[str, ...] = ()
    stopped: str = ""
    diverged: str | None = None
    sight: Sight | None = None

    @property
    def switches(self) -> int:
        """How many times a lane was made to wait although it could have gone on (preemptions)."""
        return sum(decision.preempted for decision in self.decisions)

    def to_json(self) -> dict[str, Any]:
        data = asdict(replace(self, sight=None))
        data["sight"] = None if self.sight is None else self.sight.to_json()
        return data

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Run:
        """The inverse of `to_json`, also after a trip through `json.dumps`."""
        return cls(
            lanes=tuple(data["lanes"]),
            decisions=tuple(
                Decision(
                    d["lane"],
                    tuple(d["enabled"]),
                    d["at"],
                    d["preempted"],
                    d.get("action", ""),
                    tuple(d.get("faults", ())),
                )
                for d in data["decisions"]
            ),
            events=tuple(Event(**e) for e in data["events"]),
            outcomes=tuple(Outcome.from_json(o) for o in data["outcomes"]),
            uncontrolled=tuple(data["uncontrolled"]),
            stopped=data["stopped"],
            diverged=data["diverged"],
            sight=_sight_of(data.get("sight")),
        )


def _sight_of(data: dict[str, Any] | None) -> Sight | None:
    from .sight import Sight

    return Sight.from_json(data) if data else None
