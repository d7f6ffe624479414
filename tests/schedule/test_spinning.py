"""A lane that goes round in a loop is told from one that only takes long, and lets the others run."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from functools import partial
from typing import Any

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


# ---- coroutines, which let others run at each turn, but need not be waiting for anything else


# What calls a handler is none of the user's, unlike what stands in this file.
SERVER = """
async def request(loop, body, name):
    await body()
    loop.request_done(loop.lanes[name])
"""


def stopped_tasks(bodies: dict[str, Callable[[], Coroutine[Any, Any, object]]], strategy: Strategy) -> tuple[str, int]:
    loop = ControlledLoop(list(bodies))
    server: dict[str, Any] = {"__name__": "server"}
    exec(SERVER, server)
    for name, body in bodies.items():
        loop.lanes[name].pending.append(partial(server["request"], loop, body, name))
    loop.run_requests(strategy)
    loop.close()
    return loop.stopped, loop.steps


async def poll(name: str) -> None:
    while not FLAGS.get(name):
        await asyncio.sleep(0)


async def poll_by_a_helper(name: str) -> None:
    async def turn() -> None:
        await asyncio.sleep(0)

    while not FLAGS.get(name):
        await turn()


async def flag(name: str) -> None:
    for _ in range(20):
        await asyncio.sleep(0)
    FLAGS[name] = True


async def give_up(turns: int) -> None:
    left = turns
    while left and not FLAGS.get("never"):
        left -= 1
        await asyncio.sleep(0)


async def in_a_generator(turns: int) -> None:
    async def count() -> AsyncIterator[None]:
        for _ in range(turns):
            await asyncio.sleep(0)
            yield

    async for _ in count():
        if FLAGS.get("never"):
            return


async def as_a_list(turns: int) -> None:
    seen: list[int] = []
    while len(seen) < turns:
        seen.append(0)
        await asyncio.sleep(0)


POLLS: list[Callable[[str], Coroutine[Any, Any, object]]] = [poll, poll_by_a_helper]


@pytest.mark.parametrize("wait", POLLS)
def test_a_coroutine_that_polls_for_what_never_comes_is_named_soon(
    wait: Callable[[str], Coroutine[Any, Any, object]],
) -> None:
    what, steps = stopped_tasks({"alice": partial(wait, "never")}, Serial(["alice"]))
    assert what.startswith(f"alice spins at {__file__}:")
    assert steps < 2_000


@pytest.mark.parametrize("wait", POLLS)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_coroutine_that_polls_lets_the_lane_run_that_ends_it(
    strategy: Callable[[], Strategy], wait: Callable[[str], Coroutine[Any, Any, object]]
) -> None:
    what, steps = stopped_tasks({"alice": partial(flag, "ready"), "bob": partial(wait, "ready")}, strategy())
    assert what == ""
    assert steps < 2_000


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_coroutines_that_poll_for_each_other_are_both_named(strategy: Callable[[], Strategy]) -> None:
    what, _ = stopped_tasks({"alice": partial(poll, "one"), "bob": partial(poll, "two")}, strategy())
    assert "alice spins at" in what
    assert "bob spins at" in what


@pytest.mark.parametrize("body", [give_up, in_a_generator, as_a_list])
@pytest.mark.parametrize("turns", [300, 5_000])
def test_a_coroutine_that_gives_up_polling_some_time_is_left_to_it(
    body: Callable[[int], Coroutine[Any, Any, object]], turns: int
) -> None:
    assert stopped_tasks({"alice": partial(body, turns)}, Serial(["alice"]))[0] == ""


async def poll_unseen(name: str) -> None:
    """What it polls is below an iterator, of which nobody can tell where it stands."""
    for _ in itertools.count():
        if FLAGS.get(name):
            return
        await asyncio.sleep(0)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_coroutine_that_may_poll_lets_the_lane_run_that_may_end_it(strategy: Callable[[], Strategy]) -> None:
    lanes = {"alice": partial(flag, "ready"), "bob": partial(poll_unseen, "ready")}
    assert stopped_tasks(lanes, strategy())[0] == ""


def test_a_coroutine_with_much_to_do_is_left_to_it_while_no_other_can_run() -> None:
    assert stopped_tasks({"alice": partial(in_a_generator, 20_000)}, Serial(["alice"]))[0] == ""
