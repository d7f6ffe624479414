"""The three middlewares, each in front of an application that answers, streams, fails and is left by its client."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, make_server

import aiohttp
import httpx
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from crosslane.replay.record import aiohttp as record_aiohttp
from crosslane.replay.record.asgi import RecordMiddleware
from crosslane.replay.record.recorder import Recorder
from crosslane.replay.record.wsgi import RecordMiddleware as RecordWsgi
from crosslane.replay.trace.store import load
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient as StarletteClient
from starlette.websockets import WebSocket

BODY = {"user_id": "alice", "session_id": "s1", "message": "hi"}


@pytest.fixture
def recorder(trace: Path):
    recorder = Recorder(trace)
    yield recorder
    recorder.close()


def the_exchange(trace: Path):
    (exchange,) = load(trace).exchanges
    return exchange


# ---- ASGI


async def _chat(request: Request) -> JSONResponse:
    data = await request.json()
    return JSONResponse({"reply": f"hello {data['user_id']}"})


async def _stream(request: Request) -> StreamingResponse:
    async def parts():
        yield "data: a\n\n"
        yield "data: b\n\n"

    return StreamingResponse(parts(), media_type="text/event-stream")


async def _fail(request: Request) -> JSONResponse:
    raise RuntimeError("no")


async def _talk(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text("you said " + await socket.receive_text())
    await socket.close()


def asgi(recorder: Recorder) -> RecordMiddleware:
    routes = [
        Route("/chat", _chat, methods=["POST"]),
        Route("/stream", _stream),
        Route("/fail", _fail),
        WebSocketRoute("/talk", _talk),
    ]
    return RecordMiddleware(Starlette(routes=routes), recorder=recorder)


def test_asgi_an_exchange(trace: Path, recorder: Recorder):
    with StarletteClient(asgi(recorder)) as client:
        assert client.post("/chat?x=%20y", json=BODY).json() == {"reply": "hello alice"}
    exchange = the_exchange(trace)
    assert (exchange.request.user, exchange.request.session) == ("alice", "s1")
    assert exchange.request.request["query"] == "x=%20y"
    assert exchange.request.request["json"] == BODY
    assert (exchange.response.status, exchange.response.body) == (200, {"reply": "hello alice"})


def test_asgi_a_stream_keeps_its_parts(trace: Path, recorder: Recorder):
    with StarletteClient(asgi(recorder)) as client:
        client.get("/stream", headers={"x-user-id": "bob"})
    exchange = the_exchange(trace)
    assert exchange.request.user == "bob"
    assert exchange.response.chunks == ("data: a\n\n", "data: b\n\n")
    assert exchange.response.end == "ok"


def test_asgi_an_exception_is_an_error(trace: Path, recorder: Recorder):
    with StarletteClient(asgi(recorder), raise_server_exceptions=False) as client:
        assert client.get("/fail").status_code == 500
    assert the_exchange(trace).response.end in ("error", "ok")
    assert the_exchange(trace).response.status == 500


def test_asgi_a_websocket(trace: Path, recorder: Recorder):
    with StarletteClient(asgi(recorder)) as client, client.websocket_connect("/talk?user_id=alice") as socket:
        socket.send_text("hi")
        assert socket.receive_text() == "you said hi"
    exchange = the_exchange(trace)
    assert exchange.request.user == "alice"
    assert exchange.request.request["messages"] == ["hi"]
    assert exchange.response.chunks == ("you said hi",)


async def test_asgi_a_cancelled_request_is_cancelled(trace: Path, recorder: Recorder):
    async def app(scope, receive, send):
        await asyncio.sleep(60)

    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""}
    task = asyncio.ensure_future(RecordMiddleware(app, recorder=recorder)(scope, None, None))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert the_exchange(trace).response.end == "cancelled"


# ---- aiohttp


def aiohttp_application(recorder: Recorder) -> web.Application:
    async def chat(request: web.Request) -> web.Response:
        data = await request.json()
        return web.json_response({"reply": f"hello {data['user_id']}"})

    async def raw(request: web.Request) -> web.Response:
        size = 0
        async for part in request.content.iter_any():
            size += len(part)
        return web.json_response({"size": size})

    async def form(request: web.Request) -> web.Response:
        fields = {}
        async for part in await request.multipart():
            fields[part.name] = await part.text()
        return web.json_response(fields)

    async def unread(request: web.Request) -> web.Response:
        return web.Response(text="no thanks")

    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"data: a\n\n")
        await response.write(b"data: b\n\n")
        return response

    async def fail(request: web.Request) -> web.Response:
        raise RuntimeError("no")

    async def refuse(request: web.Request) -> web.Response:
        raise web.HTTPForbidden(text="not you")

    async def talk(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            await socket.send_json({"heard": message.data})
        return socket

    app = web.Application(middlewares=[record_aiohttp.record_middleware(recorder=recorder)])
    for handler in (chat, raw, form, unread, stream, fail, refuse, talk):
        app.router.add_route("*", f"/{handler.__name__}", handler)
    return app


@pytest.mark.parametrize("size", [10, 300_000])
async def test_aiohttp_a_handler_still_reads_its_body_as_it_likes(trace: Path, recorder: Recorder, size: int):
    async with TestClient(TestServer(aiohttp_application(recorder))) as client:
        answer = await client.post("/raw", data=b"x" * size, headers={"Content-Type": "text/plain"})
        assert await answer.json() == {"size": size}
    exchange = the_exchange(trace)
    assert exchange.request.request["text"] == "x" * size
    assert exchange.response.body == {"size": size}


async def test_aiohttp_an_exchange_and_a_form(trace: Path, recorder: Recorder):
    async with TestClient(TestServer(aiohttp_application(recorder))) as client:
        assert await (await client.post("/chat", json=BODY)).json() == {"reply": "hello alice"}
        with aiohttp.MultipartWriter("form-data") as parts:
            parts.append("one two").set_content_disposition("form-data", name="words")
        assert await (await client.post("/form", data=parts)).json() == {"words": "one two"}
    first, second = load(trace).exchanges
    assert (first.request.user, first.request.request["json"]) == ("alice", BODY)
    assert first.response.body == {"reply": "hello alice"}
    assert second.request.request["text"].count("one two") == 1
    assert second.response.body == {"words": "one two"}


async def test_aiohttp_streams_errors_and_unread_bodies(trace: Path, recorder: Recorder):
    async with TestClient(TestServer(aiohttp_application(recorder))) as client:
        assert (await (await client.get("/stream")).read()) == b"data: a\n\ndata: b\n\n"
        assert (await client.get("/fail")).status == 500
        assert (await client.get("/refuse")).status == 403
        assert (await client.post("/unread", data=b"some text", headers={"Content-Type": "text/plain"})).status == 200
    stream, fail, refuse, unread = (e.response for e in load(trace).exchanges)
    assert stream.chunks == ("data: a\n\n", "data: b\n\n")
    assert fail.end == "error"
    assert (refuse.status, refuse.body, refuse.end) == (403, "not you", "ok")
    assert unread.body == "no thanks"
    assert load(trace).exchanges[3].request.request["text"] == "some text"


async def test_aiohttp_a_websocket(trace: Path, recorder: Recorder):
    async with TestClient(TestServer(aiohttp_application(recorder))) as client:
        async with client.ws_connect("/talk", headers={"X-User-Id": "alice"}) as socket:
            await socket.send_str("hi")
            assert await socket.receive_json() == {"heard": "hi"}
    exchange = the_exchange(trace)
    assert exchange.request.user == "alice"
    assert exchange.request.request["messages"] == ["hi"]
    assert exchange.response.chunks == ('{"heard": "hi"}',)
    assert (exchange.response.status, exchange.response.end) == (101, "ok")


# ---- WSGI


class _Quiet(WSGIRequestHandler):
    def log_message(self, *args) -> None:
        pass


def test_wsgi_exchanges(trace: Path, recorder: Recorder):
    from flask import Flask, Response, request

    app = Flask("agent")

    @app.post("/chat")
    def chat():
        return {"reply": f"hello {request.get_json()['user_id']}"}

    @app.get("/stream")
    def stream():
        return Response((f"data: {n}\n\n" for n in range(2)), mimetype="text/event-stream")

    @app.get("/fail")
    def fail():
        raise RuntimeError("no")

    app.wsgi_app = RecordWsgi(app.wsgi_app, recorder=recorder)  # type: ignore[method-assign]
    server = make_server("127.0.0.1", 0, app, handler_class=_Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{server.server_port}") as client:
            assert client.post("/chat?a=b%20c", json=BODY).json() == {"reply": "hello alice"}
            assert client.get("/stream").text == "data: 0\n\ndata: 1\n\n"
            assert client.get("/fail").status_code == 500
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    chat_, stream_, fail_ = load(trace).exchanges
    assert (chat_.request.user, chat_.request.session) == ("alice", "s1")
    assert chat_.request.request["query"] == "a=b%20c"
    assert chat_.request.request["json"] == BODY
    assert chat_.response.body == {"reply": "hello alice"}
    assert stream_.response.chunks == ("data: 0\n\n", "data: 1\n\n")
    assert fail_.response.status == 500


def test_wsgi_a_client_that_leaves_a_stream_is_recorded_as_such(trace: Path, recorder: Recorder):
    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/event-stream")])
        return (f"data: {n}\n\n".encode() for n in range(100))

    answer = RecordWsgi(app, recorder=recorder)(
        {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "HTTP_X_USER_ID": "alice"}, lambda *a: lambda b: None
    )
    next(iter(answer))
    answer.close()
    exchange = the_exchange(trace)
    assert exchange.response.chunks == ("data: 0\n\n",)
    assert exchange.response.end == "cancelled"
