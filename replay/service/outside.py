"""What can be told of a crossing from outside the process: that it happened, and how; not through which variable."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..explain.explain import Explanation
from ..schedule.strategies import Replayed, Serial

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..detect.verbatim import Candidate
    from ..explain.experiment import Healed
    from ..explain.places import Place
    from ..run import Run
    from ..schedule.execute import Execution
    from ..schedule.schedule import Schedule
    from ..trace.lanes import Lane
    from .target import Target

UNSEEN = "the service runs in its own process; Crosslane sees what passes, not its variables"
MET = (
    "the last bytes of the requests were sent together; "
    "what ran first after that was the service's own affair (replay --together)"
)
WHOSE = (
    "a call to the LLM is taken to be of the request whose traceparent or x-crosslane-lane the service passed on, else "
    "of the only one under way"
)
FIXES = {
    "sequential": (
        "look for what the service keeps after a request (a global, a cache, a pooled object) without the session or "
        "user in its key"
    ),
    "interleaved": (
        "look for what the service keeps across a call to the LLM in something that all requests share, and pass it "
        "as an argument or a local instead"
    ),
    "cancellation": (
        "look for what a request leaves half done when its client is gone: a pooled connection, a lock, an entry that "
        "is taken back only at the end; give it back in a finally"
    ),
    "exception": (
        "look for what a request leaves half done when its call to the LLM fails: undo it in a finally, or discard it"
    ),
}


def from_outside(
    target: Target,
    lanes: Sequence[Lane],
    schedule: Schedule,
    max_in_flight: int | None,
    candidate: Candidate,
    crosses: Callable[[Execution], bool],
    healed: Callable[[Execution], Healed],  # noqa: ARG001 - as `explain` has it
    suspects: Sequence[Place] = (),  # noqa: ARG001
) -> Explanation:
    """Execute the schedule once more for its timeline, and find the sink in it."""
    serial = Serial([lane.name for lane in lanes])
    execution, run = target.observed(lanes, Replayed(schedule, serial), max_in_flight)
    for _ in range(1, target.chances):
        if crosses(execution):
            break
        execution, run = target.observed(lanes, Replayed(schedule, serial), max_in_flight)
    upstream = candidate.where == "upstream"
    return Explanation(
        carrier=None,
        write=None,
        read=None,
        run=run,
        write_seq=None,
        read_seq=None,
        sink_seq=_sink(run, candidate),
        fixed_run=None,
        remark="; ".join(filter(None, (UNSEEN, MET if target.meeting else "", WHOSE if upstream else ""))),
        place=None,
        sole=False,
        executions=0,
    )


def _sink(run: Run, candidate: Candidate) -> int | None:
    """The row at which the foreign value left the service."""
    rows = [event for event in run.events if event.request == candidate.request]
    if candidate.where == "upstream":
        calls = [event for event in rows if event.kind == "await"]
        index = re.search(r"\[(\d+)\]", candidate.path)
        at = int(index[1]) if index is not None else 0
        return calls[at].seq if at < len(calls) else None
    ends = [event.seq for event in rows if event.kind in ("response", "error")]
    return ends[-1] if ends else None
