"""Requests that fail even alone, for want of a database say: they show nothing of what the handler does with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .investigation import Investigation
    from .run import Outcome

_REFUSED = 400
_LONGEST = 160


def failing_alone(investigation: Investigation) -> str:
    """A handler that fails whatever it is asked shows nothing; say so rather than call it clean."""
    outcomes = list(investigation.solo.values())
    if not outcomes or not all(map(_fails, outcomes)):
        return ""
    statuses = {outcome.status for outcome in outcomes if outcome.error is None}
    if statuses and all(outcome.error is None for outcome in outcomes):
        return f"every request is refused even alone (status {', '.join(str(s) for s in sorted(statuses, key=str))})"
    return f"every request fails even alone: {_why(next(each for each in outcomes if each.error is not None))}"


def lanes_failing_alone(investigation: Investigation) -> tuple[str, ...]:
    """A warning for each lane of which the same is true, beside others that work."""
    said: list[str] = []
    for lane in investigation.lanes:
        outcomes = [investigation.solo[r.id] for r in lane.requests if r.id in investigation.solo]
        if outcomes and all(map(_fails, outcomes)):
            first = outcomes[0]
            every = f"its request {first.request} fails" if len(outcomes) == 1 else "all its requests fail"
            which = "" if len(outcomes) == 1 else f"{first.request}: "
            said.append(f"{lane.name} showed nothing, for {every} even alone: {which}{_why(first)}")
    return tuple(said) if len(said) < len(investigation.lanes) else ()


def _fails(outcome: Outcome) -> bool:
    return outcome.error is not None or (outcome.status is not None and outcome.status >= _REFUSED)


def _why(outcome: Outcome) -> str:
    if outcome.error is None:
        return f"status {outcome.status}"
    error = outcome.error if len(outcome.error) <= _LONGEST else f"{outcome.error[:_LONGEST]}…"
    return f"{error} at {outcome.error_at}" if outcome.error_at else error
