"""The order of the search: which schedules are tried, on which lanes, before which others.

It has stages. What an earlier one has shown decides whether a later one is entered; inside one nothing does, so that
several processes can share in it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import chain, combinations, islice
from math import comb, prod
from typing import TYPE_CHECKING

from .schedule.faults import FaultSearch
from .schedule.independence import Independence
from .schedule.reduction import Reduction
from .schedule.search import Search
from .schedule.share import Share
from .schedule.strategies import Lockstep, Nested, RandomWalk, Recorded, Serial, Strategy
from .state.apart import Apart
from .state.fingerprint import Fingerprints

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .investigation import Investigation
    from .schedule.share import Order
    from .trace.lanes import Lane
    from .worker.job import Job

_RANDOM_WALKS = 200
_TWO = 2
_FEW_LANES = 3
_MOST_FAULTS = 3_000
_FAULT_SWITCHES = range(1, 2)
_MOST_WITH_VARIANTS = 150
_EXHAUSTIVE_S = 8.0
_REDUCTION_SHARE = 0.6
_TRIAL_S = 1.0
_QUIET_S = 1.0
_ALWAYS_SWITCHES = 1
# What the orders of a stage begin with.
_RANDOM: Order = (0,)
_SEARCHED: Order = (1,)
_FAULTS: Order = (*_SEARCHED, _ALWAYS_SWITCHES + 1, ())  # before all that has more switches
_FAULTS_WITH_SWITCHES: Order = (2,)


@dataclass(slots=True)
class Reached:
    """How far a search came, for the coverage statement.

    Attributes:
        interleavings: how many there are, when all are covered by reduction; `reduced` of them were executed.
        faulted: every single fault in a serial order was tried; of many lanes, in a pair of them at least.
        irreducible: why they could not be covered in this way.
        beside: it was searched for other causes as well, with those that were found kept apart.
        cut: the search ended before its budget, because something was found and it was `quiet` since.
    """

    schedules: int = 0
    random: int = 0
    interleavings: int = 0
    reduced: int = 0
    irreducible: str = ""
    pairs: int = 0
    faults: int = 0
    faulted: bool = False
    variants: list[str] = field(default_factory=list[str])
    beside: bool = False
    first: bool = False
    out_of_budget: bool = False
    interrupted: bool = False
    replaying: bool = False
    per_second: float = 0.0
    elapsed_s: float = 0.0
    cut: bool = False
    _found: tuple[str, ...] = ()
    _found_after: int = 0
    _found_s: float = 0.0

    def found(self, crossings: tuple[str, ...]) -> None:
        """These are known after the latest schedule, by their ids."""
        if crossings != self._found:
            self._found, self._found_after, self._found_s = crossings, self.schedules, self.elapsed_s

    @property
    def quiet(self) -> bool:
        """Whether as many schedules again as it took to find what is known, and a second, have shown nothing new."""
        again = self.schedules >= 2 * self._found_after
        return bool(self._found) and again and self.elapsed_s - self._found_s >= _QUIET_S


@dataclass(frozen=True, slots=True)
class Attempt:
    """One execution to make: what to call it, who runs it, on which lanes, and the search that wants to hear of it.

    Attributes:
        order: its place in the order of its stage.
        mine: whether it is to be looked at; else the search needs it to go on, and another process looks at it.
    """

    phase: str
    strategy: Strategy
    lanes: tuple[Lane, ...]
    search: Search | FaultSearch | Reduction | Independence | None = None
    order: Order = ()
    mine: bool = True


@dataclass(frozen=True, slots=True)
class Stage:
    """Attempts that depend on nothing but the stages before.

    Attributes:
        shared: whether other processes can make a part of it, by its name.
        systematic: whether it belongs to the search of all lanes, by switches.
        after: the last place in its order that earlier stages have made.
    """

    name: str
    attempts: Iterator[Attempt]
    shared: bool = False
    systematic: bool = False
    after: Order = ()


def search_of(lanes: tuple[Lane, ...], share: Share) -> Search:
    """The search of all lanes. It begins with the serial order of the trace."""
    return Search([lane.name for lane in lanes], share, _SEARCHED)


def stages(investigation: Investigation, search: Search, job: Job, reached: Reached) -> Iterator[Stage]:
    """Serial in both orders and as recorded, lockstep, one switch at each place, a fault at each place of the serial
    orders, ever more switches, faults where there is a switch, then all interleavings where that is feasible, by
    execution or by reduction, else random ones.

    With many lanes the serial orders alone outnumber any budget. Nearly every contamination needs two lanes, so there
    each pair is searched first, by itself.

    Once something is found and nothing new for a while (`Reached.quiet`), only what is most likely to add to it is
    still made: one switch, single faults in serial orders. For a clean verdict nothing is left out.
    """
    lanes = investigation.lanes
    yield Stage("first", _first_attempts(investigation, search))
    reached.first = True

    def shared(name: str, systematic: bool, after: Order) -> Stage:
        return Stage(name, part_of(name, investigation, search, job, reached), True, systematic, after)

    if len(lanes) > _FEW_LANES:
        yield shared("bounded", False, ())
        yield Stage("reduced", _reduced(investigation, job, reached))
        if not reached.interleavings:
            yield shared("beyond", True, ())
        return
    yield Stage("serial", _searched(search, lanes, 0, "", reached))
    yield shared("bounded", True, search.order)
    # What has crossed already needs no proof that nothing does.
    if (
        not search.exhausted
        and not investigation.news
        and _interleavings(investigation) <= reached.per_second * _EXHAUSTIVE_S
    ):
        yield shared("all", True, (*_SEARCHED, job.switches + 1))
    if not search.exhausted:
        yield Stage("reduced", _reduced(investigation, job, reached))
    if not search.exhausted and not reached.interleavings:
        yield shared("beyond", False, ())


def part_of(name: str, investigation: Investigation, search: Search, job: Job, reached: Reached) -> Iterator[Attempt]:
    """The attempts of a stage that can be shared: those of them that fall to the share of `search`."""
    return _SHARED[name](investigation, search, job, reached)


def _bounded(investigation: Investigation, search: Search, job: Job, reached: Reached) -> Iterator[Attempt]:
    lanes = investigation.lanes
    if len(lanes) <= _FEW_LANES:
        yield from _with_faults(investigation, search, lanes, job, reached, "", ())
        with_switches = (_FAULT_SWITCHES, search.share, _FAULTS_WITH_SWITCHES)
        yield from _fault_attempts(investigation, lanes, job, reached, *with_switches)
        return
    for number, pair in enumerate(combinations(lanes, 2)):
        if not search.share.has(number, (number,)):
            continue
        # A pair is small: it is searched by one process alone.
        alone = Search([lane.name for lane in pair], Share(), (number, *_SEARCHED))
        phase = f"{len(lanes)} lanes in pairs"
        yield from _with_faults(investigation, alone, pair, job, reached, phase, (number,))
        reached.pairs += 1


def _with_faults(
    investigation: Investigation,
    search: Search,
    lanes: tuple[Lane, ...],
    job: Job,
    reached: Reached,
    phase: str,
    prefix: Order,
) -> Iterator[Attempt]:
    """What has one switch or one fault is little, and shows most; what has more can be more than the budget allows."""
    yield from _searched(search, lanes, min(job.switches, _ALWAYS_SWITCHES), phase, reached)
    yield from _fault_attempts(investigation, lanes, job, reached, range(1), search.share, (*prefix, *_FAULTS))
    reached.faulted = True
    yield from _searched(search, lanes, job.switches, phase, reached)


def _all(investigation: Investigation, search: Search, job: Job, reached: Reached) -> Iterator[Attempt]:  # noqa: ARG001
    return _searched(search, investigation.lanes, 1_000_000, "", reached)


def _beyond(investigation: Investigation, search: Search, job: Job, reached: Reached) -> Iterator[Attempt]:
    lanes = investigation.lanes
    yield from _random_attempts(investigation, search.share, job, reached)
    if len(lanes) > _FEW_LANES:
        yield from _searched(search, lanes, job.switches, "", reached, always=-1)


_SHARED: dict[str, Callable[[Investigation, Search, Job, Reached], Iterator[Attempt]]] = {
    "bounded": _bounded,
    "all": _all,
    "beyond": _beyond,
}


def variant_attempts(investigation: Investigation, job: Job, reached: Reached, prefix: Order = ()) -> Iterator[Attempt]:
    """A shorter search, for requests that were not recorded: serial in both orders and as given, then few switches."""
    for number, attempt in enumerate(_few(investigation, job, reached)):
        yield replace(attempt, phase=investigation.variant, order=(*prefix, number))
    reached.variants.append(investigation.variant)


def beside_attempts(investigation: Investigation, job: Job, reached: Reached) -> Iterator[Attempt]:
    """As short a search, and single faults, for what crosses by another cause than those that are known."""
    faults = _fault_attempts(investigation, investigation.lanes, job, reached, range(1), Share(), ())
    for attempt in chain(_few(investigation, job, reached), islice(faults, _MOST_WITH_VARIANTS)):
        yield replace(attempt, phase="beside what was found")
    reached.beside = True


def _few(investigation: Investigation, job: Job, reached: Reached) -> Iterator[Attempt]:
    lanes = investigation.lanes
    search = Search([lane.name for lane in lanes])
    more = islice(_searched(search, lanes, min(job.switches, 1), "", reached), _MOST_WITH_VARIANTS)
    return chain(_first_attempts(investigation, search), more)


def _fault_attempts(
    investigation: Investigation,
    lanes: tuple[Lane, ...],
    job: Job,
    reached: Reached,
    switches: range,
    share: Share,
    prefix: Order,
) -> Iterator[Attempt]:
    """One fault in each execution, in schedules with so many switches."""
    if not job.faults:
        return
    # Who goes on after a fault is a question from three lanes on; of two, all orders are in the one search already.
    orders = (lanes, lanes[::-1]) if len(lanes) > _TWO else (lanes,)
    for number, order in enumerate(orders):
        names = [lane.name for lane in order]
        cancels = investigation.program.cancels
        search = FaultSearch(names, cancels, share, (*prefix, number), _MOST_FAULTS, switches.start)
        while True:
            before = search.tried
            strategy = search.next(switches[-1])
            if strategy is None:
                break
            if search.bound and reached.quiet:
                reached.cut = True
                break
            phase = "with a request cancelled or failing"
            yield Attempt(phase, strategy, lanes, search, search.order, search.mine)
            reached.faults += search.tried - before


def _interleavings(investigation: Investigation) -> int:
    """At most so many orders of the lanes' steps, by their number in the solo runs."""
    count, so_far = 1, 0
    for execution in investigation.solo_runs.values():
        steps = len(execution.decisions)
        so_far += steps
        count *= comb(so_far, steps)
    return count


def _first_attempts(investigation: Investigation, search: Search) -> Iterator[Attempt]:
    lanes = investigation.lanes
    order = [lane.name for lane in lanes]
    first = search.next(0)  # the search proper begins with the serial order of the trace
    assert first is not None
    yield Attempt("one lane after another", first, lanes, search)
    yield from late_starts(lanes)
    yield Attempt("lockstep", Lockstep(), lanes)
    yield Attempt("the reverse order", Serial(order[::-1]), lanes)
    yield from other_orders(investigation)


def late_starts(lanes: tuple[Lane, ...]) -> Iterator[Attempt]:
    """The shapes that find most bugs, and few others do: a request that arrives while another is suspended."""
    for steps in (1, 2):
        yield Attempt("late starts", Nested([lane.name for lane in lanes], steps), lanes)


def other_orders(investigation: Investigation) -> Iterator[Attempt]:
    """As recorded, and each lane first once."""
    lanes = investigation.lanes
    order = [lane.name for lane in lanes]
    lane_of_request = {r.id: lane.name for lane in lanes for r in lane.requests}
    if any(len(lane.requests) > 1 for lane in lanes):
        recorded = [lane_of_request[exchange.request.id] for exchange in investigation.exchanges]
        yield Attempt("as recorded", Recorded(recorded), lanes)
    if len(order) > 2:
        # All orders are too many to begin with; rotations bring each lane to the front once.
        for shift in range(1, len(order)):
            yield Attempt("serial, rotated", Serial(order[shift:] + order[:shift]), lanes)


def _searched(
    search: Search,
    lanes: tuple[Lane, ...],
    switches: int,
    phase: str,
    reached: Reached,
    always: int = _ALWAYS_SWITCHES,
) -> Iterator[Attempt]:
    """Schedules with ever more switches; with at most `always` even where nothing new is to be expected."""
    while (strategy := search.next(switches)) is not None:
        if search.bound > always and reached.quiet:
            reached.cut = True
            return
        bound = "serial orders" if search.bound == 0 else f"serial + {switches_in_words(search.bound)}"
        yield Attempt(f"{phase}, {bound}" if phase else bound, strategy, lanes, search, search.order, search.mine)


def _reduced(investigation: Investigation, job: Job, reached: Reached) -> Iterator[Attempt]:
    """All interleavings, of which only those are executed that no other is equal to; as long as it looks like ending
    in time. What has crossed already needs no proof that nothing does."""
    program = investigation.program
    if investigation.news or investigation.uncontrolled or any(investigation.unstable.values()):
        return
    if program.fresh.forking:
        reached.irreducible = "executions are kept apart by fork"
        return
    engine = program.engine
    fingerprints = Fingerprints(program.fresh.graph, lambda: engine.replies, engine.beside)
    apart = Apart(program.fresh.graph, fingerprints, lambda: engine.replies, engine.beside, lambda: engine.serving)
    independence = Independence(apart)
    try:
        yield Attempt("all interleavings", independence, investigation.lanes, independence)
    finally:
        apart.end()
    if independence.proven and not investigation.news:
        reached.interleavings, reached.reduced = independence.count(), 1
        return
    choices = _choices(investigation)
    begun_s = reached.elapsed_s
    share_s = (job.budget_s - begun_s) * _REDUCTION_SHARE
    # At so many choices a second as there are executions, which is about right for small programs and few users.
    if choices > reached.per_second * share_s * 4:
        reached.irreducible = f"about {choices:,} choices would have to be followed"
        return
    while True:
        timeless = fingerprints.timeless
        reduction = Reduction(fingerprints)
        while reduction.more and not investigation.news:
            spent_s = reached.elapsed_s - begun_s
            if spent_s > _TRIAL_S and spent_s * max(choices, reduction.choices) > share_s * reduction.choices:
                reached.irreducible = "the budget is too small"
                return
            yield Attempt("all interleavings", reduction, investigation.lanes, reduction)
        if fingerprints.timeless == timeless:
            break
    reached.irreducible = reduction.refused
    if reduction.exhausted:
        reached.interleavings = reduction.count()
        reached.reduced = reduction.executed


def _choices(investigation: Investigation) -> int:
    """How many there are in all moments that differ by where each lane stands: at least so many must be followed."""
    steps = [len(execution.decisions) for execution in investigation.solo_runs.values()]
    moments = prod(count + 1 for count in steps)
    return sum(moments // (count + 1) * count for count in steps)


def _random_attempts(investigation: Investigation, share: Share, job: Job, reached: Reached) -> Iterator[Attempt]:
    if job.concurrency == 1:
        return
    for seed in range(_RANDOM_WALKS):
        if not share.has(seed, (*_RANDOM, seed)):
            continue
        if reached.quiet:
            reached.cut = True
            return
        walk = random_walk(investigation, seed)
        yield Attempt("random", walk, investigation.lanes, order=(*_RANDOM, seed))
        reached.random += 1


def random_walk(investigation: Investigation, seed: int) -> RandomWalk:
    """The same for `replay --seed` as for the search. The lanes have to be run alone first."""
    steps: dict[str, int] = {}
    for execution in investigation.solo_runs.values():
        for name, count in Counter(lane for lane, _, _ in execution.decisions).items():
            steps[name] = max(count, steps.get(name, 0))
    return RandomWalk(seed, steps)


def switches_in_words(count: int) -> str:
    return f"{count} switch{'' if count == 1 else 'es'}"
