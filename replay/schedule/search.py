"""Iterative preemption bounding: every schedule with 0 switches, then with 1, then with 2 …

Musuvathi and Qadeer, "Iterative Context Bounding for Systematic Testing of Multithreaded Programs", PLDI 2007. A switch
away from a lane that could have gone on costs one; a choice where no lane could is free. Each schedule is the choices
of an earlier one up to some step, another choice there, and from then on serial: so no schedule is executed twice, the
first one to fail has the fewest switches, and when nothing is left for the next bound, all interleavings were covered.

The schedules form a tree, in which several processes can share. The serial order and what is one free choice away is
run by all of them, since all have to branch from it. Their branches are dealt out in turns, and so are the switches
that come after one switch; all else stays with what it branches from.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from .share import Share
from .strategies import Forced, Serial

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .execute import Execution
    from .share import Order
    from .strategies import Strategy


@dataclass(frozen=True, slots=True)
class Part:
    """How far one share of a search has come; the members are those of `Search`. Once it is exhausted, `completed` is
    the most switches that a schedule of it has."""

    completed: int
    exhausted: bool
    count: int


NOTHING = Part(-1, False, 0)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the tree: `depth` choices away from the serial order, in the share that has `number`.

    `order` is the number of switches and then, for each of them and for the start, how many free choices followed and
    which branches were taken: the order in which the search alone hands out its schedules.
    """

    depth: int = 0
    number: int = 0
    order: Order = (0, (0,))

    def below(self, branch: int, preempting: bool) -> _Place:
        switches, *parts = self.order
        if preempting:
            order = (switches + 1, *parts, (0, branch))
        else:
            level, *taken = parts[-1]
            order = (switches, *parts[:-1], (level + 1, *taken, branch))
        dealt_out = self.depth == 0 or (self.depth == 1 and (preempting or not switches))
        return _Place(self.depth + 1, self.number + branch if dealt_out else self.number, order)

    @property
    def common(self) -> bool:
        """Whether every share makes it, to branch from it."""
        return self.depth == 0 or (self.depth == 1 and not self.order[0])


@dataclass(frozen=True, slots=True)
class _Run:
    """An execution to branch from, at every step after `start`. Its branches are made when they are asked for: a long
    trace of many users has far more of them than can ever be run."""

    names: tuple[str, ...]
    enabled: tuple[tuple[str, ...], ...]
    goes_on: tuple[bool, ...]
    start: int
    place: _Place

    def branches(self, preempting: bool) -> Iterator[_Branch]:
        """Those that cost a switch, or those that are free."""
        number = -1
        for step in range(self.start + 1, len(self.names)):
            before = self.names[step - 1] if step else ""
            for other in self.enabled[step]:
                if other == self.names[step]:
                    continue
                number += 1
                if (self.goes_on[step] and other != before) == preempting:
                    yield _Branch(self, step, other, number, preempting)


class _Branch(NamedTuple):
    """Another lane that could run at a step. A switch is what costs, and `preempting`."""

    run: _Run
    step: int
    other: str
    number: int
    preempting: bool

    @property
    def place(self) -> _Place:
        return self.run.place.below(self.number, self.preempting)


class Search:
    """Hands out strategies and is told what came of each.

    Attributes:
        share: what of it is made here.
        bound: the number of switches that the schedules now handed out have.
        order: the place of the schedule handed out last in the order of the search.
        mine: whether that one is for this share to look at, or only to branch from.
    """

    def __init__(self, order: Sequence[str], share: Share | None = None, prefix: Order = ()) -> None:
        """Args:
        order: of the lanes in the serial schedule.
        prefix: what the order of every schedule begins with.
        """
        self.share = share or Share()
        self.bound = 0
        self._own = NOTHING
        self._others: tuple[Part, ...] = ()
        self._joined = 0
        self._deepest = 0
        self._prefix = prefix
        self._rest = Serial(order)
        self._start: int | None = None
        self._place = _Place()
        self._branches: Iterator[_Branch] = iter(())
        # Runs of this bound whose free branches are still to come, and of the bound before whose switches are.
        self._free: deque[_Run] = deque()
        self._switching: deque[_Run | _Branch] = deque()
        # A branch stands for the run of another share, which is made here once switches are put into it.
        self._of_this_bound: list[_Run | _Branch] = []
        self._catching_up = False
        self._sets: dict[tuple[str, ...], tuple[str, ...]] = {}

    @property
    def completed(self) -> int:
        """Every schedule with at most so many switches was run; -1 before the first bound is done."""
        parts = (self._own, *self._others)
        return min((p.completed for p in parts if not p.exhausted), default=max(p.completed for p in parts))

    @property
    def exhausted(self) -> bool:
        """There is no schedule left at any bound."""
        return all(part.exhausted for part in (self._own, *self._others))

    @property
    def count(self) -> int:
        """How many schedules were run."""
        return self._own.count + self._joined

    @property
    def part(self) -> Part:
        """What was done in this share alone."""
        return self._own

    def join(self, others: Sequence[Part]) -> None:
        """From now on `completed`, `exhausted` and `count` are of all shares together. No schedule is counted twice."""
        self._others = tuple(others)
        self._joined += sum(part.count for part in others)

    @property
    def order(self) -> Order:
        return (*self._prefix, *self._place.order)

    @property
    def mine(self) -> bool:
        return self.share.has(0 if self._place.common else self._place.number, self.order)

    def next(self, most_switches: int) -> Strategy | None:
        """The next schedule, or None when all with at most `most_switches` were handed out."""
        if self._start is None:
            self._start = -1
            return self._rest
        while True:
            branch = next(self._branches, None)
            if branch is not None:
                if self._is_here(branch):
                    return self._taken(branch)
                if branch.place.depth == 1:
                    self._of_this_bound.append(branch)
            elif self._free:
                self._branches = self._free.popleft().branches(preempting=False)
            elif self._switching:
                run = self._switching.popleft()
                if isinstance(run, _Branch):
                    self._catching_up = True
                    return self._taken(run)
                self._branches = run.branches(preempting=True)
            else:
                done = self.bound >= most_switches
                exhausted = not self._has_more(done)
                self._own = Part(self._deepest if exhausted else self.bound, exhausted, self._own.count)
                if exhausted or done:
                    return None
                self.bound += 1
                self._switching, self._of_this_bound = deque(self._of_this_bound), []

    def _taken(self, branch: _Branch) -> Strategy:
        self._start, self._place = branch.step, branch.place
        return Forced(branch.run.names, branch.step, branch.other, self._rest)

    def _is_here(self, branch: _Branch) -> bool:
        place = branch.place
        return place.common or self.share.holds(place.number)

    def tell(self, execution: Execution) -> None:
        """What came of the strategy handed out last: where it can be branched from."""
        assert self._start is not None
        if self.mine:
            self._own = Part(self._own.completed, self._own.exhausted, self._own.count + 1)
            self._deepest = self.bound
        names, enabled, goes_on = zip(*execution.decisions, strict=True) if execution.decisions else ((), (), ())
        kept = tuple(self._sets.setdefault(lanes, lanes) for lanes in enabled)
        run = _Run(names, kept, goes_on, self._start, self._place)
        if self._catching_up:
            self._catching_up = False
            self._branches = run.branches(preempting=True)
            return
        self._free.append(run)
        self._of_this_bound.append(run)

    def _has_more(self, for_all: bool) -> bool:
        """Whether there is a schedule with one switch more, here or `for_all`: each speaks for its own runs."""
        for run in self._of_this_bound:
            if isinstance(run, _Branch):
                if not for_all:
                    return True
            elif any(for_all or branch.place.depth == 1 or self._is_here(branch) for branch in run.branches(True)):
                return True
        return False
