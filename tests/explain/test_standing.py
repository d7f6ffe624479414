"""What a worker keeps in its local variables while it serves many requests is named by them, and not by its queue."""

from __future__ import annotations

import pytest

from ..conftest import Bench
from .test_in_libraries import asks

LIST = """
    import asyncio
    q = None
    async def worker():
        history = []
        while True:
            message, done = await q.get()
            OWN
            history.append(message)
            await asyncio.sleep(0)
            done.set_result(" ".join(history))
    async def handle(user, message):
        global q
        if q is None:
            q = asyncio.Queue()
            asyncio.create_task(worker())
        done = asyncio.get_running_loop().create_future()
        q.put_nowait((message, done))
        return await done
    """
SCALAR = """
    import asyncio
    class Desk:
        def __init__(self):
            self.queue, self.task = asyncio.Queue(), None
        async def run(self):
            await self.drain()
        async def drain(self):
            last = "nothing"
            while True:
                OWN
                message, done = await self.queue.get()
                before = last
                last = message
                done.set_result("before: " + before)
    desk = Desk()
    async def handle(user, message):
        desk.task = desk.task or asyncio.create_task(desk.run())
        done = asyncio.get_running_loop().create_future()
        desk.queue.put_nowait((message, done))
        return await done
    """
OBJECT = """
    import queue, threading
    jobs = queue.Queue()
    class Talk:
        def __init__(self): self.said = []
    def drain():
        talk = Talk()
        while True:
            message, answer, done = jobs.get()
            OWN
            talk.said.append(message)
            answer.append(" ".join(talk.said))
            done.set()
    at_work = []
    def handle(user, message):
        if not at_work:
            at_work.append(True)
            threading.Thread(target=drain, daemon=True).start()
        answer, done = [], threading.Event()
        jobs.put((message, answer, done))
        done.wait()
        return answer[0]
    """
STARTED = """
    import asyncio
    from contextlib import asynccontextmanager
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    async def drain(q):
        history = []
        while True:
            name, done = await q.get()
            OWN
            history.append(name)
            await asyncio.sleep(0)
            done.set_result(" ".join(history))

    @asynccontextmanager
    async def lifespan(app):
        app.state.q = asyncio.Queue()
        task = asyncio.create_task(drain(app.state.q))
        yield
        task.cancel()

    async def chat(request):
        done = asyncio.get_running_loop().create_future()
        await request.app.state.q.put((request.query_params["name"], done))
        return PlainTextResponse("hi " + await done)

    app = Starlette(routes=[Route("/chat", chat)], lifespan=lifespan)
    """
CASES = pytest.mark.parametrize(
    ("source", "handler", "own", "name", "kind", "lines"),
    [
        (
            LIST,
            "agent.py:handle",
            "history = []",
            "worker.history",
            "task",
            ("agent.py:5", "agent.py:9", "agent.py:11"),
        ),
        (
            SCALAR,
            "agent.py:handle",
            'last = "nothing"',
            "Desk.drain.last",
            "task",
            ("agent.py:9", "agent.py:14", "agent.py:13"),
        ),
        (
            OBJECT,
            "agent.py:handle",
            "talk = Talk()",
            "drain.talk",
            "thread",
            ("agent.py:7", "agent.py:11", "agent.py:12"),
        ),
        (
            STARTED,
            "agent.py:app",
            "history = []",
            "drain.history",
            "task",
            ("agent.py:9", "agent.py:13", "agent.py:15"),
        ),
    ],
    ids=["a list", "a name that is bound anew, below another coroutine", "an object, on a thread", "at start-up"],
)


@CASES
async def test_a_local_variable_of_a_worker_is_named_with_its_lines(
    bench: Bench, source: str, handler: str, own: str, name: str, kind: str, lines: tuple[str, str, str]
) -> None:
    if handler.endswith("app"):
        pytest.importorskip("starlette")
    exchanges = {"exchanges": asks("alice", "bob")} if handler.endswith("app") else {}
    result = await bench.run(source.replace("OWN", "pass"), handler=handler, switches=0, **exchanges)
    crossing = result.report.crossings[0]
    assert crossing.carrier is not None, crossing.explained
    assert crossing.write is not None
    assert crossing.read is not None
    assert (crossing.carrier.name, crossing.carrier.kind) == (name, f"local variable of a {kind}")
    assert (crossing.carrier.defined_at, crossing.write.at, crossing.read.at) == lines
    assert result.findings[0].fixed_run is not None
    assert "keyed by session id" in crossing.fix

    fixed = await bench.run(source.replace("OWN", own), handler=handler, switches=0, **exchanges)
    assert not fixed.report.crossings


async def test_a_context_that_a_worker_has_inherited_is_what_carried_it_and_not_the_queue(bench: Bench) -> None:
    source = """
        import asyncio, contextvars
        current = contextvars.ContextVar("current")
        class Desk:
            def __init__(self):
                self.queue, self.task = asyncio.Queue(), None
            async def drain(self):
                while True:
                    done = await self.queue.get()
                    await asyncio.sleep(0)
                    done.set_result(current.get())
        desk = Desk()
        async def handle(user, message):
            current.set(message)
            desk.task = desk.task or asyncio.create_task(desk.drain())
            done = asyncio.get_running_loop().create_future()
            desk.queue.put_nowait(done)
            return await done
        """
    result = await bench.run(source, switches=0)
    crossing = result.report.crossings[0]
    assert crossing.carrier is not None
    assert (crossing.carrier.name, crossing.carrier.kind) == ("agent.current", "leaked context")
    assert "a task that alice started at agent.py:15 keeps the context" in (crossing.explained or "")


async def test_what_is_put_into_a_queue_and_taken_by_another_is_shown_at_both_lines(bench: Bench) -> None:
    source = """
        import queue, time
        shared = queue.Queue()
        def handle(user, message):
            own = OWN
            own.put(message)
            time.sleep(0.01)
            return own.get()
        """
    result = await bench.run(source.replace("OWN", "shared"), switches=1, most_executions=60)
    crossing = result.report.crossings[0]
    assert crossing.carrier is not None
    assert crossing.carrier.name == "agent.shared.queue"
    assert crossing.write is not None
    assert crossing.read is not None
    assert (crossing.write.code, crossing.read.code) == ("own.put(message)", "return own.get()")
    fixed = await bench.run(source.replace("OWN", "queue.Queue()"), switches=1, most_executions=60)
    assert fixed.report.verdict == "clean", fixed.report.reason
