"""Who runs next: the strategies that answer the loop's one question. Each is a callable `(enabled, previous) -> Actor`.

`enabled` is never empty and is in the order of the trace, background tasks last.
"""

from __future__ import annotations

import random
from collections import deque
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .actors import Actor
    from .schedule import Schedule


_IDLE = 1 << 40  # more than there are steps


class Strategy(Protocol):
    def __call__(self, enabled: list[Actor], previous: Actor | None) -> Actor: ...


class LeftFirst:
    """What a lane has left behind goes on as soon as it can; else as `rest` says."""

    def __init__(self, lane: str, rest: Strategy) -> None:
        self._lane = lane
        self._rest = rest

    def __call__(self, enabled: list[Actor], previous: Actor | None) -> Actor:
        left = (each for each in enabled if each.name == self._lane and not each.in_flight and not each.pending)
        return next(left, None) or self._rest(enabled, previous)


class Serial:
    """One lane after another in the given order, each to its end: the simplest schedule there is.

    A lane that cannot go on hands over to what it may be waiting for: background tasks first, then requests that have
    already started, and only then to a request that would newly overlap with it.
    """

    def __init__(self, order: Sequence[str]) -> None:
        self._rank = {name: rank for rank, name in enumerate(order)}

    def __call__(self, enabled: list[Actor], previous: Actor | None) -> Actor:
        if len(enabled) == 1:
            return enabled[0]
        if previous is not None and (previous.in_flight or previous.ready) and previous in enabled:
            return previous
        if previous is not None and previous.pending and previous in enabled:
            return previous
        return min(enabled, key=self._key)

    def _key(self, actor: Actor) -> tuple[int, int]:
        rank = self._rank.get(actor.name, len(self._rank))
        if actor.background:
            return (0 if actor.ready else 4, rank)
        if actor.in_flight or actor.ready:
            return (1, rank)
        return (2 if actor.pending else 3, rank)


class Recorded(Serial):
    """Serial, but request by request in the order in which the trace has them."""

    def __init__(self, lanes_of_requests: Sequence[str]) -> None:
        super().__init__(list(dict.fromkeys(lanes_of_requests)))
        self._waiting = list(lanes_of_requests)

    def __call__(self, enabled: list[Actor], previous: Actor | None) -> Actor:
        if previous is not None and (previous.in_flight or previous.ready) and previous in enabled:
            return previous
        starting = {a.name: a for a in enabled if a.pending and not a.in_flight and not a.ready}
        if len(starting) < len(enabled):
            return super().__call__([a for a in enabled if a.name not in starting], None)
        for index, name in enumerate(self._waiting):
            if name in starting:
                del self._waiting[index]
                return starting[name]
        return enabled[0]


class Nested:
    """Each lane begins, makes `steps` steps and is suspended; then the next begins. The last to begin ends first.

    So every request arrives while the ones before it are under way, which is what a check that runs one lane after
    another, or all in lockstep, never sees.
    """

    def __init__(self, order: Sequence[str], steps: int) -> None:
        self._order = list(order)
        self._steps = steps
        self._made = dict.fromkeys(order, 0)
        self._rest = Serial(list(reversed(order)))

    def __call__(self, enabled: list[Actor], previous: Actor | None) -> Actor:
        by_name = {actor.name: actor for actor in enabled}
        for name in self._order:
            actor = by_name.get(name)
            if actor is not None and self._made[name] < self._steps:
                self._made[name] += 1
                return actor
        if previous is not None and previous in enabled and previous.in_flight:
            return previous
        under_way = [a for a in enabled if a.background or a.in_flight or a.ready]
        return self._rest(under_way or enabled, None)


class Lockstep:
    """Each lane one step in turn, as `asyncio.gather` over all of them would run."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}
        self._count = 0
        # Who can run, and the same in the order of their turns: as long as nobody else can, that only goes round.
        self._enabled: list[Actor] = []
        self._turns: deque[Actor] = deque()

    def __call__(self, enabled: list[Actor], previous: Actor | None) -> Actor:  # noqa: ARG002
        if enabled != self._enabled or enabled[-1].background:
            self._turns = self._in_turn(enabled)
            self._enabled = enabled
        actor = self._turns[0]
        self._turns.rotate(-1)
        self._count += 1
        self._last[actor.name] = self._count
        return actor

    def _in_turn(self, enabled: list[Actor]) -> deque[Actor]:
        # Most often somebody is done: the others keep their turns.
        left = [actor for actor in self._turns if actor in enabled]
        if len(left) < len(enabled) or enabled[-1].background:
            left = sorted(enabled, key=self._turn)
        return deque(left)

    def _turn(self, actor: Actor) -> int:
        # Background tasks have priority, because on a plain loop they run in the same turn. Idle ones come last.
        at = self._last.get(actor.name, -1)
        return at + _IDLE if actor.background and not actor.ready else at


class RandomWalk:
    """Uniform over interleavings rather than over choices: each lane with the weight of the steps it still has to make.

    Zhao et al., "Selectively Uniform Concurrency Testing", ASPLOS 2025. A walk that is uniform over choices leaves the
    lane that has most to do for the end, and so seldom sees it overlap.
    """

    def __init__(self, seed: int, steps: Mapping[str, int]) -> None:
        """Args:
        steps: how many each lane and background task makes alone. Who is not in it counts as one step.
        """
        self._random = random.Random(f"crosslane:{seed}")
        self._left = dict(steps)

    def __call__(self, enabled: list[Actor], previous: Actor | None) -> Actor:  # noqa: ARG002
        weights = [max(1, self._left.get(actor.name, 1)) for actor in enabled]
        place = self._random.random() * sum(weights)
        actor = enabled[-1]
        for candidate, weight in zip(enabled, weights, strict=True):
            place -= weight
            if place < 0:
                actor = candidate
                break
        if actor.name in self._left:
            self._left[actor.name] -= 1
        return actor


class Replayed:
    """Follow a schedule, then go on with `rest`. `diverged` says where it could first not be followed."""

    def __init__(self, schedule: Schedule, rest: Strategy) -> None:
        self._names = schedule.names
        self._faults = dict(schedule.faults)
        self._rest = rest
        self._next = 0
        self.diverged: str | None = None

    def __call__(self, enabled: list[Actor], previous: Actor | None) -> Actor:
        while self._next < len(self._names):
            name = self._names[self._next]
            self._next += 1
            for actor in enabled:
                if actor.name == name:
                    actor.fault = self._faults.get(self._next - 1, "")
                    return actor
            if self.diverged is None:
                able = ", ".join(a.name for a in enabled)
                self.diverged = f"step {self._next}: the schedule says {name}, but only {able} can run"
        return self._rest(enabled, previous)


class Forced:
    """For the search: the first `len(prefix)` choices are given, the last of them by `choice`; then serial."""

    __slots__ = ("_choice", "_length", "_prefix", "_rest", "_step")

    def __init__(self, prefix: Sequence[str], length: int, choice: str, rest: Strategy) -> None:
        self._prefix = prefix
        self._length = length
        self._choice = choice
        self._rest = rest
        self._step = 0

    def __call__(self, enabled: list[Actor], previous: Actor | None) -> Actor:
        step = self._step
        if step > self._length:
            return self._rest(enabled, previous)
        self._step = step + 1
        wanted = self._prefix[step] if step < self._length else self._choice
        for actor in enabled:
            if actor.name == wanted:
                return actor
        return enabled[0]  # a program that is not deterministic; the double run will tell
