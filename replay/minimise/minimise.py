"""Fewer lanes, fewer requests, shorter texts, then the schedule with the fewest switches for what is left.

A smaller trace is accepted only when some schedule of it, no more switched than the first one, still shows the same
crossing: same source, same sink, same kind of place. Switches need no pass of their own, because the search tries
schedules in the order of their switches.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from ..detect.confirm import rewritten
from ..schedule.faults import FaultSearch
from ..schedule.search import Search

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ..detect.verbatim import Candidate
    from ..program import Program
    from ..schedule.execute import Execution
    from ..trace.lanes import Lane
    from ..trace.model import Request

_TRIES_A_SUBSET = 2_000
_TRIES = 6_000
"""Of all subsets together: where every request is needed, each of them would be tried to no end."""
_LONG_TEXT = 200
_FEW_REQUESTS = 8


@dataclass(frozen=True, slots=True)
class Minimal:
    """The lanes left, an execution that shows the crossing in them, and the crossing as it shows there."""

    lanes: tuple[Lane, ...]
    execution: Execution
    candidate: Candidate


def minimise(
    program: Program,
    lanes: Sequence[Lane],
    execution: Execution,
    candidate: Candidate,
    max_in_flight: int | None,
    same_crossing: Callable[[Execution, tuple[Lane, ...]], Candidate | None],
) -> Minimal:
    """Make the trace smaller as long as the crossing stays.

    Args:
        same_crossing: the crossing as it shows in an execution of some of the lanes, or None.
    """
    best = Minimal(tuple(lanes), execution, candidate)
    switches = execution.switches
    with_faults = bool(execution.faults)
    tries = iter(range(_TRIES))

    def attempt(smaller: tuple[Lane, ...]) -> Minimal | None:
        some = islice(tries, _TRIES_A_SUBSET)
        return _simplest(program, smaller, switches, with_faults, max_in_flight, same_crossing, some)

    pair = tuple(lane for lane in best.lanes if lane.name in (candidate.source, candidate.sink))
    at_once = [_most_telling(best), pair if len(pair) < len(best.lanes) else None]
    found = next((found for lanes in at_once if lanes is not None and (found := attempt(lanes)) is not None), None)
    if found is not None:
        best = found
    else:
        for lane in best.lanes:
            if lane.name not in (candidate.source, candidate.sink):
                found = attempt(tuple(other for other in best.lanes if other is not lane))
                best = found or best
    for dropped in _parts([request.id for lane in best.lanes for request in lane.requests]):
        smaller = tuple(
            replace(lane, requests=tuple(r for r in lane.requests if r.id not in dropped)) for lane in best.lanes
        )
        if smaller != best.lanes and all(lane.requests for lane in smaller) and (found := attempt(smaller)) is not None:
            best = found
    shorter = _shortened(best)
    if shorter is not None and (found := attempt(shorter)) is not None:
        best = found
    # Also with nothing removed: the schedule that was found first may be a random one.
    tries = iter(range(_TRIES_A_SUBSET))
    return attempt(best.lanes) or best


def _most_telling(minimal: Minimal) -> tuple[Lane, ...] | None:
    """The request that shows the crossing, and those of the source that say what crossed: of a long trace they are
    often enough. None where the source says it nowhere, or nothing else is there."""
    candidate = minimal.candidate

    def told(request: Request) -> bool:
        said = f"{request.message} {request.request}".casefold()
        return any(token in said for token in candidate.tokens)

    kept = tuple(
        replace(lane, requests=requests)
        for lane in minimal.lanes
        if (
            requests := tuple(
                request
                for request in lane.requests
                if (request.id == candidate.request if lane.name == candidate.sink else told(request))
                and lane.name in (candidate.source, candidate.sink)
            )
        )
    )
    return kept if len(kept) == len({candidate.source, candidate.sink}) and kept != minimal.lanes else None


def _parts(requests: list[str]) -> Iterator[frozenset[str]]:
    """What to try to do without: of many requests large parts first, at last each by itself."""
    size = len(requests) // 2 if len(requests) > _FEW_REQUESTS else 1
    while size:
        for at in range(0, len(requests), size):
            yield frozenset(requests[at : at + size])
        size //= 2


def _shortened(minimal: Minimal) -> tuple[Lane, ...] | None:
    """The lanes with the source's long texts cut down to the words around the evidence; None where none is long."""
    tokens = minimal.candidate.tokens

    def change(text: str) -> str:
        at = [i for token in tokens if (i := text.casefold().find(token)) >= 0]
        if len(text) <= _LONG_TEXT or len(text.casefold()) != len(text):
            return text
        if not at:
            return text[:_LONG_TEXT].rpartition(" ")[0] or text[:_LONG_TEXT]
        end = max(text.casefold().find(token) + len(token) for token in tokens if token in text.casefold())
        return text[min(at) : end]

    changed = tuple(
        rewritten(lane, change) if lane.name == minimal.candidate.source else lane for lane in minimal.lanes
    )
    return None if changed == minimal.lanes else changed


def _simplest(
    program: Program,
    lanes: tuple[Lane, ...],
    switches: int,
    with_faults: bool,
    max_in_flight: int | None,
    same_crossing: Callable[[Execution, tuple[Lane, ...]], Candidate | None],
    tries: Iterator[int],
) -> Minimal | None:
    order = [lane.name for lane in lanes]
    search = FaultSearch(order, cancelling=True) if with_faults else Search(order)
    for _ in tries:
        if program.interrupted():
            return None
        strategy = search.next(switches)
        if strategy is None:
            return None
        execution = program.execute(lanes, strategy, max_in_flight)
        candidate = same_crossing(execution, lanes) if execution.switches <= switches else None
        if candidate is not None:
            return Minimal(lanes, execution, candidate)
        search.tell(execution)
    return None
