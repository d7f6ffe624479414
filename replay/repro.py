"""The requests of a finding as a trace of their own: the least that still shows it, to be executed again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .schedule.schedule import of_json as schedule_of
from .trace.fresh_identity import Issued, answered_with
from .trace.store import of_events

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .report import Crossing
    from .schedule.schedule import Schedule
    from .trace.model import Json, Trace


def repro_trace(crossing: Crossing) -> Trace:
    """The finding's requests, with the recorded answers to their upstream calls.

    Raises:
        TraceError: the finding carries no request that can be read.
    """
    return of_events(repro_events(crossing), f"finding {crossing.id}")


def repro_schedule(crossing: Crossing) -> Schedule:
    """The finding's schedule. What could run at each step is left out: after an edit of the handler it is different."""
    return schedule_of(crossing.schedule)


def repro_boundary(crossing: Crossing) -> str:
    """The boundary at which the finding's requests have the lanes that its schedule names."""
    by_user = all(request.get("lane") == request.get("user", request["session"]) for request in crossing.requests)
    return "user" if by_user else "session"


def repro_events(crossing: Crossing) -> Iterator[dict[str, Json]]:
    """The events of that trace: the requests, what their answers issued, and the upstream answers to be repeated."""
    for request in crossing.requests:
        ours = ("lane", "answers", "issued")
        fields: dict[str, Any] = {key: value for key, value in request.items() if key not in ours}
        yield fields
        if request.get("issued"):
            issued = answered_with(Issued.from_json(request["id"], each) for each in request["issued"])
            body = {"text" if isinstance(issued.body, str) else "json": issued.body} if issued.body is not None else {}
            yield {
                "k": "res",
                "id": request["id"],
                "t": request.get("t", 0),
                "headers": [list(p) for p in issued.headers],
                **body,
            }
        for name, sent, answered in request.get("answers", ()):
            at = request.get("t", 0)
            yield {"k": "up", "parent": request["id"], "t": at, "name": name, "in": sent, "out": answered}
