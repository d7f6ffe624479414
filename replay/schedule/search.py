"""Iterative preemption bounding: every schedule with 0 switches, then with 1, then with 2 …

Musuvathi and Qadeer, "Iterative Context Bounding for Systematic Testing of Multithreaded Programs", PLDI 2007. A switch
away from a lane that could have gone on costs one; a choice where no lane could is free. Each schedule is the choices
of an earlier one up to some step, another choice there, and from then on serial: so no schedule is executed twice, the
first one to fail has the fewest switches, and when nothing is left for the next bound, all interleavings were covered.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .strategies import Forced, Serial

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .execute import Execution
    from .strategies import Strategy


@dataclass(frozen=True, slots=True)
class _Run:
    """An execution to branch from, at every step after `start`. Its branches are made when they are asked for: a long
    trace of many users has far more of them than can ever be run."""

    names: tuple[str, ...]
    enabled: tuple[tuple[str, ...], ...]
    goes_on: tuple[bool, ...]
    start: int

    def branches(self, preempting: bool) -> Iterator[tuple[_Run, int, str]]:
        """(this run, the step, the other lane that runs there): those that cost a switch, or those that are free."""
        for step in range(self.start + 1, len(self.names)):
            before = self.names[step - 1] if step else ""
            for other in self.enabled[step]:
                if other != self.names[step] and (self.goes_on[step] and other != before) == preempting:
                    yield self, step, other


class Search:
    """Hands out strategies and is told what came of each.

    Attributes:
        bound: the number of switches that the schedules now handed out have.
        completed: every schedule with at most so many switches was run; -1 before the first bound is done.
        count: how many schedules were run.
        exhausted: there is no schedule left at any bound.
    """

    def __init__(self, order: Sequence[str]) -> None:
        self.bound = 0
        self.completed = -1
        self.exhausted = False
        self.count = 0
        self._rest = Serial(order)
        self._start: int | None = None
        self._branches: Iterator[tuple[_Run, int, str]] = iter(())
        # Runs of this bound whose free branches are still to come, and of the bound before whose switches are.
        self._free: deque[_Run] = deque()
        self._switching: deque[_Run] = deque()
        self._of_this_bound: list[_Run] = []
        self._sets: dict[tuple[str, ...], tuple[str, ...]] = {}

    def next(self, most_switches: int) -> Strategy | None:
        """The next schedule, or None when all with at most `most_switches` were handed out."""
        if self._start is None:
            self._start = -1
            return self._rest
        while True:
            branch = next(self._branches, None)
            if branch is not None:
                run, step, other = branch
                self._start = step
                return Forced(run.names, step, other, self._rest)
            if self._free:
                self._branches = self._free.popleft().branches(preempting=False)
            elif self._switching:
                self._branches = self._switching.popleft().branches(preempting=True)
            else:
                self.completed = self.bound
                if not any(True for run in self._of_this_bound for _ in run.branches(preempting=True)):
                    self.exhausted = True
                    return None
                if self.bound >= most_switches:
                    return None
                self.bound += 1
                self._switching, self._of_this_bound = deque(self._of_this_bound), []

    def tell(self, execution: Execution) -> None:
        """What came of the strategy handed out last: where it can be branched from."""
        assert self._start is not None
        self.count += 1
        names, enabled, goes_on = zip(*execution.decisions, strict=True) if execution.decisions else ((), (), ())
        kept = tuple(self._sets.setdefault(lanes, lanes) for lanes in enabled)
        run = _Run(names, kept, goes_on, self._start)
        self._free.append(run)
        self._of_this_bound.append(run)
