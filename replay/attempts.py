"""The order of the search: which schedules are tried, on which lanes, before which others."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from .schedule.search import Search
from .schedule.strategies import Lockstep, RandomWalk, Recorded, Serial, Strategy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .investigation import Investigation
    from .trace.lanes import Lane
    from .worker.job import Job

_RANDOM_WALKS = 200
_FEW_LANES = 3


@dataclass(slots=True)
class Reached:
    """How far a search came, for the coverage statement."""

    schedules: int = 0
    random: int = 0
    pairs: int = 0
    first: bool = False
    out_of_budget: bool = False
    interrupted: bool = False
    replaying: bool = False


@dataclass(frozen=True, slots=True)
class Attempt:
    """One execution to make: what to call it, who runs it, on which lanes, and the search that wants to hear of it."""

    phase: str
    strategy: Strategy
    lanes: tuple[Lane, ...]
    search: Search | None = None


def attempts(investigation: Investigation, search: Search, job: Job, reached: Reached) -> Iterator[Attempt]:
    """Serial in both orders and as recorded, lockstep, then ever more switches, then random for what is larger.

    With many lanes the serial orders alone outnumber any budget. Nearly every contamination needs two lanes, so there
    each pair is searched first, by itself.
    """
    lanes = investigation.lanes
    yield from _first_attempts(investigation, search)
    reached.first = True
    many = len(lanes) > _FEW_LANES
    if many:
        for pair in combinations(lanes, 2):
            yield from _searched(
                Search([lane.name for lane in pair]), pair, job.switches, f"{len(lanes)} lanes in pairs"
            )
            reached.pairs += 1
        yield from _random_attempts(lanes, job, reached)
    yield from _searched(search, lanes, job.switches, "")
    if not many and not search.exhausted:
        yield from _random_attempts(lanes, job, reached)


def _first_attempts(investigation: Investigation, search: Search) -> Iterator[Attempt]:
    lanes = investigation.lanes
    order = [lane.name for lane in lanes]
    first = search.next(0)  # the search proper begins with the serial order of the trace
    assert first is not None
    yield Attempt("one lane after another", first, lanes, search)
    yield Attempt("the reverse order", Serial(order[::-1]), lanes)
    lane_of_request = {r.id: lane.name for lane in lanes for r in lane.requests}
    if any(len(lane.requests) > 1 for lane in lanes):
        recorded = [lane_of_request[exchange.request.id] for exchange in investigation.exchanges]
        yield Attempt("as recorded", Recorded(recorded), lanes)
    if len(order) > 2:
        # All orders are too many to begin with; rotations bring each lane to the front once.
        for shift in range(1, len(order)):
            yield Attempt("serial, rotated", Serial(order[shift:] + order[:shift]), lanes)
    yield Attempt("lockstep", Lockstep(), lanes)


def _searched(search: Search, lanes: tuple[Lane, ...], switches: int, phase: str) -> Iterator[Attempt]:
    while (strategy := search.next(switches)) is not None:
        bound = "serial orders" if search.bound == 0 else f"serial + {switches_in_words(search.bound)}"
        yield Attempt(f"{phase}, {bound}" if phase else bound, strategy, lanes, search)


def _random_attempts(lanes: tuple[Lane, ...], job: Job, reached: Reached) -> Iterator[Attempt]:
    if job.concurrency == 1:
        return
    for seed in range(_RANDOM_WALKS):
        yield Attempt("random", RandomWalk(seed), lanes)
        reached.random += 1


def switches_in_words(count: int) -> str:
    return f"{count} switch{'' if count == 1 else 'es'}"
