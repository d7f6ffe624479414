from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from crosslane.replay.errors import CrosslaneError
from crosslane.replay.record.proxy import Proxy
from crosslane.replay.record.recorder import Recorder
from crosslane.replay.record.writer import Limits
from crosslane.replay.trace.store import load


async def chat(request: web.Request) -> web.Response:
    data = await request.json()
    return web.json_response({"reply": f"hello {data['message']}"}, headers={"X-Seen": request.headers["X-User-Id"]})


@contextlib.asynccontextmanager
async def recorded(app: web.Application, path: Path, limits: Limits | None = None):
    async with TestServer(app) as server:
        recorder = Recorder(path, source="proxy", limits=limits)
        async with Proxy(str(server.make_url("/")), recorder) as proxy, aiohttp.ClientSession() as client:
            yield f"http://127.0.0.1:{proxy.port}", client, server
        recorder.close()


def application(**routes) -> web.Application:
    app = web.Application()
    for name, handler in routes.items():
        app.router.add_route("*", f"/{name}", handler)
    return app


async def test_an_exchange_passes_unchanged_and_loads_as_a_trace(trace: Path):
    async with recorded(application(chat=chat), trace) as (url, client, _):
        for user in ("alice", "bob"):
            async with client.post(
                f"{url}/chat?a=1&a=2", json={"message": "héllo", "session_id": f"s-{user}"}, headers={"X-User-Id": user}
            ) as answer:
                assert answer.status == 200
                assert answer.headers["X-Seen"] == user
                assert await answer.json() == {"reply": "hello héllo"}
    loaded = load(trace)
    assert loaded.closed
    assert [(r.user, r.session) for r in loaded.requests] == [("alice", "s-alice"), ("bob", "s-bob")]
    first = loaded.exchanges[0]
    assert first.request.request["method"] == "POST"
    assert first.request.request["query"] == "a=1&a=2"
    assert first.request.request["json"] == {"message": "héllo", "session_id": "s-alice"}
    assert first.response is not None
    assert (first.response.status, first.response.body, first.response.end) == (200, {"reply": "hello héllo"}, "ok")
    assert first.request.at_ns < first.response.at_ns


async def test_a_stream_is_passed_on_part_by_part(trace: Path):
    """The second part is only sent once the client has the first, so a proxy that holds it back would hang."""
    seen = asyncio.Event()

    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"data: one\n\n")
        await asyncio.wait_for(seen.wait(), 5)
        await response.write("data: zwö\n\n".encode())
        return response

    async with recorded(application(stream=stream), trace) as (url, client, _), client.get(f"{url}/stream") as answer:
        assert await answer.content.readany() == b"data: one\n\n"
        seen.set()
        assert await answer.read() == "data: zwö\n\n".encode()
    response = load(trace).exchanges[0].response
    assert response is not None
    assert response.chunks == ("data: one\n\n", "data: zwö\n\n")
    assert len(response.chunks_at_ns) == 2
    assert response.chunks_at_ns[0] < response.chunks_at_ns[1]


async def test_a_client_that_goes_away_is_recorded_as_such_and_ends_the_request_upstream(trace: Path):
    ended, began = asyncio.Event(), asyncio.Event()

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        try:
            while True:
                await response.write(b"data: x\n\n")
                began.set()
                await asyncio.sleep(0.001)
        finally:
            ended.set()
        return response

    async with recorded(application(endless=endless), trace) as (url, client, _):
        answer = await client.get(f"{url}/endless")
        await began.wait()
        answer.close()
        await asyncio.wait_for(ended.wait(), 5)
    response = load(trace).exchanges[0].response
    assert response is not None
    assert response.end == "cancelled"


async def test_a_client_that_goes_away_before_the_answer_began_is_recorded_too(trace: Path):
    began = asyncio.Event()

    async def slow(request: web.Request) -> web.Response:
        began.set()
        await asyncio.sleep(60)
        return web.Response()

    async with recorded(application(slow=slow), trace) as (url, client, _):
        call = asyncio.ensure_future(client.get(f"{url}/slow"))
        await began.wait()
        call.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await call
    response = load(trace).exchanges[0].response
    assert response is not None
    assert response.end == "cancelled"


async def test_errors_of_the_service_pass_unchanged(trace: Path):
    async def broken(request: web.Request) -> web.Response:
        return web.Response(status=503, text="overloaded", headers={"Retry-After": "3"})

    async with recorded(application(broken=broken), trace) as (url, client, _), client.get(f"{url}/broken") as answer:
        assert (answer.status, await answer.text(), answer.headers["Retry-After"]) == (503, "overloaded", "3")
    assert load(trace).exchanges[0].response.status == 503


async def test_a_service_that_is_not_there_is_answered_with_502_and_recorded_as_an_error(trace: Path):
    recorder = Recorder(trace)
    async with Proxy("http://127.0.0.1:1", recorder) as proxy, aiohttp.ClientSession() as client:
        async with client.get(f"http://127.0.0.1:{proxy.port}/x") as answer:
            assert answer.status == 502
            assert "cannot be reached" in await answer.text()
        assert proxy.failures == 1
    recorder.close()
    response = load(trace).exchanges[0].response
    assert (response.status, response.end) == (502, "error")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "answered with what is no HTTP: "),
        (b"", "ended the connection before the answer was over: ServerDisconnectedError"),
    ],
)
async def test_a_service_that_answers_with_no_answer_is_not_told_as_unreachable(trace: Path, said: bytes, told: str):
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    recorder = Recorder(trace)
    to = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, Proxy(to, recorder) as proxy, aiohttp.ClientSession() as client:
        async with client.get(f"http://127.0.0.1:{proxy.port}/x") as answer:
            assert answer.status == 502
            assert (await answer.text()).startswith(f"crosslane: {to} {told}")
    recorder.close()
    assert load(trace).exchanges[0].response.end == "error"


async def test_a_service_that_dies_in_the_middle_breaks_the_client_the_same_way(trace: Path):
    async def dies(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"half")
        request.transport.abort()
        return response

    async with recorded(application(dies=dies), trace) as (url, client, _):
        with pytest.raises(aiohttp.ClientError):
            async with client.get(f"{url}/dies") as answer:
                await answer.read()
    assert load(trace).exchanges[0].response.end in ("error", "cancelled")


async def test_websockets_pass_both_ways(trace: Path):
    async def talk(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(protocols=("chat",))
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(f"you said {message.data}")
        return socket

    async with recorded(application(talk=talk), trace) as (url, client, _):
        async with client.ws_connect(f"{url}/talk", protocols=("chat",), headers={"X-User-Id": "alice"}) as socket:
            assert socket.protocol == "chat"
            await socket.send_str("hi")
            assert await socket.receive_str() == "you said hi"
    exchange = load(trace).exchanges[0]
    assert exchange.request.user == "alice"
    assert exchange.request.request["messages"] == ["hi"]
    assert exchange.response.chunks == ("you said hi",)
    assert (exchange.response.status, exchange.response.end) == (101, "ok")


async def test_a_large_body_stands_beside_the_trace_and_loads_as_if_it_stood_in_it(trace: Path):
    async def size(request: web.Request) -> web.Response:
        return web.json_response({"bytes": len(await request.read()), "echo": "y" * 3000})

    app = web.Application(client_max_size=1 << 30)
    app.router.add_post("/size", size)
    text = "x" * 200_000
    async with recorded(app, trace, Limits(body_bytes=1000)) as (url, client, _):

        async def parts():
            for start in range(0, len(text), 7_000):
                yield text[start : start + 7_000].encode()

        async with client.post(f"{url}/size", data=parts(), headers={"Content-Type": "text/plain"}) as answer:
            assert (await answer.json())["bytes"] == 200_000
    assert all(len(line) < 3000 for line in trace.read_text().splitlines())
    exchange = load(trace).exchanges[0]
    assert exchange.request.request["text"] == text
    assert exchange.response.body["echo"] == "y" * 3000


async def test_a_compressed_answer_passes_compressed_and_is_recorded_readable(trace: Path):
    async def packed(request: web.Request) -> web.Response:
        response = web.json_response({"reply": "hello" * 100})
        response.enable_compression(web.ContentCoding.gzip)
        return response

    async with recorded(application(packed=packed), trace) as (url, client, _):
        async with client.get(f"{url}/packed", headers={"Accept-Encoding": "gzip"}) as answer:
            assert answer.headers["Content-Encoding"] == "gzip"
            assert (await answer.json())["reply"] == "hello" * 100
    assert load(trace).exchanges[0].response.body == {"reply": "hello" * 100}


async def test_redirects_cookies_and_repeated_headers_are_passed_on_and_not_followed(trace: Path):
    async def moved(request: web.Request) -> web.Response:
        response = web.Response(status=302, headers={"Location": "/elsewhere"})
        response.headers.add("Set-Cookie", "a=1; Path=/")
        response.headers.add("Set-Cookie", "b=2; Path=/")
        return response

    async with recorded(application(moved=moved), trace) as (url, client, _):
        async with client.get(f"{url}/moved", allow_redirects=False) as answer:
            assert answer.status == 302
            assert answer.headers.getall("Set-Cookie") == ["a=1; Path=/", "b=2; Path=/"]


async def test_a_port_that_is_taken_and_a_url_that_is_none_are_one_clear_line(trace: Path):
    recorder = Recorder(trace)
    async with Proxy("http://127.0.0.1:1", recorder) as first:
        with pytest.raises(CrosslaneError, match=f"port {first.port} of 127.0.0.1 is taken"):
            async with Proxy("http://127.0.0.1:1", recorder, port=first.port):
                pass
    with pytest.raises(CrosslaneError, match="cannot record in front of"):
        Proxy("localhost:8000", recorder)
    recorder.close()


async def test_many_at_once_keep_their_own_answers(trace: Path):
    async def echo(request: web.Request) -> web.Response:
        data = await request.json()
        await asyncio.sleep(0)
        return web.json_response({"for": data["user_id"]})

    async with recorded(application(echo=echo), trace) as (url, client, _):

        async def one(number: int) -> None:
            async with client.post(f"{url}/echo", json={"user_id": f"u{number}"}) as answer:
                assert await answer.json() == {"for": f"u{number}"}

        await asyncio.gather(*(one(number) for number in range(100)))
    loaded = load(trace)
    assert len(loaded.exchanges) == 100
    assert all(e.response.body == {"for": e.request.user} for e in loaded.exchanges)


async def test_a_compressed_request_passes_as_it_was_sent_and_is_recorded_readable(trace: Path):
    import gzip
    import json

    async def raw(request: web.Request) -> web.Response:
        # The server unpacks it, so that a body which the proxy had unpacked would fail here.
        return web.json_response(
            {"got": (await request.json())["message"], "packed": request.headers["Content-Encoding"]}
        )

    body = gzip.compress(json.dumps({"message": "hello " * 50}).encode())
    async with recorded(application(raw=raw), trace) as (url, client, _):
        headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
        async with client.post(f"{url}/raw", data=body, headers=headers) as answer:
            assert await answer.json() == {"got": "hello " * 50, "packed": "gzip"}
    assert load(trace).exchanges[0].request.request["json"] == {"message": "hello " * 50}
