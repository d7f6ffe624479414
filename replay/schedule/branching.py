"""Another choice at one step of a run: the schedule up to there, the choice, then as near to the old run as it goes.

Near means that every lane keeps the turns that it had, but for the one that it takes now. So what differs between the
two runs follows from the choice, and from nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .schedule import Schedule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..run import Decision


def branched(decisions: Sequence[Decision], step: int, lane: str, fault: str = "") -> tuple[Schedule, Schedule]:
    """What has to be followed, and what to come near to afterwards (`Job.schedule` and `Job.then`).

    Args:
        step: index of the decision at which `lane` shall run instead.
        fault: what shall be done to its request there (`schedule.FAULTS`), or "".
    """
    rest = list(decisions[step:])
    # The turn that the lane takes now: this one, whatever was done in it, else its next in which nothing is.
    taken = next((n for n, d in enumerate(rest) if d.lane == lane and (n == 0 or not d.action)), None)
    if taken is not None:
        del rest[taken]
    return (
        Schedule(
            (*(d.lane for d in decisions[:step]), lane),
            (*_faults(decisions[:step]), *(((step, fault),) if fault else ())),
        ),
        Schedule(tuple(d.lane for d in rest), _faults(rest)),
    )


def others(decision: Decision) -> tuple[str, ...]:
    """Who could have run in place of the one who did."""
    return tuple(lane for lane in decision.enabled if lane != decision.lane)


def faults(decision: Decision) -> tuple[str, ...]:
    """What could have been done to the request of the one who ran, in place of what was; "" for nothing."""
    every = ("", *decision.faults) if decision.action else decision.faults
    return tuple(fault for fault in every if fault != decision.action)


def followed(decisions: Sequence[Decision], schedule: Schedule) -> bool:
    """Whether a run made the choices of a schedule, as far as that goes."""
    return tuple(decision.lane for decision in decisions[: len(schedule.names)]) == schedule.names


def _faults(decisions: Sequence[Decision]) -> tuple[tuple[int, str], ...]:
    return tuple((n, decision.action) for n, decision in enumerate(decisions) if decision.action)
