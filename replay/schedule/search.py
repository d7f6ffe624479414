"""Iterative preemption bounding: every schedule with 0 switches, then with 1, then with 2 …

Musuvathi and Qadeer, "Iterative Context Bounding for Systematic Testing of Multithreaded Programs", PLDI 2007. A switch
away from a lane that could have gone on costs one; a choice where no lane could is free. Each schedule is the choices
of an earlier one up to some step, another choice there, and from then on serial: so no schedule is executed twice, the
first one to fail has the fewest switches, and when nothing is left for the next bound, all interleavings were covered.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from .strategies import Forced, Serial

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .execute import Execution
    from .strategies import Strategy

_Branch = tuple[tuple[str, ...], int, str, int]


class Search:
    """Hands out strategies and is told what came of each.

    Attributes:
        bound: the number of switches that the schedules now handed out have.
        completed: every schedule with at most so many switches was run; -1 before the first bound is done.
        exhausted: there is no schedule left at any bound.
    """

    def __init__(self, order: Sequence[str]) -> None:
        self.bound = 0
        self.completed = -1
        self.exhausted = False
        self._rest = Serial(order)
        self._here: deque[_Branch] = deque()
        self._later: deque[_Branch] = deque()
        self._first = True
        self._branch: _Branch | None = None

    def next(self, most_switches: int) -> Strategy | None:
        """The next schedule, or None when all with at most `most_switches` were handed out."""
        if self._first:
            self._first = False
            self._branch = ((), -1, "", 0)
            return self._rest
        while not self._here:
            self.completed = self.bound
            if not self._later:
                self.exhausted = True
                return None
            if self.bound >= most_switches:
                return None
            self.bound += 1
            self._here, self._later = self._later, deque()
        # Late switches of the newest branch first: they share the longest prefix with what just ran.
        self._branch = self._here.popleft()
        prefix, length, choice, _ = self._branch
        return Forced(prefix, length, choice, self._rest)

    def tell(self, execution: Execution) -> None:
        """Branch at every step after the one where this schedule itself branched off."""
        assert self._branch is not None
        _, start, _, cost = self._branch
        names = execution.schedule
        for step in range(start + 1, len(names)):
            chosen, enabled, goes_on = execution.decisions[step]
            if len(enabled) == 1:
                continue
            before = names[step - 1] if step else ""
            for other in enabled:
                if other == chosen:
                    continue
                preempts = goes_on and other != before
                (self._later if preempts else self._here).append((names, step, other, cost + preempts))
