"""Applications of every kind go through their real framework, in memory, and what they share is found and named."""

from __future__ import annotations

from typing import Any

import pytest
from crosslane.replay.trace.model import Exchange, Request

from ..conftest import Bench


def posts(path: str = "/chat", **request: Any) -> tuple[Exchange, ...]:
    return tuple(
        Exchange(Request(f"r{n}", f"s{n}", user, n, None, {"path": path, "json": {"text": text}, **request}, n))
        for n, (user, text) in enumerate((("alice", "my code is ZX-4411"), ("bob", "my code is QW-9922")), 1)
    )


AIOHTTP = """
    import asyncio
    from aiohttp import web
    current = None

    @web.middleware
    async def count(request, handler):
        response = await handler(request)
        response.headers["x-app"] = request.app["name"]
        return response

    async def chat(request):
        global current
        body = await request.json()
        {keep} = body["text"]
        await asyncio.sleep(0.1)
        return web.json_response({{"reply": {keep}, "user": request.headers.get("x-user", "")}})

    async def stream(request):
        global current
        {keep} = (await request.json())["text"]
        response = web.StreamResponse()
        await response.prepare(request)
        for word in {keep}.split():
            await response.write(word.encode())
            await asyncio.sleep(0)
        await response.write({keep}.encode())
        await response.write_eof()
        return response

    async def talk(request):
        global current
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            {keep} = message.data
            await asyncio.sleep(0)
            await socket.send_str("you said " + {keep})
        return socket

    async def broken(request):
        raise LookupError("no such agent")

    def make_app():
        app = web.Application(middlewares=[count])
        app.add_routes([web.post("/chat", chat), web.post("/stream", stream), web.get("/talk", talk), web.post("/broken", broken)])
        async def start(app):
            app["name"] = "agent"
        app.on_startup.append(start)
        return app

    async def make_later():
        await asyncio.sleep(0)
        return make_app()
    """


@pytest.mark.parametrize("handler", ["agent.py:make_app", "agent.py:make_later", "agent.py:make_app()"])
async def test_an_aiohttp_application_runs_its_start_up_middleware_and_routing(bench: Bench, handler: str) -> None:
    result = await bench.run(AIOHTTP.format(keep="current"), posts(), handler, most_executions=100)
    (crossing,) = result.report.crossings
    assert crossing.carrier is not None
    assert (crossing.carrier.name, crossing.sink.path, crossing.needs.switches) == ("agent.current", "body.reply", 1)
    alone = result.solo["alice"].outcomes[0]
    assert (alone.status, alone.body, dict(alone.headers)["x-app"]) == (
        200,
        {"reply": "my code is ZX-4411", "user": ""},
        "agent",
    )


@pytest.mark.parametrize("path", ["/chat", "/stream", "/talk"])
async def test_an_aiohttp_application_that_keeps_nothing_is_clean(bench: Bench, path: str) -> None:
    messages = {"method": "GET", "messages": ["hello ZX-4411", "bye"]} if path == "/talk" else {}
    exchanges = posts(path, **messages)
    result = await bench.run(
        AIOHTTP.format(keep="mine").replace("global current", "pass"),
        exchanges,
        "agent.py:make_app",
        most_executions=150,
        switches=1,
        faults=False,
    )
    assert result.report.verdict == "clean", result.report.reason
    alone = result.solo["alice"].outcomes[0]
    if path == "/stream":
        assert alone.chunks == ("my", "code", "is", "ZX-4411", "my code is ZX-4411")
    if path == "/talk":
        assert (alone.status, alone.body) == (101, ["you said hello ZX-4411", "you said bye"])


async def test_parts_of_an_aiohttp_stream_and_of_a_websocket_are_sinks(bench: Bench) -> None:
    options = {"faults": False, "switches": 1, "most_executions": 120}
    streamed = await bench.run(AIOHTTP.format(keep="current"), posts("/stream"), "agent.py:make_app", **options)
    assert streamed.report.verdict == "contaminated"
    talked = tuple(
        Exchange(Request(f"r{n}", f"s{n}", u, n, None, {"path": "/talk", "messages": [f"I am {u} {c}"]}, n))
        for n, (u, c) in enumerate((("alice", "ZX-4411"), ("bob", "QW-9922")), 1)
    )
    result = await bench.run(None, talked, "agent.py:make_app", **options)
    assert result.report.verdict == "contaminated"


async def test_an_aiohttp_handler_that_raises_is_named_with_its_line(bench: Bench) -> None:
    result = await bench.run(AIOHTTP.format(keep="mine"), posts("/broken"), "agent.py:make_app")
    assert result.report.verdict == "inconclusive"
    assert "LookupError: no such agent at agent.py:" in result.report.reason


FLASK = """
    from flask import Flask, g, jsonify, request, Response
    app = Flask(__name__)
    current = None

    @app.before_request
    def who():
        g.user = request.headers.get("x-user", "")

    @app.post("/chat")
    def chat():
        global current
        {keep} = request.get_json()["text"]
        return jsonify(reply={keep}, user=g.user)

    @app.post("/stream")
    def stream():
        mine = request.get_json()["text"]
        def words():
            global current
            for word in mine.split():
                {keep} = word
                yield {keep}
        return Response(words(), mimetype="text/plain")
    """


@pytest.mark.parametrize("path", ["/chat", "/stream"])
async def test_a_flask_application_is_switched_at_its_lines(bench: Bench, path: str) -> None:
    leaking = await bench.run(FLASK.format(keep="current"), posts(path), "agent.py:app")
    (crossing,) = leaking.report.crossings
    assert crossing.carrier is not None
    assert (crossing.carrier.name, crossing.needs.switches) == ("agent.current", 1)
    source = FLASK.format(keep="local").replace("global current", "pass")
    clean = await bench.run(source, posts(path), "agent.py:app", switches=1, most_executions=150)
    assert clean.report.verdict == "clean", clean.report.reason
    if path == "/stream":
        assert clean.solo["alice"].outcomes[0].chunks == ("my", "code", "is", "ZX-4411")


async def test_a_django_application_is_served_through_its_middleware_and_urls(bench: Bench) -> None:
    source = """
        import json
        from django.conf import settings
        settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="x", MIDDLEWARE=[__name__ + ".Who"])
        import django
        django.setup()
        from django.core.wsgi import get_wsgi_application
        from django.http import JsonResponse
        from django.urls import path

        class Who:
            def __init__(self, get_response):
                self.get_response = get_response
            def __call__(self, request):
                {owner}.text = json.loads(request.body)["text"]
                return self.get_response(request)

        class state:
            text = ""

        def chat(request):
            return JsonResponse({{"reply": {owner}.text}})

        urlpatterns = [path("chat", chat)]
        app = get_wsgi_application()
        """
    leaking = await bench.run(source.format(owner="state"), posts(), "agent.py:app")
    (crossing,) = leaking.report.crossings
    assert crossing.carrier is not None
    assert (crossing.carrier.name, crossing.carrier.kind) == ("state.text", "class attribute")
    clean = await bench.run(source.format(owner="request"), posts(), "agent.py:app", switches=1)
    assert clean.report.verdict == "clean", clean.report.reason


STARLETTE = """
    import asyncio
    from starlette.applications import Starlette
    from starlette.background import BackgroundTask
    from starlette.middleware.base import BaseHTTPMiddleware
    from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
    from starlette.routing import Route, WebSocketRoute

    class Who(BaseHTTPMiddleware):
        async def dispatch(self, request, call_next):
            {owner}.text = (await request.body()).decode()
            return await call_next(request)

    class state:
        text = ""

    async def chat(request):
        await asyncio.sleep(0)
        return PlainTextResponse("saved " + {owner}.text[:40])

    async def upload(request):
        size = 0
        async for part in request.stream():
            size += len(part)
        return JSONResponse({{"size": size}})

    async def talk(websocket):
        await websocket.accept()
        async for text in websocket.iter_text():
            websocket.state.text = text
            await asyncio.sleep(0)
            await websocket.send_text("you said " + (state if {shared} else websocket.state).text)
            state.text = text

    app = Starlette(routes=[Route("/chat", chat, methods=["POST"]), Route("/upload", upload, methods=["POST"]), WebSocketRoute("/talk", talk)])
    if not {shared} or {shared} == "middleware":
        app.add_middleware(Who)
    """


async def test_a_user_kept_outside_the_request_by_a_starlette_middleware_is_found(bench: Bench) -> None:
    leaking = await bench.run(STARLETTE.format(owner="state", shared="'middleware'"), posts(), "agent.py:app")
    assert leaking.report.verdict == "contaminated"
    assert leaking.report.crossings[0].carrier is not None
    assert leaking.report.crossings[0].carrier.name == "state.text"
    clean = await bench.run(
        STARLETTE.format(owner="request.state", shared="False"), posts(), "agent.py:app", switches=1
    )
    assert clean.report.verdict == "clean", clean.report.reason


async def test_a_long_body_arrives_in_several_parts(bench: Bench) -> None:
    exchanges = tuple(
        Exchange(Request(f"r{n}", f"s{n}", f"u{n}", n, None, {"path": "/upload", "text": "x" * 150_000}, n))
        for n in (1, 2)
    )
    result = await bench.run(STARLETTE.format(owner="state", shared="True"), exchanges, "agent.py:app", switches=1)
    assert result.solo["u1"].outcomes[0].body == {"size": 150_000}
    assert result.report.coverage.interior_points["u1"] >= 2


async def test_messages_of_a_websocket_are_answered_and_searched(bench: Bench) -> None:
    exchanges = tuple(
        Exchange(Request(f"r{n}", f"s{n}", u, n, None, {"path": "/talk", "messages": [f"I am {u} {c}"]}, n))
        for n, (u, c) in enumerate((("alice", "ZX-4411"), ("bob", "QW-9922")), 1)
    )
    leaking = await bench.run(STARLETTE.format(owner="state", shared="True"), exchanges, "agent.py:app")
    assert leaking.report.verdict == "contaminated"
    clean = await bench.run(STARLETTE.format(owner="state", shared="False"), exchanges, "agent.py:app", switches=1)
    assert clean.report.verdict == "clean", clean.report.reason
    assert clean.solo["alice"].outcomes[0].body == ["you said I am alice ZX-4411"]


async def test_state_inside_an_installed_library_is_found_named_and_put_back(bench: Bench) -> None:
    library = """
        class Memory:
            _store = {}
            def save(self, key, text):
                self._store[key] = text
            def load(self, key):
                return self._store.get(key)
        """
    bench.write(library, "site-packages/agentmemory/__init__.py")
    bench.write(
        "Metadata-Version: 2.1\nName: agent-memory\nVersion: 1.4.2\n",
        "site-packages/agent_memory-1.4.2.dist-info/METADATA",
    )
    bench.write("agentmemory/__init__.py,,\n", "site-packages/agent_memory-1.4.2.dist-info/RECORD")
    source = """
        import asyncio, sys
        sys.path.insert(0, "site-packages")
        from agentmemory import Memory
        memory = Memory()
        async def handle(user, message):
            memory.save({key}, message)
            await asyncio.sleep(0)
            return memory.load({key})
        """
    leaking = await bench.run(source.format(key="'last'"))
    (crossing,) = leaking.report.crossings
    assert crossing.carrier is not None
    assert crossing.write is not None
    assert crossing.read is not None
    assert crossing.carrier.name == "agentmemory.Memory._store"
    assert crossing.carrier.kind == "class attribute in agent-memory 1.4.2"
    assert (crossing.carrier.defined_at or "").endswith("agentmemory/__init__.py:3")
    assert (crossing.write.at, crossing.read.at) == ("agent.py:7", "agent.py:9")
    clean = await bench.run(source.format(key="user"))
    assert clean.report.verdict == "clean", clean.report.reason
    assert clean.report.executions > 50


async def test_an_object_in_the_state_that_a_lifespan_yields_is_named_by_the_way_a_request_gets_to_it(
    bench: Bench,
) -> None:
    source = """
        import asyncio
        from contextlib import asynccontextmanager
        from starlette.applications import Starlette
        from starlette.responses import PlainTextResponse
        from starlette.routing import Route

        class Agent:
            last = ""

        @asynccontextmanager
        async def lifespan(app):
            yield {"agent": Agent()}

        async def chat(request):
            agent = {agent}
            agent.last = (await request.json())["text"]
            await asyncio.sleep(0)
            return PlainTextResponse(agent.last)

        app = Starlette(routes=[Route("/chat", chat, methods=["POST"])], lifespan=lifespan)
        """
    leaking = await bench.run(source.replace("{agent}", "request.state.agent"), posts(), "agent.py:app", switches=1)
    (crossing,) = leaking.report.crossings
    assert crossing.carrier is not None
    assert (crossing.carrier.name, crossing.carrier.kind) == ("request.state.agent.last", "instance attribute")
    assert crossing.write is not None
    assert crossing.write.code == 'agent.last = (await request.json())["text"]'
    clean = await bench.run(source.replace("{agent}", "Agent()"), posts(), "agent.py:app", switches=1)
    assert clean.report.verdict == "clean", clean.report.reason
