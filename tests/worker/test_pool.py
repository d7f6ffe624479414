"""Several worker processes search together: with the same result as one, and whatever happens to one of them."""

from __future__ import annotations

import asyncio
import pickle
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

import pytest
from crosslane.replay.errors import CrosslaneError
from crosslane.replay.report import Result
from crosslane.replay.worker import pool
from crosslane.replay.worker.client import WorkerOptions
from crosslane.replay.worker.job import Job, Progress
from crosslane.replay.worker.pool import Pool

from ..conftest import TWO_USERS, Bench

LATE = """
    import asyncio, os
    seen = {"who": ""}
    first = not os.path.exists("led")  # whether this process leads
    open("led", "a").close()
    if not first:
        open("shared", "a").close()
    async def handle(user, message):
        said = ""
        BEGIN
        for n in range(8):
            if n == 3:
                seen["who"] = message
            if n == 5:
                seen["who"] = ""
            if n == 6:
                said = seen["who"]
            await asyncio.sleep(0)
        return f"{user} said {message} {said}"
"""


async def run(bench: Bench, jobs: int, begin: str = "pass", **options: Any) -> Result:
    for name in ("led", "shared"):
        (bench.folder / name).unlink(missing_ok=True)
    bench.write(LATE.replace("BEGIN", begin))
    executor = options.pop("executor", None)
    options = {"alone_s": 0, "faults": False, **options}
    job = Job("check", "t.jsonl", TWO_USERS, "agent.py:handle", **options)
    async with Pool(WorkerOptions(cwd=bench.folder), jobs, executor) as workers:
        return await workers.run(job)


def told(result: Result) -> Any:
    data = result.report.to_json()
    for crossing in data["crossings"]:
        del crossing["found_after"]
    return [data[name] for name in ("verdict", "crossings", "warnings")]


async def test_two_processes_find_what_one_finds(bench: Bench) -> None:
    alone = await run(bench, 1)
    assert not (bench.folder / "shared").exists()
    shared = await run(bench, 2)
    assert (bench.folder / "shared").exists()
    assert told(shared) == told(alone)
    assert alone.report.verdict == "contaminated"


async def test_a_search_that_is_over_at_once_starts_no_other_process(bench: Bench) -> None:
    result = await run(bench, 2, alone_s=60.0)
    assert result.report.verdict == "contaminated"
    assert not (bench.folder / "shared").exists()


class Elsewhere(Executor):
    """Stands for an engine that runs calls on other machines: they, and what they return, are pickled."""

    def __init__(self) -> None:
        self.calls = 0
        self._threads = ThreadPoolExecutor(2)

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.calls += 1
        sent = pickle.dumps((fn, args, kwargs))

        def call() -> Any:
            function, positional, named = pickle.loads(sent)
            return pickle.loads(pickle.dumps(function(*positional, **named)))

        return self._threads.submit(call)


async def test_any_executor_can_take_the_place_of_the_processes(bench: Bench) -> None:
    executor = Elsewhere()
    shared = await run(bench, 3, executor=executor)
    assert executor.calls >= 2
    assert told(shared) == told(await run(bench, 1))


async def test_an_executor_that_fails_is_said_in_the_verdict(bench: Bench) -> None:
    class Broken(Executor):
        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
            future: Future[Any] = Future()
            future.set_exception(ConnectionError("the cluster is gone"))
            return future

    result = await run(bench, 2, executor=Broken())
    assert result.report.verdict == "contaminated"
    assert any("the cluster is gone" in warning for warning in result.report.warnings)


CLEAN = "seen = {'who': ''}"


async def test_a_clean_part_is_not_the_whole_when_another_process_died(bench: Bench) -> None:
    result = await run(bench, 2, f"{CLEAN}; first or os._exit(9)")
    assert result.report.verdict == "inconclusive"
    assert "a part of the search is missing" in result.report.reason
    assert "exit status 9" in result.report.reason
    assert result.report.coverage.exhaustive_to_switches is None


async def test_what_one_process_found_is_not_lost_with_another(bench: Bench) -> None:
    result = await run(bench, 2, "first or os._exit(9)")
    assert result.report.verdict == "contaminated"
    assert any("exit status 9" in warning for warning in result.report.warnings)


async def test_what_the_others_found_is_not_lost_with_the_one_that_leads(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    reported = pool._reported

    async def reporting(*arguments: Any) -> dict[str, Any]:
        answer = await reported(*arguments)
        (bench.folder / "searched").touch()
        return answer

    monkeypatch.setattr(pool, "_reported", reporting)
    result = await run(bench, 2, "first and os.path.exists('searched') and os._exit(9)")
    assert result.report.verdict == "contaminated"
    assert any("exit status 9" in warning for warning in result.report.warnings)


async def test_a_handler_that_kills_every_process_is_an_error(bench: Bench) -> None:
    with pytest.raises(CrosslaneError, match="exit status 9"):
        await run(bench, 2, "os._exit(9)")


ENDLESS = """
    import asyncio
    latest = ""
    async def handle(user, message):
        global latest
        for n in range(400):
            if n == 399:
                latest = message
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        return f"{user} {latest}"
"""


async def test_cancelling_reaches_every_process_and_keeps_what_was_found(bench: Bench) -> None:
    bench.write(ENDLESS)
    job = Job("check", "t.jsonl", TWO_USERS, "agent.py:handle", alone_s=0, budget_s=600)
    seen: list[Progress] = []
    async with Pool(WorkerOptions(cwd=bench.folder), 2) as pool:

        def heard(progress: Progress) -> None:
            seen.append(progress)
            scouts = pool._progress.get(1)
            if scouts is not None and scouts.covered and not pool._cancelled:
                cancelling.append(asyncio.ensure_future(pool.cancel()))

        cancelling: list[asyncio.Future[None]] = []
        result = await pool.run(job, heard)
    assert cancelling
    assert result.report.verdict == "contaminated"
    assert "until interrupted" in result.report.coverage.statement
    assert seen[-1].executions <= result.report.executions
