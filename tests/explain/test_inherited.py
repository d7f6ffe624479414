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


PARTS = """
    import asyncio, contextvars, queue, threading
    from concurrent.futures import ThreadPoolExecutor
    current = contextvars.ContextVar("current", default="")
    """
BY_EVENT = """
    wake = worker = None
    waiting = {}
    async def work():
        while True:
            await wake.wait()
            wake.clear()
            while waiting:
                _, done = waiting.popitem()
                done.set_result(f"done for {current.get()}")
    async def handle(user, message):
        global wake, worker
        current.set(message)
        if worker is None:
            wake = asyncio.Event()
            worker = asyncio.create_task(work(), context=CONTEXT)
        waiting[user] = asyncio.get_running_loop().create_future()
        wake.set()
        return await waiting[user]
    """
REFRESHED = """
    latest, refresher = {}, None
    async def refresh():
        while True:
            for user in latest:
                latest[user] = latest[user] or f"done for {current.get()}"
            await asyncio.sleep(1)
    async def handle(user, message):
        global refresher
        current.set(message)
        latest[user] = ""
        if refresher is None:
            refresher = asyncio.create_task(refresh(), context=CONTEXT)
        await asyncio.sleep(2)
        return latest[user]
    """
BATCH = """
    items = []
    def flush():
        for done, text in items:
            done.set_result(f"done for {current.get()}, {len(text)}")
        items.clear()
    async def handle(user, message):
        current.set(message)
        items.append((asyncio.get_running_loop().create_future(), message))
        done = items[-1][0]
        if len(items) == 1:
            asyncio.get_running_loop().call_later(1, flush, context=CONTEXT)
        return await done
    """
THREAD = """
    jobs, thread = queue.Queue(), None
    def work():
        while True:
            loop, done = jobs.get()
            name = current.get()
            loop.call_soon_threadsafe(done.set_result, f"done for {name}")
    async def handle(user, message):
        global thread
        current.set(message)
        if thread is None:
            thread = threading.Thread(target=CONTEXT.run, args=(work,), daemon=True)
            thread.start()
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        jobs.put((loop, done))
        return await done
    """
POOL = """
    pool = ThreadPoolExecutor(1)
    def answer(message):
        name = current.get() or message
        current.set(message)
        return f"done for {name}"
    async def handle(user, message):
        return await asyncio.get_running_loop().run_in_executor(pool, RUN, message)
    """


@pytest.mark.parametrize(
    ("leaking", "fixed", "read", "how"),
    [
        (
            BY_EVENT.replace("CONTEXT", "None"),
            BY_EVENT.replace("CONTEXT", "contextvars.Context()"),
            'done.set_result(f"done for {current.get()}")',
            "a task that alice started at agent.py:20 keeps the context",
        ),
        (
            REFRESHED.replace("CONTEXT", "None"),
            REFRESHED.replace("CONTEXT", "contextvars.Context()"),
            'latest[user] = latest[user] or f"done for {current.get()}"',
            "a task that alice started at agent.py:17 keeps the context",
        ),
        (
            BATCH.replace("CONTEXT", "None"),
            BATCH.replace("CONTEXT", "contextvars.Context()"),
            'done.set_result(f"done for {current.get()}, {len(text)}")',
            "a callback that alice arranged at agent.py:16 keeps the context",
        ),
        (
            THREAD.replace("CONTEXT", "contextvars.copy_context()"),
            THREAD.replace("CONTEXT", "contextvars.Context()"),
            "name = current.get()",
            "a thread that worked for alice keeps the context",
        ),
        (
            POOL.replace("RUN", "answer"),
            POOL.replace("RUN", "contextvars.copy_context().run, answer"),
            "name = current.get() or message",
            "a thread that worked for alice keeps the context",
        ),
    ],
    ids=["woken by an event", "every so often", "a callback", "a thread", "a thread of a pool"],
)
async def test_what_works_for_all_in_the_context_of_one_is_named_whatever_it_is(
    bench: Bench, leaking: str, fixed: str, read: str, how: str
) -> None:
    report = (await bench.run(PARTS + leaking, faults=False, switches=1, most_executions=300)).report
    crossing = report.crossings[0]
    assert crossing.carrier is not None, crossing.explained
    assert crossing.write is not None
    assert crossing.read is not None
    assert (crossing.carrier.name, crossing.carrier.kind) == ("agent.current", "leaked context")
    assert (crossing.write.lane, crossing.write.code) == ("alice", "current.set(message)")
    assert (crossing.read.lane, crossing.read.code) == ("bob", read)
    assert how in crossing.explained
    clean = (await bench.run(PARTS + fixed, faults=False, switches=1, most_executions=300)).report
    assert clean.verdict == "clean", clean.reason


async def test_a_variable_that_is_set_to_what_the_same_line_makes_has_its_line(bench: Bench) -> None:
    made = BY_EVENT.replace("CONTEXT", "None").replace("current.set(message)", "current.set(Asked(message))")
    asked = """
    class Asked:
        def __init__(self, text):
            self.text = text
    """
    source = PARTS + asked + made.replace("{current.get()}", "{current.get().text}")
    report = (await bench.run(source, faults=False, switches=1, most_executions=100)).report
    first = report.crossings[0]
    assert first.carrier is not None, first.explained
    assert first.carrier.name == "agent.current"
    assert first.write is not None
    assert first.read is not None
    assert first.write.code == "current.set(Asked(message))"
    assert first.read.code == 'done.set_result(f"done for {current.get().text}")'


async def test_a_global_that_a_task_sets_from_its_context_is_the_carrier(bench: Bench) -> None:
    setting = """
    last = None
    async def note():
        global last
        await asyncio.sleep(1)
        last = current.get()
    async def handle(user, message):
        current.set(message)
        task = asyncio.create_task(note())
        WAIT
        await asyncio.sleep(2)
        return last
    """
    for wait in ("await task", "pass"):
        report = (await bench.run(PARTS + setting.replace("WAIT", wait), faults=False, most_executions=300)).report
        first = report.crossings[0]
        assert first.carrier is not None, first.explained
        assert (first.carrier.name, first.write and first.write.code) == ("agent.last", "last = current.get()")
        assert first.read is not None
        assert first.read.code == "return last"


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
