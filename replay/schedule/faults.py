"""Faults at every place where they can happen: each schedule with few switches, and in it one fault at each await.

A client that goes away, a time limit that passes, an upstream call that fails: what a request was about to clean up
may then stay as it is, and the next request finds it, or the next two, when they overlap. At most one fault an
execution, since one is what such bugs need.
"""

from __future__ import annotations

import sys
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING

from .schedule import Schedule
from .search import Search
from .share import Share
from .strategies import LeftFirst, Nested, Replayed, Serial

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .execute import Execution
    from .share import Order
    from .strategies import Strategy


_MOST_LATE = 12
"""Places at which what one fault has left behind goes on."""


class FaultSearch:
    """Hands out strategies and is told what came of each, as `Search` is.

    Attributes:
        bound: the switches of the schedules into which faults are put now.
        tried: how many executions had a fault.
        order, mine: see `Search`; every share makes the schedules without a fault, and deals out the faults in them.
    """

    def __init__(
        self,
        order: Sequence[str],
        cancelling: bool,
        share: Share | None = None,
        prefix: Order = (),
        most: int = sys.maxsize,
        least_switches: int = 0,
    ) -> None:
        """Args:
        most: so many executions with a fault are enough, over all shares.
        least_switches: of the schedules into which faults are put.
        """
        self._share = share or Share()
        self._prefix = prefix
        self._most = most
        self._least_switches = least_switches
        self._number = 0
        self._search = Search(order)
        self._order = order
        self._cancelling = cancelling
        self._waiting: deque[Iterator[Strategy]] = deque()
        self._is_base = False
        self._late: Iterator[Strategy] = iter(())
        self._late_number = 0
        self.tried = 0

    @property
    def bound(self) -> int:
        return self._search.bound

    @property
    def order(self) -> Order:
        late = (self._late_number,) if self._late_number else ()
        return (*self._prefix, self._number, self._is_base, *late)

    @property
    def mine(self) -> bool:
        # What a fault leaves behind is known to the share alone that has made the fault.
        return self._late_number > 0 or self._share.has(self._number if not self._is_base else 0, self.order)

    def next(self, most_switches: int) -> Strategy | None:
        """The next execution to make, or None when there is none left."""
        late = next(self._late, None)
        if late is not None:
            self._late_number += 1
            self.tried += 1
            return late
        self._late_number = 0
        while self._waiting and self._number < self._most:
            strategy = next(self._waiting[0], None)
            if strategy is not None:
                self._is_base = False
                self._number += 1
                if not self.mine:
                    continue
                self.tried += 1
                return strategy
            self._waiting.popleft()
        if self._number >= self._most:
            return None
        self._is_base = True
        return self._search.next(most_switches)

    def tell(self, execution: Execution) -> None:
        if self._is_base:
            self._search.tell(execution)
            if self._search.bound >= self._least_switches:
                self._waiting.append(self._with_faults(execution))
        elif not self._late_number:
            self._late = islice(self._with_late_work(execution), _MOST_LATE)

    def _with_faults(self, base: Execution) -> Iterator[Strategy]:
        names = base.schedule.names
        for step, action in self._places(base):
            yield Replayed(Schedule(names[: step + 1], ((step, action),)), Serial(self._order))
        # What a fault has broken, such as a lock that is let go twice, may take two others that overlap to show.
        for step, action in self._places(base) if self._search.bound == 0 else ():
            others = _beginning_after(base, step)
            if len(others) > 1:
                yield Replayed(Schedule(names[: step + 1], ((step, action),)), Nested(others, 1))

    def _with_late_work(self, execution: Execution) -> Iterator[Strategy]:
        """What a request leaves behind that was broken off, a timer or a task, goes on by itself: before the next one,
        or at any place within it."""
        for step, _ in execution.faults:
            lane, names = execution.schedule.names[step], execution.schedule.names
            for at, (name, enabled, _) in enumerate(execution.decisions):
                if at > step and name != lane and lane in enabled:
                    rest = LeftFirst(lane, Serial(self._order))
                    yield Replayed(Schedule(names[:at], execution.faults), rest)

    def _places(self, base: Execution) -> Iterator[tuple[int, str]]:
        starts, lanes = set(base.starts), set(base.lanes)
        limits, upstream = set(base.limits), set(base.upstream)
        for step, name in enumerate(base.schedule.names):
            if step in starts or name not in lanes:
                continue
            if self._cancelling:
                yield step, "cancel"
            if step in limits:
                yield step, "timeout"
            if step in upstream:
                yield step, "fail"


def _beginning_after(base: Execution, step: int) -> list[str]:
    """The lanes that send a request after a step, in the order in which they do."""
    names = base.schedule.names
    return list(dict.fromkeys(names[start] for start in sorted(base.starts) if start > step))
