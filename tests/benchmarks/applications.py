"""Executions per second of unmodified applications, fresh state and detection on, beside the same requests made plainly.

    python tests/benchmarks/applications.py

FastAPI and aiohttp switch at awaits, Flask at lines. The baseline is what a hand-written test does in the same time: for
FastAPI two ASGI calls in a `gather`, for Flask two threads with a test client. One round of about three seconds each.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import textwrap
import threading
import time
from pathlib import Path

from crosslane.replay.trace.model import Exchange, Request
from crosslane.replay.worker.client import Worker, WorkerOptions
from crosslane.replay.worker.job import Job

APPLICATIONS = {
    "fastapi": """
        import asyncio
        from fastapi import FastAPI
        app = FastAPI()
        @app.post("/chat")
        async def chat(body: dict):
            for _ in range(6):
                await asyncio.sleep(0)
            return {"reply": body["text"]}
        """,
    "aiohttp": """
        import asyncio
        from aiohttp import web
        async def chat(request):
            body = await request.json()
            for _ in range(6):
                await asyncio.sleep(0)
            return web.json_response({"reply": body["text"]})
        app = web.Application()
        app.add_routes([web.post("/chat", chat)])
        """,
    "flask": """
        from flask import Flask, jsonify, request
        app = Flask(__name__)
        @app.post("/chat")
        def chat():
            text = request.get_json()["text"]
            words = text.split()
            count = len(words)
            first = words[0]
            last = words[-1]
            return jsonify(reply=text, count=count, first=first, last=last)
        """,
}
EXCHANGES = tuple(
    Exchange(
        Request(f"r{n}", f"s{n}", name, n, None, {"path": "/chat", "json": {"text": f"my code is {name}-{n}441"}}, n)
    )
    for n, name in enumerate(("alice", "bob"), 1)
)


async def executions(name: str, folder: Path) -> float:
    async with Worker(WorkerOptions(cwd=folder)) as worker:
        job = Job(
            "check", name, EXCHANGES, f"{name}_app.py:app", faults=False, variants=False, budget_s=3.0, switches=50
        )
        report = (await worker.run(job)).report
    return report.executions / report.elapsed_s


def plainly(name: str, folder: Path) -> float | None:
    sys.path.insert(0, str(folder))
    app = __import__(f"{name}_app").app
    if name == "flask":

        def once() -> None:
            def post() -> None:
                app.test_client().post("/chat", json={"text": "my code is 1441"})

            threads = [threading.Thread(target=post) for _ in EXCHANGES]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    elif name == "fastapi":
        loop = asyncio.new_event_loop()
        body = b'{"text": "my code is 1441"}'
        scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "path": "/chat",
                 "raw_path": b"/chat", "query_string": b"", "headers": [(b"content-type", b"application/json")]}  # fmt: skip

        async def call() -> None:
            async def receive() -> dict[str, object]:
                return {"type": "http.request", "body": body, "more_body": False}

            async def send(message: object) -> None: ...

            await app(dict(scope), receive, send)

        async def both() -> None:
            await asyncio.gather(call(), call())

        def once() -> None:
            loop.run_until_complete(both())
    else:
        return None
    once()
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < 3.0:
        once()
        count += 1
    return count / (time.perf_counter() - start)


def main() -> None:
    print(f"Python {sys.version.split()[0]}, two users\n{'':>10} {'executions/s':>13} {'plain/s':>9} {'ratio':>6}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for application, source in APPLICATIONS.items():
            (folder / f"{application}_app.py").write_text(textwrap.dedent(source))
            rate = asyncio.run(executions(application, folder))
            plain = plainly(application, folder)
            beside = f"{plain:>9,.0f} {rate / plain:>6.2f}" if plain else f"{'-':>9}"
            print(f"{application:>10} {rate:>13,.0f} {beside}")


if __name__ == "__main__":
    main()
