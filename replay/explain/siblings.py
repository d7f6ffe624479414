"""Which of several things that one request made together carried the evidence: the one that the answer was taken from.

Where a module makes its queues at the first request, keeping one of their names apart makes each lane do all of it
again, and so heals the crossing whichever of them it went through. The experiment cannot tell them apart; the observed
runs can: data that goes from one to the next has come through the one that was used last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence, Set

    from ..run import Run
    from .places import Place

_MOST_OBSERVED = 4


def made_together(place: Place, changed: Mapping[Place, bool], made: Set[Place]) -> list[Place]:
    """The others that a request put into names of the same module or object, and that held the evidence."""
    if place not in made or place.since is not None:
        return []
    others = [other for other in changed if changed[other] and other in made and other.node == place.node]
    return [other for other in others if other != place][:_MOST_OBSERVED]


def last_used(
    place: Place,
    others: Sequence[Place],
    observe: Callable[[Place], Run],
    ends: Callable[[Run], tuple[int | None, int | None, int | None]],
) -> Place:
    """`place`, unless the answer was taken from one of the others later, and the evidence had been put there."""
    best, latest = place, _last_use(observe(place), ends)
    for other in others:
        use = _last_use(observe(other), ends)
        if use is not None and (latest is None or use > latest):
            best, latest = other, use
    return best


def _last_use(run: Run, ends: Callable[[Run], tuple[int | None, int | None, int | None]]) -> tuple[int, int] | None:
    """The step and the line of the read, None where no write comes before it. In a step, lines mostly go down."""
    write, read, _ = ends(run)
    if write is None or read is None:
        return None
    event = run.events[read - 1]
    return event.step, int((event.at or "").rpartition(":")[2] or 0)
