"""A worker that a request has started keeps that request's context: the variable is named, not what leads to it."""

from __future__ import annotations

import pytest

from ..conftest import Bench

WORKER = """
    import asyncio, contextvars
    current = contextvars.ContextVar("current"DEFAULT)
    queue = worker = last = None
    async def work():
        while True:
            text, done = await queue.get()
            done.set_result(f"{ASKED}: {len(text)}")
    async def handle(user, message):
        global queue, worker, last
        last = last or message
        current.set(SET)
        if worker is None:
            queue = asyncio.Queue()
            worker = asyncio.create_task(work()CONTEXT)
        done = asyncio.get_running_loop().create_future()
        await queue.put((message, done))
        return await done
    """


def source(asked: str, default: str = ', default=""', value: str = "message", context: str = "") -> str:
    made = WORKER.replace("DEFAULT", default).replace("ASKED", asked).replace("SET", value)
    return made.replace("CONTEXT", context)


@pytest.mark.parametrize(
    ("asked", "default", "value"),
    [
        ("current.get()", ', default=""', "message"),
        ("current.get()", "", "message"),
        ("current.get()['text']", "", "{'text': message}"),
    ],
    ids=["with a default", "without", "an object"],
)
async def test_a_variable_that_a_worker_has_inherited_is_the_carrier(
    bench: Bench, asked: str, default: str, value: str
) -> None:
    report = (await bench.run(source(asked, default, value), faults=False)).report
    assert report.verdict == "contaminated", report.reason
    (crossing,) = report.crossings
    carrier, write, read = crossing.carrier, crossing.write, crossing.read
    assert carrier is not None
    assert write is not None
    assert read is not None
    assert (carrier.name, carrier.kind, carrier.defined_at) == ("agent.current", "leaked context", "agent.py:3")
    assert (write.lane, write.code) == ("alice", f"current.set({value})")
    assert (read.lane, read.code) == ("bob", f'done.set_result(f"{{{asked}}}: {{len(text)}}")')
    assert "a task that alice started at agent.py:15 keeps the context" in crossing.explained
    assert "contextvars.Context()" in crossing.fix


async def test_what_a_worker_reads_from_somewhere_else_is_no_matter_of_its_context(bench: Bench) -> None:
    report = (await bench.run(source("last"), faults=False)).report
    assert report.verdict == "contaminated", report.reason
    carriers = [crossing.carrier and (crossing.carrier.name, crossing.carrier.kind) for crossing in report.crossings]
    assert carriers == [("agent.last", "module global")]


async def test_a_worker_that_starts_with_an_empty_context_is_clean(bench: Bench) -> None:
    fixed = source("current.get()", context=", context=contextvars.Context()")
    # Who starts it still decides what there is, but not whose values it has.
    report = (await bench.run(fixed.replace("last = last or message", "pass"), faults=False)).report
    assert report.verdict == "clean", report.reason
