"""What a library works out of the program's code is there when the first request comes."""

from __future__ import annotations

import pytest
from crosslane.replay.trace.model import Exchange, Request

from ..conftest import Bench

POSTS = tuple(
    Exchange(Request(f"r{n}", f"s{n}", user, n, None, {"path": "/chat", "json": {"text": user}}, n))
    for n, user in enumerate(("alice", "bob"), 1)
)


async def test_no_execution_reads_the_source_of_an_endpoint_again(bench: Bench) -> None:
    pytest.importorskip("fastapi")
    result = await bench.run(
        """
        import inspect
        from contextlib import asynccontextmanager
        from fastapi import FastAPI

        read = []
        known = inspect.getsourcelines

        def told(thing):
            read.append(thing.__name__)
            return known(thing)

        inspect.getsourcelines = told
        read_before = []

        @asynccontextmanager
        async def lifespan(app):
            read_before[:] = read
            read.clear()
            yield

        inner = FastAPI(lifespan=lifespan)

        @inner.post("/chat")
        async def chat(body: dict):
            return {"before": read_before, "now": read}

        async def app(scope, receive, send):
            await inner(scope, receive, send)
        """,
        POSTS,
        "agent.py:app",
        "replay",
    )
    assert [outcome.body for outcome in result.run.outcomes] == [{"before": ["chat"], "now": []}] * 2


async def test_threads_of_a_library_are_the_loops_in_every_execution(bench: Bench) -> None:
    pytest.importorskip("fastapi")
    report = (
        await bench.run(
            """
            from fastapi import FastAPI
            app = FastAPI()

            @app.post("/chat")
            def chat(body: dict):
                text = body["text"]
                return {"text": text}
            """,
            POSTS,
            "agent.py:app",
            faults=False,
            variants=False,
        )
    ).report
    assert report.verdict == "clean"
    assert report.executions > 4
    assert not report.coverage.uncontrolled
