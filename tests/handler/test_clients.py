"""The client as applications meet it: it sends a websocket's messages whether they are answered or not, stays for what
another task has to say, and is gone only when it is."""

from __future__ import annotations

from typing import Any

import pytest
from crosslane.replay.handler.http import http_request
from crosslane.replay.trace.model import Exchange, Request

from ..conftest import Bench

SAID = (("alice", "my code is ZX-4411"), ("bob", "my code is QW-9922"))


def asked(**request: Any) -> tuple[Exchange, ...]:
    """A request of each user; the text goes in where the request says TEXT."""
    return tuple(
        Exchange(Request(f"r{n}", f"s{n}", user, n, None, _with(request, text), n))
        for n, (user, text) in enumerate(SAID, 1)
    )


def _with(request: dict[str, Any], text: str) -> dict[str, Any]:
    return {
        **request,
        **({"messages": [text if m == "TEXT" else m for m in request["messages"]]} if "messages" in request else {}),
        **({"json": {"text": text}} if "json" in request else {}),
    }


POLLING = """
    import asyncio
    from starlette.applications import Starlette
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    class Connection:
        def __init__(self):
            self.replies = []
        async def ask(self, text):
            self.replies.append("answer to " + text)
            await asyncio.sleep(0.002)
            return self.replies.pop(0)

    pool = [Connection()]
    free = asyncio.Semaphore(1)

    async def chat(request):
        text = (await request.json())["text"]
        async with free:
            connection = pool[0]
            asking = asyncio.create_task(connection.ask(text))
            while not asking.done():
                if await request.is_disconnected():
                    asking.cancel()
                    {clean}
                    return JSONResponse({{}})
                await asyncio.sleep(0.001)
            return JSONResponse({{"reply": asking.result()}})

    app = Starlette(routes=[Route("/chat", chat, methods=["POST"])])
    """


@pytest.mark.parametrize(("clean", "verdict"), [("pass", "contaminated"), ("connection.replies.clear()", "clean")])
async def test_who_asks_whether_the_client_is_still_there_is_answered_and_still_has_one(
    bench: Bench, clean: str, verdict: str
) -> None:
    trace = asked(path="/chat", json=True)
    result = await bench.run(POLLING.format(clean=clean), trace, "agent.py:app", switches=1, variants=False)
    assert result.solo["alice"].outcomes[0].body == {"reply": "answer to my code is ZX-4411"}
    assert result.report.verdict == verdict, result.report.reason
    assert {crossing.needs.cls for crossing in result.report.crossings} <= {"cancellation"}


LEFT = """
    import asyncio
    from starlette.applications import Starlette
    from starlette.responses import StreamingResponse
    from starlette.routing import Route, WebSocketRoute

    backlog = []
    one = asyncio.Semaphore(1)

    async def words(text):
        async with one:
            try:
                backlog.extend(text.split())
                while backlog:
                    yield backlog.pop(0) + " "
                    await asyncio.sleep(0.01)
            finally:
                {clean}

    async def chat(request):
        return StreamingResponse(words((await request.json())["text"]))

    async def talk(socket):
        await socket.accept()
        text = await socket.receive_text()
        answer = words(text)
        try:
            async for word in answer:
                await socket.send_text(word)
        finally:
            await answer.aclose()

    app = Starlette(routes=[Route("/chat", chat, methods=["POST"]), WebSocketRoute("/talk", talk)])
    """


@pytest.mark.parametrize(("clean", "verdict"), [("pass", "contaminated"), ("backlog.clear()", "clean")])
@pytest.mark.parametrize(
    "request_of",
    [{"path": "/chat", "json": True}, {"path": "/talk", "method": "GET", "messages": ["TEXT"]}],
    ids=["a stream", "a websocket"],
)
async def test_a_client_that_leaves_amid_its_answer_ends_it_there(
    bench: Bench, request_of: dict[str, Any], clean: str, verdict: str
) -> None:
    trace = asked(**request_of)
    result = await bench.run(LEFT.format(clean=clean), trace, "agent.py:app", switches=0, variants=False)
    assert result.report.verdict == verdict, result.report.reason
    assert {crossing.needs.cls for crossing in result.report.crossings} <= {"cancellation"}


async def test_an_application_that_returns_without_an_answer_fails(bench: Bench) -> None:
    source = """
        async def app(scope, receive, send):
            if scope["type"] == "http":
                await receive()
        """
    result = await bench.run(source, asked(path="/chat", json=True), "agent.py:app", switches=0, variants=False)
    assert result.report.verdict == "inconclusive"
    assert "returned without an answer" in result.report.reason


STARLETTE_TALK = """
    import asyncio
    from starlette.applications import Starlette
    from starlette.routing import WebSocketRoute

    async def talk(socket):
        await socket.accept()
        await serve(socket.send_text, socket.iter_text())

    app = Starlette(routes=[WebSocketRoute("/talk", talk)])
    """
AIOHTTP_TALK = """
    import asyncio
    from aiohttp import web

    async def texts(socket):
        async for message in socket:
            yield message.data

    async def talk(request):
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await serve(socket.send_str, texts(socket))
        return socket

    app = web.Application()
    app.router.add_get("/talk", talk)
    """
UNANSWERED = """
    rooms = {}
    async def serve(send, texts):
        mine = ROOM
        async for text in texts:
            if text == "history?":
                await send(" | ".join(mine))
            else:
                mine.append(text)
                await asyncio.sleep(0)
    """
ANSWERED_LATER = """
    async def serve(send, texts):
        mine = ROOM
        heard = asyncio.Queue()
        async def answer():
            while True:
                mine.append(await heard.get())
                await asyncio.sleep(2)
                await send(" | ".join(mine))
        answering = asyncio.create_task(answer())
        try:
            async for text in texts:
                heard.put_nowait(text)
        finally:
            answering.cancel()
    """


@pytest.mark.parametrize("server", [STARLETTE_TALK, AIOHTTP_TALK], ids=["starlette", "aiohttp"])
@pytest.mark.parametrize(
    ("serve", "messages", "answers"),
    [
        (UNANSWERED, ["TEXT", "history?"], ["my code is ZX-4411"]),
        (ANSWERED_LATER, ["TEXT"], ["my code is ZX-4411"]),
    ],
    ids=["no answer to a message", "an answer by another task"],
)
async def test_a_websocket_need_not_answer_each_message_when_it_reads_it(
    bench: Bench, server: str, serve: str, messages: list[str], answers: list[str]
) -> None:
    trace = asked(path="/talk", method="GET", messages=messages)
    shared = server + serve.replace("mine = ROOM", "mine = shared") + "\n    shared = []\n"
    leaking = await bench.run(
        shared, trace, "agent.py:app", switches=1, faults=False, variants=False, most_executions=60
    )
    assert leaking.report.verdict == "contaminated", leaking.report.reason
    assert leaking.solo["alice"].outcomes[0].body == answers
    private = server + serve.replace("ROOM", "[]")
    clean = await bench.run(
        private, trace, "agent.py:app", switches=1, faults=False, variants=False, most_executions=60
    )
    assert clean.report.verdict == "clean", clean.report.reason


THREADS = """
    import anyio, anyio.from_thread, anyio.to_thread
    from starlette.applications import Starlette
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    current = {{}}
    one = anyio.CapacityLimiter(1)

    async def keep(text):
        await anyio.sleep(0.01)
        current["text"] = text

    def work(text):
        anyio.from_thread.run(keep, text)
        anyio.from_thread.check_cancelled()
        return current["text"]

    async def chat(request):
        text = (await request.json())["text"]
        return JSONResponse(await anyio.to_thread.run_sync(work, text, limiter={limiter}))

    app = Starlette(routes=[Route("/chat", chat, methods=["POST"])])
    """


@pytest.mark.parametrize(("limiter", "verdict"), [("None", "contaminated"), ("one", "clean")])
async def test_threads_of_anyio_know_the_way_back_and_their_limiter_holds(
    bench: Bench, limiter: str, verdict: str
) -> None:
    trace = asked(path="/chat", json=True)
    source = THREADS.format(limiter=limiter)
    result = await bench.run(source, trace, "agent.py:app", switches=1, faults=False, variants=False)
    assert result.report.verdict == verdict, result.report.reason
    assert result.solo["alice"].outcomes[0].body == "my code is ZX-4411"


def test_a_message_of_a_websocket_that_is_no_text_is_sent_as_json_whatever_its_members_are_called() -> None:
    messages = ["hello", {"text": "hello"}, {"op": "say", "text": "hello"}, {"b64": "aGVsbG8="}]
    request = http_request({"id": "r1", "request": {"path": "/talk", "messages": messages}})
    assert request.messages == ("hello", '{"text": "hello"}', '{"op": "say", "text": "hello"}', b"hello")


RECORDED = {
    "accept-encoding": "gzip, br",
    "expect": "100-continue",
    ":authority": "agent.example",
    "connection": "Upgrade",
    "upgrade": "websocket",
    "sec-websocket-key": "c29tZXRoaW5nIGVsc2UhIQ==",
    "sec-websocket-extensions": "permessage-deflate; client_max_window_bits",
}
COMPRESSING = """
    import asyncio
    from aiohttp import web

    async def chat(request):
        response = web.json_response({"reply": "you said " + (await request.json())["text"]})
        response.enable_compression()
        return response

    async def talk(request):
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str("you said " + message.data)
        return socket

    app = web.Application()
    app.add_routes([web.post("/chat", chat), web.get("/talk", talk)])
    """


async def test_what_a_browser_settled_with_the_server_it_was_recorded_at_compresses_nothing_here(bench: Bench) -> None:
    options: dict[str, Any] = {"switches": 0, "faults": False, "variants": False}
    plain = {name: RECORDED[name] for name in ("accept-encoding", "expect", ":authority")}
    trace = asked(path="/chat", json=True, headers=plain)
    result = await bench.run(COMPRESSING, trace, "agent.py:app", **options)
    assert result.solo["alice"].outcomes[0].body == {"reply": "you said my code is ZX-4411"}
    trace = asked(path="/talk", method="GET", messages=["TEXT"], headers=RECORDED)
    result = await bench.run(COMPRESSING, trace, "agent.py:app", **options)
    assert result.solo["alice"].outcomes[0].body == ["you said my code is ZX-4411"]
