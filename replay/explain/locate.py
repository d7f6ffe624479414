"""Which place carried a crossing, found by experiment: the one that heals it when each lane has its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from .places import CONTAINERS, INHERITED, LOCAL, Place
from .siblings import last_used, made_together

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..run import Run
    from .experiment import Experiment, Surveyed

_MOST_TRIED = 60
_MOST_TRIED_BELOW = 30
_MOST_ENTRIES = 8
_MOST_SEPARATE = 12
_MOST_OPAQUE = 3
_MOST_AFTER_ONE = 8
_MOST_MEMBERS = 3
_NOT_ALWAYS_APART = frozenset({"generator", "database", "context", "stream"})
_Cure: TypeAlias = "tuple[Place, Run]"


@dataclass(frozen=True, slots=True)
class Located:
    """The place, and the run that is healed with it kept apart; None where there is none.

    Attributes:
        remark: what there is to say of it, or why there is none.
        separate: whether others carry it as well, each by itself; `fixed` has all of them kept apart.
    """

    place: Place | None
    fixed: Run | None
    remark: str = ""
    separate: bool = False


def locate(experiment: Experiment, suspects: Sequence[Place]) -> Located:
    """Find it among `suspects`, then in what the user's modules reach, then in what only the libraries' own do."""
    for suspect in suspects:
        run = experiment.healed_run([suspect])
        if run is not None:
            return Located(suspect, run)
    seen: list[Surveyed] = []
    for wide in (False, True):
        seen.append(experiment.survey(wide))
        found = _one(experiment, seen[-1]) or _several(experiment, seen[-1])
        if found is not None:
            return found
    return Located(None, None, _why_none(experiment, seen[-1]))


# ---- one place


def _one(experiment: Experiment, there: Surveyed) -> Located | None:
    cure = _by_itself(experiment, there)
    if cure is None:
        return None
    place, fixed = cure
    if place.form == INHERITED:
        further = _further(experiment, there)
        if further is None:
            return Located(place, fixed, there.said.get(place, ""))
        place, fixed = further
    last = _last_of(experiment, place, there)
    if last != place:
        return Located(last, fixed)
    entries = there.entries
    for since in _made(experiment, place) if place in there.made else ():
        inside = experiment.survey(there.wide, since)
        below = _below(experiment, inside)
        if below is not None:
            (place, fixed), entries = below, inside.entries
            break
    return Located(*(_entry_of(experiment, place, entries) or (place, fixed)))


def _by_itself(experiment: Experiment, there: Surveyed) -> _Cure | None:
    """The first that gives the whole answer back: without a table of routes, say, nothing is leaked either."""
    found: _Cure | None = None
    left = _MOST_TRIED
    for place in there.held:
        if left <= 0:
            break
        left -= 1
        apart = experiment.apart([place])
        if apart.healed == "whole":
            return place, apart.run
        if apart.healed:
            found = found or (place, apart.run)
            left = min(left, _MOST_AFTER_ONE)
    return found


def _further(experiment: Experiment, there: Surveyed) -> _Cure | None:
    """Where a task put what it read in a context that it had inherited, if that alone gives the whole answer back.

    A task that a request leaves behind may well set a global: then whoever reads that has it from there.
    """
    for place in there.inside[:_MOST_AFTER_ONE]:
        apart = experiment.apart([place])
        if apart.healed == "whole":
            return place, apart.run
    return None


def _last_of(experiment: Experiment, place: Place, there: Surveyed) -> Place:
    """Of what a request made together with the place, the one that the answer was taken from."""
    others = made_together(place, there.held, there.made)
    return last_used(place, others, experiment.observed, experiment.ends) if others else place


def _made(experiment: Experiment, place: Place) -> list[Place]:
    """What a request has made: the object that a name holds, or those that a container of the user's has got."""
    if place.wide:
        return []
    if place.key is not None or place.form not in CONTAINERS:
        return [place]
    return experiment.members(place)[:_MOST_MEMBERS]


def _below(experiment: Experiment, inside: Surveyed) -> _Cure | None:
    """Which part of an object that a request made carried it.

    A pool has a list of connections and counts them: only together can they be kept apart. Then the fewest are sought,
    and the one is named that held the evidence. Only such a part is ever named: to keep any other apart, a list of
    addresses say, makes a client go other ways, in which the crossing may be missed.
    """
    order = list(inside.held)[:_MOST_TRIED_BELOW]
    telling = [place for place in order if inside.held[place]]
    for place in telling:
        run = experiment.healed_run([place])
        if run is not None:
            return place, run
    run = experiment.healed_run(order) if telling and len(order) > 1 else None
    if run is None:
        return None
    needed = order
    for place in reversed(order):
        fewer = [other for other in needed if other is not place]
        if any(inside.held[other] for other in fewer):
            healed = experiment.healed_run(fewer)
            if healed is not None:
                needed, run = fewer, healed
    return next(place for place in needed if inside.held[place]), run


def _entry_of(
    experiment: Experiment, place: Place, entries: Sequence[Place], beside: Sequence[Place] = ()
) -> _Cure | None:
    """The one entry of a dict that carried it, where there is one; `beside` others that are kept apart meanwhile."""
    for entry in [each for each in entries if each.name == f"{place.name}[{each.key!r}]"][:_MOST_ENTRIES]:
        run = experiment.healed_run([*beside, entry])
        if run is not None and experiment.shows_use_of(entry):
            return entry, run
    return None


# ---- several


def _several(experiment: Experiment, there: Surveyed) -> Located | None:
    """One of those that heal it only when they are all kept apart."""
    held = [place for place in there.held if there.held[place]] or list(there.held)
    together = experiment.apart(held) if held else None
    if together is None or together.crosses:
        return None
    if len(held) <= _MOST_SEPARATE:
        needed, fixed = _fewest(experiment, held, together.run)
        # Those that carry it each by itself: it still crosses with all the others kept apart.
        separate = [p for p in needed if experiment.apart([other for other in needed if other != p]).crosses]
        if len(separate) > 1:
            place, *others = separate
            names = " and ".join(other.name for other in others)
            remark = f"it is carried by {names} as well: each has to be kept apart for each lane"
            place, fixed = _entry_of(experiment, place, there.entries, others) or (place, fixed)
            return Located(place, fixed, remark, True)
    names = ", ".join(place.name for place in held[:4])
    # What a worker has in hand is seldom what it was left in.
    first = next((place for place in held if place.form not in (INHERITED, LOCAL)), held[0])
    remark = f"no single variable carries it; keeping these apart for each lane heals it: {names}"
    return Located(_last_of(experiment, first, there), together.run, remark)


def _fewest(experiment: Experiment, places: list[Place], fixed: Run) -> tuple[list[Place], Run]:
    """Without those that need not be kept apart: a queue, say, through which the data comes to where it stays."""
    needed = places
    for place in reversed(places):
        fewer = [other for other in needed if other != place]
        run = experiment.healed_run(fewer) if fewer else None
        if run is not None:
            needed, fixed = fewer, run
    return needed, fixed


# ---- none


def _why_none(experiment: Experiment, there: Surveyed) -> str:
    likely = [place.name for place, held in there.held.items() if held and place.form in _NOT_ALWAYS_APART]
    if likely:
        return (
            f"not proven, because it cannot be kept apart for each lane: {', '.join(likely[:_MOST_OPAQUE])} held "
            f"what {experiment.candidate.source} had said"
        )
    why = "the shared thing was not found in the program's own modules: look for state in a library, file or service"
    opaque = "; ".join(experiment.program.fresh.graph.unproven[:_MOST_OPAQUE])
    return f"{why}; first at what could not be kept apart for each lane: {opaque}" if opaque else why
