"""A search that is paused executes nothing, costs none of its budget, and can be let go on or stopped."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from crosslane.replay import pause, pursuit
from crosslane.replay.pause import Pause
from crosslane.replay.pursuit import Pursuit
from crosslane.replay.worker.client import Worker, WorkerOptions
from crosslane.replay.worker.job import Job, Progress
from crosslane.replay.worker.pool import Pool

from .conftest import TWO_USERS, Bench

ENDLESS = """
    import asyncio
    names = []
    async def handle(user, message):
        names.append(message)
        for _ in range(200):
            await asyncio.sleep(0)
        return list(names)
"""


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(pause, "_clock", clock)
    monkeypatch.setattr(pursuit, "_REAL_CLOCK", clock)
    return clock


def test_what_was_waited_is_no_part_of_the_elapsed_time(clock: Clock) -> None:
    paused = Pause()
    at_work = Pursuit(SimpleNamespace(pause=paused), Job("check", "t", (), "h"), print, started=clock.now)  # type: ignore[arg-type]
    clock.now += 3
    paused.begin()
    clock.now += 500
    assert at_work.elapsed_s == 3, "while it lasts"
    paused.end()
    clock.now += 2
    paused.begin()
    clock.now += 70
    paused.end()
    assert at_work.elapsed_s == 5


def test_a_pause_that_outlasts_a_job_counts_anew_for_the_next(clock: Clock) -> None:
    paused = Pause()
    paused.begin()
    clock.now += 10
    paused.new_job()
    clock.now += 4
    assert paused.paused_s == 4
    paused.end()
    paused.end()
    assert paused.paused_s == 4


def test_asking_twice_for_a_pause_is_one_pause(clock: Clock) -> None:
    paused = Pause()
    paused.begin()
    clock.now += 10
    paused.begin()
    assert paused.paused_s == 10
    paused.end()
    assert not paused.asked


def test_who_waits_says_so_and_goes_on_when_the_pause_ends_or_the_job_is_to_stop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    paused, told, looks = Pause(), [], []
    paused.told = told.append
    monkeypatch.setattr(pause, "_sleep", lambda _: paused.end() if len(looks) == 2 else looks.append(1))
    paused.wait(lambda: False)
    assert told == [], "without a pause there is nothing to wait for"
    paused.begin()
    paused.wait(lambda: False)
    assert told == [True, False]
    paused.begin()
    paused.wait(lambda: len(told) == 3)
    assert told == [True, False, True, False]
    assert paused.asked


async def follow_paused(runner: Worker | Pool, stop: bool, before: bool = False) -> tuple[Any, list[Progress]]:
    """Pause a search once something was found (or at once), then stop it there or after it has gone on."""
    heard: list[Progress] = []
    tasks: list[asyncio.Future[None]] = []
    state = "pausing" if before else "running"

    def on_progress(progress: Progress) -> None:
        nonlocal state
        heard.append(progress)
        if state == "running" and progress.findings:
            state = "pausing"
            tasks.append(asyncio.ensure_future(runner.pause()))
        elif state == "pausing" and progress.paused:
            state = "stopping" if stop else "going on"
            tasks.append(asyncio.ensure_future(runner.cancel() if stop else runner.go_on()))
        elif state == "going on" and not progress.paused and progress.executions > heard[-2].executions:
            state = "stopping"
            tasks.append(asyncio.ensure_future(runner.cancel()))

    job = Job("check", "t.jsonl", TWO_USERS, "agent.py:handle", budget_s=600, alone_s=0)
    running = asyncio.ensure_future(runner.run(job, on_progress))
    if before:
        await asyncio.sleep(0)
        await runner.pause()
    result = await running
    assert state == "stopping"
    return result, heard


@pytest.mark.parametrize("stop", [True, False])
@pytest.mark.parametrize("kind", [Worker, lambda options: Pool(options, 2)])
async def test_a_paused_search_can_be_stopped_or_go_on(bench: Bench, stop: bool, kind: Any) -> None:
    bench.write(ENDLESS)
    async with kind(WorkerOptions(cwd=bench.folder)) as runner:
        result, heard = await follow_paused(runner, stop)
    assert result.report.verdict == "contaminated"
    assert "until interrupted" in result.report.coverage.statement
    assert any(progress.paused for progress in heard)
    assert "bob saw data of alice" in heard[-1].found or "alice saw data of bob" in heard[-1].found


async def test_a_pause_that_is_asked_for_before_the_process_listens_is_not_lost(bench: Bench) -> None:
    bench.write(ENDLESS)
    async with Worker(WorkerOptions(cwd=bench.folder)) as worker:
        _, heard = await follow_paused(worker, stop=False, before=True)
    first = next(progress for progress in heard if progress.paused)
    assert first.executions == 0


async def test_the_next_job_does_not_begin_paused(bench: Bench) -> None:
    bench.write("async def handle(user, message):\n    return message\n")
    async with Pool(WorkerOptions(cwd=bench.folder), 1) as pool:
        await pool.pause()
        result = await pool.run(Job("check", "t.jsonl", TWO_USERS, "agent.py:handle"))
    assert result.report.executions > 0
