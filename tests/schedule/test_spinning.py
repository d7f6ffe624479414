"""A lane that goes round in a loop is told from one that only takes long, and lets the others run."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from crosslane.replay.schedule import threads
from crosslane.replay.schedule.loop import ControlledLoop
from crosslane.replay.schedule.strategies import Lockstep, RandomWalk, Serial, Strategy

FLAGS: dict[str, bool] = {}
IDS = itertools.count()


@pytest.fixture(autouse=True)
def lines_here() -> Iterator[None]:
    """The lines of this file are the user's, at which threads are suspended."""
    FLAGS.clear()
    threads.user_files.append({__file__})
    threads.known_modules.clear()
    yield
    threads.user_files.pop()
    threads.known_modules.clear()


def stopped(bodies: dict[str, Callable[[], object]], strategy: Strategy) -> str:
    loop = ControlledLoop(list(bodies))

    async def request(name: str) -> None:
        await loop.in_thread(bodies[name])
        loop.request_done(loop.lanes[name])

    for name in bodies:
        loop.lanes[name].pending.append(partial(request, name))
    loop.run_requests(strategy)
    loop.close()
    return loop.stopped


def wait_for(name: str) -> None:
    while not FLAGS.get(name):
        pass


def set_late(name: str) -> None:
    for _ in range(20):
        FLAGS["other"] = True
    FLAGS[name] = True


def test_a_lane_that_spins_alone_is_named_with_its_line() -> None:
    line = wait_for.__code__.co_firstlineno + 1
    what = stopped({"alice": partial(wait_for, "never")}, Serial(["alice"]))
    assert what.startswith("alice spins at ")
    assert what.endswith((f"{__file__}:{line} without waiting", f"{__file__}:{line + 1} without waiting"))


STRATEGIES: list[Callable[[], Strategy]] = [
    partial(Serial, ["bob", "alice"]),
    partial(Serial, ["alice", "bob"]),
    Lockstep,
    partial(RandomWalk, 1, {}),
]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_lane_that_waits_by_spinning_lets_the_one_run_that_it_waits_for(strategy: Callable[[], Strategy]) -> None:
    bodies = {"alice": partial(set_late, "ready"), "bob": partial(wait_for, "ready")}
    assert stopped(bodies, strategy()) == ""


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_lanes_that_wait_for_each_other_by_spinning_are_both_named(strategy: Callable[[], Strategy]) -> None:
    what = stopped({"alice": partial(wait_for, "one"), "bob": partial(wait_for, "two")}, strategy())
    assert "alice spins at" in what
    assert "bob spins at" in what


class Counter:
    def __init__(self) -> None:
        self.count = 0

    def more(self) -> bool:
        self.count += 1
        return self.count < 1_500


def counting() -> None:
    n = 0
    while n < 3_000:
        n += 1


def counting_in_an_object() -> None:
    counter = Counter()
    while counter.more():
        pass


def counting_in_c() -> None:
    ids = itertools.count()
    while next(ids) < 1_500:
        pass


def counting_in_c_elsewhere() -> None:
    first = next(IDS)
    while next(IDS) < first + 1_500:
        pass


def over_what_is_the_same() -> None:
    for _ in itertools.repeat(None, 1_500):
        pass


def until_luck_comes() -> None:
    while random.random() < 0.999:
        pass


def filling() -> None:
    things: list[None] = []
    while len(things) < 1_500:
        things.append(None)


@pytest.mark.parametrize(
    "long",
    [
        counting,
        counting_in_an_object,
        counting_in_c,
        counting_in_c_elsewhere,
        over_what_is_the_same,
        until_luck_comes,
        filling,
    ],
)
def test_a_long_loop_that_ends_is_left_to_its_end(long: Callable[[], None]) -> None:
    assert stopped({"alice": long}, Serial(["alice"])) == ""
