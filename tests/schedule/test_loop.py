"""The controlled loop does what asyncio does, but for who runs next and what time it is."""

from __future__ import annotations

import asyncio
import gc
import types
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from crosslane.replay.schedule import threads
from crosslane.replay.schedule.actors import Actor
from crosslane.replay.schedule.loop import ControlledLoop
from crosslane.replay.schedule.strategies import Lockstep, RandomWalk, Serial, Strategy

Body = Callable[[str], Coroutine[Any, Any, None]]


def run(
    body: Body, strategy: Strategy | None = None, lanes: tuple[str, ...] = ("a", "b"), most: int | None = None
) -> ControlledLoop:
    loop = ControlledLoop(lanes, most)

    def start(name: str) -> Callable[[], Coroutine[Any, Any, None]]:
        async def request() -> None:
            await body(name)
            loop.request_done(loop.lanes[name])

        return request

    for name in lanes:
        loop.lanes[name].pending.append(start(name))
    loop.run_requests(strategy or Serial(lanes))
    loop.close()
    return loop


def test_a_lane_that_sleeps_may_go_on_so_that_a_serial_order_can_be_expressed() -> None:
    seen: list[str] = []

    async def body(name: str) -> None:
        for n in range(3):
            seen.append(f"{name}{n}")
            await asyncio.sleep(10)

    run(body)
    assert seen == ["a0", "a1", "a2", "b0", "b1", "b2"]


def test_lockstep_is_what_gather_does() -> None:
    seen: list[str] = []

    async def body(name: str) -> None:
        for n in range(3):
            seen.append(f"{name}{n}")
            await asyncio.sleep(0)

    run(body, Lockstep())
    assert seen == ["a0", "b0", "a1", "b1", "a2", "b2"]


def test_time_is_virtual_and_moves_with_the_timers() -> None:
    times: list[float] = []

    async def body(name: str) -> None:
        loop = asyncio.get_running_loop()
        start = loop.time()
        await asyncio.sleep(3600)
        times.append(loop.time() - start)

    run(body, lanes=("a",))
    assert times == [3600]


def test_a_deadline_keeps_its_order_against_the_timers_of_its_own_lane() -> None:
    async def body(name: str) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.sleep(5), 1)
        await asyncio.wait_for(asyncio.sleep(1), 5)
        async with asyncio.timeout(3):
            await asyncio.sleep(2)

    run(body)


def test_a_deadline_does_not_fire_while_the_lane_waited_for_can_go_on() -> None:
    lock = asyncio.Lock()
    waited: list[str] = []

    async def body(name: str) -> None:
        async with asyncio.timeout(5):
            async with lock:
                await asyncio.sleep(4)
                waited.append(name)

    loop = run(body, Lockstep())
    assert waited == ["a", "b"]
    assert loop.stopped == ""


def test_the_latency_of_one_lane_does_not_use_up_the_deadline_of_another() -> None:
    async def body(name: str) -> None:
        async with asyncio.timeout(5):
            await asyncio.sleep(0)
            await asyncio.sleep(1)
        await asyncio.sleep(3600)

    assert run(body, Lockstep()).stopped == ""


def test_a_lane_blocked_by_another_is_no_choice_until_it_is_released() -> None:
    event = asyncio.Event()
    order: list[str] = []

    async def body(name: str) -> None:
        if name == "a":
            await event.wait()
        else:
            await asyncio.sleep(0)
            event.set()
        order.append(name)

    loop = run(body)
    assert order == ["b", "a"]
    assert [enabled for _, enabled, _ in loop.decisions][1] == ("b",)


def test_a_deadlock_stops_the_run() -> None:
    async def body(name: str) -> None:
        await asyncio.Event().wait()

    assert run(body).stopped == "deadlock"


def test_child_tasks_groups_and_gather_belong_to_their_lane() -> None:
    seen: list[str] = []

    async def child(name: str, n: int) -> str:
        await asyncio.sleep(0)
        seen.append(name)
        return f"{name}{n}"

    async def body(name: str) -> None:
        assert await asyncio.gather(child(name, 1), child(name, 2)) == [f"{name}1", f"{name}2"]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(child(name, n)) for n in range(2)]
        assert [task.result() for task in tasks] == [f"{name}0", f"{name}1"]
        assert {t.result() for t in (await asyncio.wait([asyncio.ensure_future(child(name, 9))]))[0]} == {f"{name}9"}

    loop = run(body)
    assert seen == ["a"] * 5 + ["b"] * 5
    assert {name for name, _, _ in loop.decisions} == {"a", "b"}


def test_a_worker_that_no_request_started_is_an_actor_of_its_own() -> None:
    queue: asyncio.Queue[tuple[str, asyncio.Future[str]]] = asyncio.Queue()

    async def drain() -> None:
        while True:
            name, answer = await queue.get()
            answer.set_result(f"done {name}")

    loop = ControlledLoop(("a", "b"))
    answers: list[str] = []

    def start(name: str) -> Callable[[], Coroutine[Any, Any, None]]:
        async def request() -> None:
            future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
            queue.put_nowait((name, future))
            answers.append(await future)
            loop.request_done(loop.lanes[name])

        return request

    async def startup() -> None:
        asyncio.create_task(drain(), name="drain")

    loop.run_alone(startup(), "startup")
    for name in ("a", "b"):
        loop.lanes[name].pending.append(start(name))
    loop.run_requests(Serial(("a", "b")))
    loop.close()
    assert answers == ["done a", "done b"]
    assert [name.rpartition(".")[2] for name, _, _ in loop.decisions] == ["drain", "a", "drain", "a", "b", "drain", "b"]


def test_a_heartbeat_does_not_run_for_ever() -> None:
    beats: list[int] = []

    async def heartbeat() -> None:
        while True:
            await asyncio.sleep(1)
            beats.append(1)

    async def body(name: str) -> None:
        asyncio.create_task(heartbeat())
        await asyncio.sleep(0)

    loop = run(body)
    assert loop.stopped == ""
    assert len(beats) < 100


def test_most_in_flight_is_kept() -> None:
    now, most = 0, 0

    async def body(name: str) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        now -= 1

    run(body, Lockstep(), ("a", "b", "c", "d"), 2)
    assert most == 2
    loop = run(body, Lockstep(), ("a", "b"), 1)
    assert not loop.overlapped


def test_each_request_starts_in_a_context_of_its_own() -> None:
    import contextvars

    var: contextvars.ContextVar[str] = contextvars.ContextVar("var", default="clean")
    seen: list[str] = []

    async def body(name: str) -> None:
        seen.append(var.get())
        var.set(name)
        await asyncio.sleep(0)
        seen.append(var.get())

    run(body)
    assert seen == ["clean", "a", "clean", "b"]


def test_a_thread_job_runs_in_a_real_thread_as_a_step_of_its_lane() -> None:
    import threading

    async def body(name: str) -> None:
        inside = await asyncio.to_thread(threading.get_ident)
        assert inside != threading.get_ident()
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(lambda: 1 / 0)

    loop = run(body)
    assert [name for name, _, _ in loop.decisions] == ["a"] * 5 + ["b"] * 5
    assert loop.escapes == []


@pytest.fixture
def lines_here() -> Iterator[None]:
    """The lines of this file are the user's, at which threads are suspended."""
    threads.user_files.append({__file__})
    threads.known_modules.clear()
    yield
    threads.user_files.pop()
    threads.known_modules.clear()


def three_lines(name: str, seen: list[str]) -> None:
    seen.append(f"{name}1")
    seen.append(f"{name}2")
    seen.append(f"{name}3")


@pytest.mark.usefixtures("lines_here")
@pytest.mark.parametrize(
    "strategy", [lambda: Serial("ab"), Lockstep, *(partial(RandomWalk, seed, {}) for seed in range(6))]
)
def test_a_thread_that_chooses_itself_decides_as_the_loop_would(strategy: Callable[[], Strategy]) -> None:
    def decided(watched: bool) -> tuple[list[str], list[tuple[str, tuple[str, ...], bool]], int, int]:
        seen: list[str] = []
        loop = ControlledLoop("ab")
        passed = 0

        async def request(name: str) -> None:
            await loop.in_thread(partial(three_lines, name, seen))
            loop.request_done(loop.lanes[name])

        def step(actor: Actor) -> Actor:
            nonlocal passed
            passed += 1
            return ControlledLoop.step(loop, actor)

        loop.step = step
        for name in "ab":
            loop.lanes[name].pending.append(partial(request, name))
        if watched:  # then each step is the loop's own
            loop.after_step = lambda actor: None
        loop.run_requests(strategy())
        loop.close()
        return seen, loop.decisions, loop.steps, passed

    *alone, passed = decided(watched=False)
    *watched, all_of_them = decided(watched=True)
    assert alone == watched
    assert len(alone[1]) == alone[2] == all_of_them
    switches = sum(one[0] != other[0] for one, other in pairwise(alone[1]))
    # The loop's own thread is needed where another lane comes next, and of those only where a request starts, its thread
    # gives the baton back for the first time, or one has ended.
    assert passed <= min(switches + 1, 5)


def test_the_network_is_refused_and_noted() -> None:
    async def body(name: str) -> None:
        with pytest.raises(ConnectionError, match="no network in a replay"):
            await asyncio.open_connection("llm.example", 443)

    assert run(body).escapes == ["network call to llm.example:443"]


def test_what_is_still_running_at_the_end_is_cancelled_and_cleans_up() -> None:
    cleaned: list[str] = []

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.append("up")

    async def body(name: str) -> None:
        asyncio.create_task(forever())
        await asyncio.sleep(0)

    run(body, lanes=("a",))
    assert cleaned == ["up"]


def test_a_run_that_is_interrupted_ends_before_its_next_step() -> None:
    seen: list[str] = []
    loops: list[ControlledLoop] = []

    async def body(name: str) -> None:
        for n in range(1_000):
            seen.append(f"{name}{n}")
            if seen == ["a0", "b0", "a1"]:
                loop = asyncio.get_running_loop()
                assert isinstance(loop, ControlledLoop)
                loops.append(loop)
                loop.interrupt()
            await asyncio.sleep(0)

    loop = run(body, Lockstep())
    assert loops == [loop]
    assert (seen, loop.stopped) == (["a0", "b0", "a1"], "interrupted")


def test_an_execution_that_is_over_leaves_nothing_to_the_garbage_collector() -> None:
    async def body(name: str) -> None:
        child = asyncio.create_task(asyncio.sleep(0))
        await asyncio.sleep(1)
        await child

    run(body, Lockstep())
    gc.collect()
    gc.disable()
    # What other tests have left, and their threads may let go only now, is not looked at.
    gc.freeze()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        run(body, Lockstep())
        gc.collect()
        assert [each for each in gc.garbage if _is_of_an_execution(each)] == []
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.unfreeze()
        gc.enable()


def _is_of_an_execution(thing: object) -> bool:
    return isinstance(thing, (ControlledLoop, asyncio.Future, asyncio.Handle, types.CoroutineType)) or type(
        thing
    ).__module__.startswith("crosslane.replay.schedule")
